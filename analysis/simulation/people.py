"""Who comes: site, age, sex, body size and the kind of pain, before anything is known of treatment."""

from dataclasses import dataclass
from typing import Literal

from .draws import choice, lognormal, truncated
from .parameters import PainClass, Parameters, Sex, Stratum
from .streams import stream

Part = Literal["neuropathic", "nociplastic", "nociceptive"]


@dataclass(frozen=True, slots=True)
class PainFindings:
    """What a physician found, by the keys of the protocol; the pain class follows from these."""

    lesion_history: bool
    plausible_distribution: bool
    sensory_signs: bool
    confirming_test: bool
    pain_is_chronic: bool
    pain_is_regional: bool
    not_entirely_nociceptive: bool
    not_entirely_neuropathic: bool
    hypersensitivity_history: bool
    comorbidity: bool
    evoked_hypersensitivity: bool
    tissue_damage: bool


@dataclass(frozen=True, slots=True)
class Person:
    """One candidate. site: position in the list of sites, from 0; age in years; kg; cm; pain in years."""

    index: int
    site: int
    age: int
    birthday_offset: int
    sex: Sex
    weight_kg: float
    height_cm: int
    child_bearing: bool
    pain_class: PainClass
    parts: tuple[Part, ...]
    stratum: Stratum
    findings: PainFindings
    pain_years: float
    painful_days_per_month: int
    painful_side: Literal["left", "right"]
    expectancy_positive: float
    expectancy_negative: float

    @property
    def other_side(self) -> Literal["left", "right"]:
        """The side of the body across from the painful one."""
        return "right" if self.painful_side == "left" else "left"


def draw_person(seed: int, index: int, parameters: Parameters, *, sites: int) -> Person:
    """The person with this index. sites: how many sites the trial has.

    Raises ValueError when `defaults.yaml` gives fewer site shares than the trial has sites.
    """
    law = parameters.people
    if not 1 <= sites <= len(law.site_shares):
        raise ValueError(f"The trial has {sites} sites; the model serves 1 to {len(law.site_shares)}.")
    u = stream(seed, "demography", index).random(20)
    shares = {str(j): share for j, share in enumerate(law.site_shares[:sites])}
    sex: Sex = "F" if u[1] < law.female else "M"
    age = round(truncated(u[2], law.age))
    pain_class = choice(u[5], law.pain_class)
    parts = _parts(pain_class, choice(u[6], law.mixed_parts))
    return Person(
        index=index,
        site=int(choice(u[0], shares)),
        age=age,
        birthday_offset=int(u[12] * 364),
        sex=sex,
        weight_kg=round(truncated(u[3], law.weight_kg[sex]), 1),
        height_cm=round(truncated(u[4], law.height_cm[sex])),
        child_bearing=sex == "F" and age < 52,
        pain_class=pain_class,
        parts=parts,
        stratum=_stratum(parts),
        findings=_findings(parts, definite=u[7] < 0.4),
        pain_years=round(max(lognormal(u[8], law.pain_years), 0.3), 1),
        painful_days_per_month=15 + int(u[9] * 16),
        painful_side="left" if u[13] < 0.5 else "right",
        expectancy_positive=truncated(u[10], law.expectancy_positive),
        expectancy_negative=truncated(u[11], law.expectancy_negative),
    )


def _parts(pain_class: PainClass, mixture: str) -> tuple[Part, ...]:
    names = mixture.split("_") if pain_class == "mixed" else [pain_class]
    known: tuple[Part, ...] = ("neuropathic", "nociplastic", "nociceptive")
    return tuple(part for part in known if part in names)


def _stratum(parts: tuple[Part, ...]) -> Stratum:
    """NEURO for any neuropathic part, else NPL for any nociplastic part, else NOCI."""
    if "neuropathic" in parts:
        return "NEURO"
    return "NPL" if "nociplastic" in parts else "NOCI"


def _findings(parts: tuple[Part, ...], *, definite: bool) -> PainFindings:
    neuropathic, nociplastic = "neuropathic" in parts, "nociplastic" in parts
    return PainFindings(
        lesion_history=neuropathic,
        plausible_distribution=neuropathic,
        sensory_signs=neuropathic,
        confirming_test=neuropathic and definite,
        pain_is_chronic=True,
        pain_is_regional=nociplastic,
        not_entirely_nociceptive=nociplastic,
        not_entirely_neuropathic=nociplastic,
        hypersensitivity_history=nociplastic,
        comorbidity=nociplastic,
        evoked_hypersensitivity=nociplastic,
        tissue_damage="nociceptive" in parts,
    )
