"""The numbers of the model, read from `defaults.yaml` and checked, with a scenario's changes applied."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

DEFAULTS = Path(__file__).with_name("defaults.yaml")

Arm = Literal["active", "control"]
Dimension = Literal["S", "A", "M", "Q"]
DIMENSIONS: tuple[Dimension, ...] = ("S", "A", "M", "Q")
Stratum = Literal["NEURO", "NPL", "NOCI"]
Sex = Literal["F", "M"]
PainClass = Literal["neuropathic", "nociplastic", "nociceptive", "mixed"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Normal(_Part):
    """A normal distribution."""

    mean: float
    sd: float


class Truncated(Normal):
    """A normal distribution cut off at both ends."""

    low: float
    high: float


class LogNormal(_Part):
    """A log-normal distribution by its median and the SD of its natural logarithm."""

    median: float
    log_sd: float


class TrialSize(_Part):
    """How many are randomised, in which ratio."""

    participants: int
    ratio: dict[Arm, int]


class People(_Part):
    """Who takes part."""

    site_shares: tuple[float, ...]
    age: Truncated
    female: float
    weight_kg: dict[Sex, Truncated]
    height_cm: dict[Sex, Truncated]
    pain_class: dict[PainClass, float]
    mixed_parts: dict[str, float]
    pain_years: LogNormal
    expectancy_positive: Truncated
    expectancy_negative: Truncated


class Recruitment(_Part):
    """How fast people come and how many of them fail screening."""

    per_month: float
    consent_to_infusion_days: tuple[int, int]
    screen_failure: dict[str, float]


class Effect(_Part):
    """A drug effect that halves every `half_life` days, in baseline-SD units."""

    size: float
    half_life: float


class Latent(_Part):
    """The four latent dimensions and what treatment does to them."""

    anchor_days: tuple[int, ...]
    person_share: float
    time_scale_days: float
    person_correlation: dict[str, float]
    moving_correlation: dict[str, float]
    site_sd: float
    site_treatment_sd: float
    placebo: dict[Dimension, float]
    placebo_days: float
    effect: dict[Dimension, Effect]
    response_log_sd: float
    unblinding_bias: float


class Linear(_Part):
    """An outcome of the continuous mode: mean + slope Z + N(0, noise)."""

    dimension: Dimension
    mean: float
    slope: float
    noise: float


class Sleep(_Part):
    """The diary's sleep rating, carried by pain and mood."""

    mean: float
    slope_pain: float
    slope_mood: float
    noise: float


class Diary(_Part):
    """The daily ratings and the days on which they are asked."""

    noise: float
    worst_above: Normal
    least_below: Normal
    sleep: Sleep
    rescue_doses_per_day: float
    days_before_infusion: int
    daily_until: int
    days_before_late_visits: int


class Logit(_Part):
    """A logistic regression on one latent dimension."""

    intercept: float
    slope: float


class GlobalChange(_Part):
    """How the patient's global impression follows the improvement in pain."""

    per_unit: float
    noise: float


class Items(_Part):
    """How a questionnaire's items follow the latent dimensions."""

    location: float
    location_of: dict[str, float]
    scale_divisor: float
    shared: float
    own: float
    latent_of: dict[str, Dimension | None]
    suicidal_item: Logit
    wish_to_be_dead: Logit
    suicidal_items: dict[str, str]
    global_change: GlobalChange
    class_shift: dict[str, dict[Stratum, float]]
    dn4: dict[Stratum, float]
    radiating: dict[Stratum, float]


class Qst(_Part):
    """Quantitative sensory testing: z-values and the spread of trials round them."""

    mean: float
    sd: float
    shared: float
    own: float
    control_mean: float
    control_shared: float
    within_log10: float
    within_celsius: float
    paradoxical_heat: float
    allodynia: dict[Stratum, float]
    cpm_log10_gain: Normal


class NegativeBinomial(_Part):
    """A negative binomial count by mean and size."""

    mean: float
    size: float


class Infusion(_Part):
    """The infusion day: dissociation, vital signs, sedation."""

    cadss_at_end: dict[Arm, NegativeBinomial]
    cadss_share: dict[int, float]
    pressure_share: dict[int, float]
    sbp: Normal
    dbp: Normal
    dbp_per_sbp: float
    hr: Normal
    sbp_peak: dict[Arm, Normal]
    hr_peak: dict[Arm, Normal]
    spo2: Normal
    spo2_dip: dict[Arm, float]
    rr: Normal
    reading_noise: dict[str, float]
    deepest_sedation: dict[Arm, tuple[float, float, float]]
    agitation: dict[Arm, float]
    asks_to_stop: dict[Arm, float]
    does_not_resume: float
    weight_change_sd: float


