"""The continuous mode: outcomes without rounding, clipping or missing data, for checking estimators.

Here the latent truth of a scenario holds exactly, so a right estimator must find it.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .draws import FloatArray, expit, negative_binomial
from .latent import (
    anchor_values,
    belief_effect,
    drug_effect,
    person_values,
    placebo_effect,
    response_factor,
    site_effects,
)
from .parameters import DIMENSIONS, Arm, Parameters
from .people import draw_person
from .records import GuessValue
from .streams import stream


def continuous_trial(seed: int, arms: Sequence[Arm], parameters: Parameters) -> pd.DataFrame:
    """A trial without missing data, one row per participant and anchor day.

    arms: the arm of participant 0, 1, 2, ...; the allocation is the caller's. Columns: participant,
    site (from 0), stratum, arm, day, the latent S, A, M, Q, the outcomes of `continuous` in
    `defaults.yaml` (nrs 0-10 and so on, none of them rounded), cadss_at_end and guess
    ("active", "control", "unknown").
    """
    sites = len(parameters.people.site_shares)
    people = [draw_person(seed, index, parameters, sites=sites) for index in range(len(arms))]
    cadss, guess = _dissociation_and_guess(seed, arms, parameters)
    z = _latent(seed, [person.site for person in people], arms, guess, parameters)
    days = parameters.latent.anchor_days
    columns: dict[str, object] = {
        "participant": np.repeat(np.arange(len(arms)), len(days)),
        "site": np.repeat([person.site for person in people], len(days)),
        "stratum": np.repeat([person.stratum for person in people], len(days)),
        "arm": np.repeat(list(arms), len(days)),
        "day": np.tile(days, len(arms)),
        **{d: z[:, :, k].ravel() for k, d in enumerate(DIMENSIONS)},
        **_outcomes(seed, z, parameters),
        "cadss_at_end": np.repeat(cadss, len(days)),
        "guess": np.repeat(guess, len(days)),
    }
    return pd.DataFrame(columns)


def _latent(seed: int, sites: list[int], arms: Sequence[Arm], guess: list[str], parameters: Parameters) -> FloatArray:
    """Z, shape (participants, anchor days, 4)."""
    law = parameters.latent
    days = np.array(law.anchor_days, float)
    after = (days > 0).astype(float)[:, None]
    shared, moved = np.sqrt(law.person_share), np.sqrt(1 - law.person_share)
    placebo, drug = placebo_effect(days, law), drug_effect(days, law)
    z = np.empty((len(arms), len(days), len(DIMENSIONS)))
    effects = {site: site_effects(seed, site, law) for site in set(sites)}
    for i, (site, arm) in enumerate(zip(sites, arms, strict=True)):
        level, site_treatment = effects[site]
        z[i] = shared * person_values(seed, i, law) + moved * anchor_values(seed, i, law) + level - placebo
        if arm == "active":
            z[i] -= drug * response_factor(seed, i, law) + after * site_treatment
        if guess[i] == "active":
            z[i] -= after * belief_effect(law)
    return z


def _outcomes(seed: int, z: FloatArray, parameters: Parameters) -> dict[str, FloatArray]:
    laws = parameters.continuous
    shape = (len(laws), z.shape[1])
    noise = np.array([stream(seed, "continuous", i).standard_normal(shape) for i in range(len(z))])
    return {
        name: (law.mean + law.slope * z[:, :, DIMENSIONS.index(law.dimension)] + law.noise * noise[:, k]).ravel()
        for k, (name, law) in enumerate(laws.items())
    }


def _dissociation_and_guess(seed: int, arms: Sequence[Arm], parameters: Parameters) -> tuple[FloatArray, list[str]]:
    """CADSS at the infusion's end and the participant's guess, as on the infusion day of the full trial."""
    peaks = np.array([stream(seed, "infusion", i).random() for i in range(len(arms))])
    active = np.array([arm == "active" for arm in arms])
    law = parameters.infusion.cadss_at_end
    drawn = np.where(active, negative_binomial(peaks, law["active"]), negative_binomial(peaks, law["control"]))
    cadss = np.clip(drawn, 0, 92)
    u = np.array([stream(seed, "guess", i).random(2) for i in range(len(arms))]).reshape(-1, 2)
    return cadss, [first_guess(x[0], x[1], c, parameters) for x, c in zip(u, cadss, strict=True)]


def first_guess(unsure: float, belief: float, cadss: float, parameters: Parameters) -> GuessValue:
    """A guess from two uniform numbers: a fifth do not know, the others follow their dissociation."""
    law = parameters.guess
    if unsure < law.do_not_know:
        return "unknown"
    return "active" if belief < expit(law.intercept + law.per_cadss_point * cadss) else "control"
