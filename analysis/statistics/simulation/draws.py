"""Drawing trials: who comes when, in which arm, and what they write down (the model of DOMAIN.md 6, vectorised).

Trial i has its own child of the seed, SeedSequence(seed).spawn(...)[i], and each of its parts a child of that: a
trial is the same whichever process draws it, in whatever company, and under every scenario it has the same luck.
What `analysis.simulation` draws one participant at a time is drawn here for all at once, as far as the primary
endpoint needs it. Screening is left out: everybody drawn is randomised. Severe adverse events count for drop-out
from the infusion on, and visits take place on their nominal day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray
from scipy.special import expit

from analysis.simulation.draws import FloatArray, negative_binomial
from analysis.simulation.latent import (
    belief_effect,
    cholesky_root,
    correlation,
    drug_effect,
    placebo_effect,
    time_root,
)
from analysis.simulation.parameters import DIMENSIONS, Parameters
from analysis.statistics.simulation.trial_model import STRATA, TrialModel
from studies.randomisation import permuted_blocks

IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]
_DAYS_PER_MONTH = 365.25 / 12
_PARTS = 8


@dataclass(frozen=True)
class Drawn:
    """T trials of n participants in the order of their infusions.

    day0 (T, n): calendar day of the infusion, from 0. arm, site, stratum (T, n): places in the model's lists. written
    (T, n, D): the value by day since the infusion, nan where there is none.
    """

    day0: IntArray
    arm: IntArray
    site: IntArray
    stratum: IntArray
    written: FloatArray

    def take(self, trials: IntArray) -> Drawn:
        """Some of the trials."""
        return Drawn(*(getattr(self, name)[trials] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class _Luck:
    """The random numbers of T trials: normal unless named otherwise; n participants, D days, m dimensions."""

    waiting: FloatArray  # exponential (T, n)
    people: FloatArray  # uniform (T, n, 3): site, stratum, days from consent to infusion
    level: FloatArray  # (T, n, m): u
    moving: FloatArray  # (T, n, D, m): w
    sites: FloatArray  # (T, S, 2, m): level and own treatment effect
    response: FloatArray  # (T, n)
    noise: FloatArray  # (T, n, D, 2): of the diary, of the endpoint where it is another
    missing: FloatArray  # uniform (T, n, D, 2): the same
    leaving: FloatArray  # uniform (T, n, drop-out days, 2)
    severe: FloatArray  # uniform (T, n)
    rescue: FloatArray  # uniform (T, n, weeks)
    belief: FloatArray  # uniform (T, n, 3)


def draw(model: TrialModel, *, seed: int, first: int, count: int) -> Drawn:
    """Trials first, first + 1, ..., as many as counted. seed: an integer >= 0."""
    seeds = [SeedSequence(entropy=seed, spawn_key=(trial,)).spawn(_PARTS) for trial in range(first, first + count)]
    luck = _Luck(*(np.stack(column) for column in zip(*(_luck(model, each[1:]) for each in seeds), strict=True)))
    parameters = model.parameters
    site = _chosen(luck.people[..., 0], parameters.people.site_shares[: len(model.sites)])
    stratum = _chosen(luck.people[..., 1], stratum_shares(parameters))
    arm = np.stack([_allocate(model, each[0], *at) for each, *at in zip(seeds, site, stratum, strict=True)])
    active = np.array(model.active)[arm]
    latent = _latent(model, luck, site, active)
    pain = latent[..., 0] - parameters.rescue.relief * _rescued(model, latent[..., 0], luck.rescue)
    diary = _diary(model, pain, luck)
    left = _left(model, pain, diary, luck, active)
    written = diary if model.by_diary else _at_visits(model, latent[..., -1], luck)
    written[model.days >= left[..., None]] = np.nan
    return Drawn(_infusion_days(luck, parameters), arm, site, stratum, written)


def stratum_shares(parameters: Parameters) -> tuple[float, ...]:
    """How many are NEURO, NPL and NOCI; mixed pain is NEURO where it is neuropathic in part, else NPL."""
    law = parameters.people
    total = sum(law.mixed_parts.values())
    neuropathic = sum(share for parts, share in law.mixed_parts.items() if "neuropathic" in parts) / total
    mixed = law.pain_class["mixed"]
    return (
        law.pain_class["neuropathic"] + mixed * neuropathic,
        law.pain_class["nociplastic"] + mixed * (1 - neuropathic),
        law.pain_class["nociceptive"],
    )


def _luck(model: TrialModel, seeds: Sequence[SeedSequence]) -> tuple[FloatArray, ...]:
    """The random numbers of one trial in the order of `_Luck`. A part may grow without moving another."""
    people, latent, sites, writing, missing, leaving, belief = map(np.random.default_rng, seeds)
    n, days, many = model.participants, len(model.days), len(model.dimensions)
    weeks = 1 + int(model.days[-1] // 7)
    leaving_days = len(model.parameters.dropout.days)
    chances = leaving.random((n, 2 * leaving_days + 1))
    moving = latent.standard_normal((n, days + 1, many))
    return (
        people.standard_exponential(n),
        people.random((n, 3)),
        moving[:, 0],
        moving[:, 1:],
        sites.standard_normal((len(model.parameters.people.site_shares), 2, many)),
        sites.standard_normal(n),
        writing.standard_normal((n, days, 2)),
        missing.random((n, days, 2)),
        chances[:, :-1].reshape(n, leaving_days, 2),
        chances[:, -1],
        leaving.random((n, weeks)),
        belief.random((n, 3)),
    )


def _chosen(uniform: FloatArray, shares: Sequence[float]) -> IntArray:
    edges = np.cumsum(shares)
    place = np.searchsorted(edges, uniform * edges[-1], side="right")
    return np.asarray(np.minimum(place, len(edges) - 1))


def _allocate(model: TrialModel, seed: SeedSequence, site: IntArray, stratum: IntArray) -> IntArray:
    """Arms (n,) by the trial's own permuted blocks, stratum by stratum."""
    rng = np.random.default_rng(seed)
    cell = np.zeros(len(site), dtype=np.intp)
    if "site" in model.stratified_by:
        cell += site * len(STRATA)
    if set(model.stratified_by) - {"site"}:
        cell += stratum
    arm = np.empty(len(site), dtype=np.intp)
    for each in np.unique(cell):
        members = np.flatnonzero(cell == each)
        codes = permuted_blocks(rng, arms=model.ratio, block_sizes=model.block_sizes, length=len(members))
        arm[members] = [model.arms.index(code) for code in codes]
    return arm