class Guessing(_Part):
    """What people believe they (or their participant) received."""

    do_not_know: float
    intercept: float
    per_cadss_point: float
    keeps_until_week_4: float
    improvement_slope: float


class Pk(_Part):
    """Two compartments of ketamine, one each of norketamine and hydroxynorketamine; L, L/h, ng/mL."""

    clearance: float
    v1: float
    q: float
    v2: float
    nk_fraction: float
    nk_clearance: float
    nk_v: float
    hnk_fraction: float
    hnk_clearance: float
    hnk_v: float
    between_cv: float
    residual_cv: float
    lloq: float
    time_sd_minutes: float
    mg_per_ml: float
    sample_minutes: tuple[int, ...]


class Missing(_Part):
    """What is not recorded although the participant is still in the trial."""

    item: float
    pro_visit: float
    qst_visit: float
    diary_day: float
    refused: float


class Dropout(_Part):
    """Who leaves, when and why."""

    mechanism: Literal["MCAR", "MAR", "MNAR"]
    days: tuple[int, ...]
    mcar_hazard: float
    intercept: float
    observed_slope: float
    severe_event: float
    unobserved_slope: float
    active_offset: float
    reasons: dict[str, float]
    comes_for_early_termination: float


class Rescue(Logit):
    """Rescue analgesics by week."""

    relief: float
    above_allowance: float


class EventRate(_Part):
    """How often an adverse event happens, by arm."""

    active: float
    control: float
    when: Literal["infusion", "after"]


class Safety(_Part):
    """Severity of adverse events, serious events, laboratory and suicidality signals."""

    grades: tuple[float, float, float]
    serious: dict[Arm, float]
    serious_terms: tuple[str, ...]
    alt_raised: dict[Arm, float]
    suicidal_ideation: dict[Arm, float]


class Conduct(_Part):
    """How punctual visits and data entry are."""

    window_sd_share: float
    hour: Truncated
    infusion_hour: Truncated
    late_entry: float
    late_entry_days: LogNormal
    late_diary: float


class Mediation(_Part):
    """The linear model of the mediation scenarios."""

    effect_on: dict[Literal["A", "Q"], float]
    mediator_correlation: float
    direct: float
    mediator_slope: dict[Literal["A", "Q"], float]
    confounder_loading: float


class Parameters(_Part):
    """All numbers of one scenario."""

    version: str
    scenario: str
    truth: str
    trial: TrialSize
    people: People
    recruitment: Recruitment
    latent: Latent
    continuous: dict[str, Linear]
    diary: Diary
    items: Items
    qst: Qst
    infusion: Infusion
    guess: Guessing
    pk: Pk
    missing: Missing
    dropout: Dropout
    rescue: Rescue
    adverse_events: dict[str, EventRate]
    safety: Safety
    conduct: Conduct
    mediation: Mediation


def scenario_names() -> tuple[str, ...]:
    """The scenarios of `defaults.yaml`, in its order."""
    return tuple(_read_defaults()["scenarios"])


def trial_scenarios() -> dict[str, str]:
    """The scenarios of a whole trial, each with its truth in words; those of mediation are of another model."""
    return {
        name: scenario["truth"] for name, scenario in _read_defaults()["scenarios"].items() if "mediation" not in name
    }


@lru_cache(maxsize=16)
def load_parameters(scenario: str = "default") -> Parameters:
    """The numbers of one scenario: the defaults with the scenario's changes.

    Raises ValueError for a scenario that `defaults.yaml` does not name, and pydantic's ValidationError
    when that file holds something that is not a parameter.
    """
    defaults = dict(_read_defaults())
    scenarios = defaults.pop("scenarios")
    if scenario not in scenarios:
        raise ValueError(f"There is no scenario {scenario!r}. Choose one of: {', '.join(scenarios)}.")
    chosen = scenarios[scenario]
    merged = _merge(defaults, chosen.get("change", {}))
    return Parameters.model_validate({**merged, "scenario": scenario, "truth": chosen["truth"]})


@lru_cache(maxsize=1)
def _read_defaults() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))
    return loaded


def _merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in change.items():
        merged[key] = _merge(base[key], value) if isinstance(value, dict) else value
    return merged