def _latent(model: TrialModel, luck: _Luck, site: IntArray, active: BoolArray) -> FloatArray:
    """Z (T, n, D, m), as in `analysis.simulation.latent`."""
    law, days = model.parameters.latent, model.days
    places = [DIMENSIONS.index(dimension) for dimension in model.dimensions]
    among = np.ix_(places, places)
    person = luck.level @ cholesky_root(correlation(law.person_correlation)[among]).T
    across = cholesky_root(correlation(law.moving_correlation)[among]).T
    root = time_root(tuple(int(day) for day in days), law.time_scale_days)
    moving = np.einsum("de,tnem->tndm", root, luck.moving, optimize=True) @ across
    trials = np.arange(len(site))[:, None]
    level, own = (scale * luck.sites[trials, site, part] for part, scale in enumerate(_site_spread(model)))
    z = np.sqrt(law.person_share) * person[:, :, None] + np.sqrt(1 - law.person_share) * moving + level[:, :, None]
    after = (days > 0)[:, None].astype(float)
    factor = np.exp(law.response_log_sd * luck.response - law.response_log_sd**2 / 2)
    drug = drug_effect(days, law)[:, places] * factor[..., None, None] + after * own[:, :, None]
    z -= placebo_effect(days, law)[:, places] + active[..., None, None] * drug
    if law.unblinding_bias:
        z -= _believes(model.parameters, luck.belief, active)[..., None, None] * after * belief_effect(law)[places]
    return np.asarray(z)


def _site_spread(model: TrialModel) -> tuple[float, float]:
    return model.parameters.latent.site_sd, model.parameters.latent.site_treatment_sd


def _believes(parameters: Parameters, uniform: FloatArray, active: BoolArray) -> BoolArray:
    """Who believes to have received ketamine (T, n), as `first_guess` has it."""
    law = parameters.infusion.cadss_at_end
    peaks = [negative_binomial(uniform[..., 2], law[arm]) for arm in ("active", "control")]
    cadss = np.clip(np.where(active, *peaks), 0, 92)
    sure = uniform[..., 0] >= parameters.guess.do_not_know
    return sure & (uniform[..., 1] < expit(parameters.guess.intercept + parameters.guess.per_cadss_point * cadss))


def _rescued(model: TrialModel, pain: FloatArray, uniform: FloatArray) -> BoolArray:
    """On which days rescue is used (T, n, D), by the pain of the week without it, as `use_rescue` has it."""
    law, used = model.parameters.rescue, np.zeros(pain.shape, dtype=bool)
    for week in range(uniform.shape[-1]):
        inside = (model.days > 7 * week) & (model.days <= 7 * week + 7)
        if inside.any():
            chance = expit(law.intercept + law.slope * pain[..., inside].mean(axis=-1))
            used[..., inside] = (uniform[..., week] < chance)[..., None]
    return used


def _diary(model: TrialModel, pain: FloatArray, luck: _Luck) -> FloatArray:
    """The average rating of every day it is asked (T, n, D), as `rate_days` has it."""
    law, nrs = model.parameters.diary, model.parameters.continuous["nrs"]
    rating = np.clip(np.rint(nrs.mean + nrs.slope * pain + law.noise * luck.noise[..., 0]), 0, 10)
    asked = np.array([int(day) in model.diary_days for day in model.days])
    rating[~asked | (luck.missing[..., 0] < model.parameters.missing.diary_day)] = np.nan
    return np.asarray(rating)


def _at_visits(model: TrialModel, latent: FloatArray, luck: _Luck) -> FloatArray:
    """The endpoint's value on the days of its visits (T, n, D)."""
    law, missed = model.law, model.parameters.missing
    value = law.mean + law.slope * latent + law.noise * luck.noise[..., 1]
    share = missed.qst_visit if model.endpoint.instrument == "qst" else missed.pro_visit
    visited = model.membership.any(axis=1)
    return np.where(visited & (luck.missing[..., 1] >= share), value, np.nan)


def _left(model: TrialModel, pain: FloatArray, diary: FloatArray, luck: _Luck, active: BoolArray) -> FloatArray:
    """The first day without data (T, n), infinite for those who stay, as `drop_out` has it."""
    left = np.full(active.shape, np.inf)
    severe = _severe(model.parameters, luck.severe, active)
    before = 0
    for place, day in enumerate(model.parameters.dropout.days):
        if day > model.days[-1]:
            break
        hazard = _hazard(model, _last_seen(model, diary, before), pain[..., model.days == day][..., 0], severe, active)
        goes = np.isinf(left) & (luck.leaving[..., place, 0] < hazard)
        when = before + 1 + np.floor(luck.leaving[..., place, 1] * (day - before))
        left = np.where(goes, when, left)
        before = day
    return left


def _hazard(
    model: TrialModel, seen: FloatArray, unseen: FloatArray, severe: BoolArray, active: BoolArray
) -> FloatArray:
    law = model.parameters.dropout
    if law.mechanism == "MCAR":
        return np.full(active.shape, law.mcar_hazard)
    logit = law.intercept + law.severe_event * severe
    if law.mechanism == "MAR":
        return np.asarray(expit(logit + law.observed_slope * seen))
    return np.asarray(expit(logit + law.unobserved_slope * unseen + law.active_offset * active))


def _last_seen(model: TrialModel, diary: FloatArray, day: int) -> FloatArray:
    """The last rating up to a day, on the scale of Z (T, n); 0 where there is none."""
    nrs, past = model.parameters.continuous["nrs"], diary[..., model.days <= day]
    known = np.isfinite(past)
    last = past.shape[-1] - 1 - np.argmax(known[..., ::-1], axis=-1)
    value = np.take_along_axis(past, last[..., None], axis=-1)[..., 0]
    return np.where(known.any(axis=-1), (value - nrs.mean) / nrs.slope, 0.0)


def _severe(parameters: Parameters, uniform: FloatArray, active: BoolArray) -> BoolArray:
    """Who has an adverse event of grade 3 (T, n)."""
    return uniform < np.where(active, *(_severe_share(parameters, arm == "active") for arm in ("active", "control")))


@lru_cache(maxsize=8)
def _severe_share_of(rates: tuple[float, ...], grade_3: float) -> float:
    return float(1 - np.prod([1 - rate * grade_3 for rate in rates]))


def _severe_share(parameters: Parameters, active: bool) -> float:
    rates = tuple(rate.active if active else rate.control for rate in parameters.adverse_events.values())
    return _severe_share_of(rates, parameters.safety.grades[2])


def _infusion_days(luck: _Luck, parameters: Parameters) -> IntArray:
    """Calendar days of the infusions (T, n) in their order: consents by a Poisson process, then the wait."""
    law = parameters.recruitment
    eligible_per_day = law.per_month * (1 - sum(law.screen_failure.values())) / _DAYS_PER_MONTH
    consent = np.cumsum(luck.waiting, axis=1) / eligible_per_day
    shortest, longest = law.consent_to_infusion_days
    days = consent + shortest + luck.people[..., 2] * (longest - shortest)
    return np.sort(np.floor(days).astype(np.intp), axis=1)
