"""The design's simulations: type-I error of the demo trial over its looks, and coverage of the MMRM's intervals.

The oracle is the truth that the data were drawn from. Every function takes its size, so that the suite runs a small
version; `SIMULATIONS` are those of `make validate`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import SeedSequence
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics import mmrm, simulation
from analysis.statistics.mmrm.many import ManyContrasts, fit_many, many_trials
from tests.validation.finding import Finding, near, reported

FloatArray = NDArray[np.float64]
KALM = Path(__file__).parents[2] / "studies" / "protocols" / "kalm-1.0.yaml"
TRIALS = 10_000
SEED = 20261124
# Four weekly visits: SD 2.1 as the sample size has it, correlation half constant, half fading over 20 days.
_DAYS = np.array([7.0, 14.0, 21.0, 28.0])
_SD, _EFFECT = 2.1, -0.8
_AT_ONCE = 50


def null_trials() -> list[Finding]:
    """10,000 trials of three looks without an effect."""
    return simulate_null(TRIALS, SEED)


def intervals() -> list[Finding]:
    """5,000 trials of 60 and of 200 participants."""
    return [finding for n in (60, 200) for finding in simulate_coverage(n, trials=5_000, seed=SEED + n)]


SIMULATIONS = (null_trials, intervals)


def simulate_null(trials: int, seed: int) -> list[Finding]:
    """Type-I error of KALM's primary analysis over its looks, and its parts look by look.

    From randomisation to the last look: diary, drop-out, weekly means, Kenward-Roger MMRM, z, bound at the information
    that came.
    """
    found = simulation.operating_characteristics(KALM, scenarios=["null_global"], trials=trials, seed=seed)
    null = found["null_global"]
    name = f"KALM, no effect, {trials:,} trials of 3 looks"
    asked = "Issue 6, done when 2: rejects at the nominal one-sided 2.5 %"
    findings = [
        near(
            f"{name}: share rejected",
            asked,
            estimate=null.rejected.estimate,
            monte_carlo_error=float(np.sqrt(0.025 * 0.975 / trials)),
            target=0.025,
        )
    ]
    for look in null.looks:
        findings.append(
            reported(
                f"{name}: share stopped at look {look.number}",
                "Issue 6, section 2: stopping probabilities",
                estimate=look.stops.estimate,
                monte_carlo_error=look.stops.se,
            )
        )
    return findings


def simulate_coverage(participants: int, *, trials: int, seed: int) -> list[Finding]:
    """Coverage of the MMRM's 95 % interval for the effect at the last visit, 20 % dropped out at random by then.

    Unstructured covariance; the true one is not of a simpler form. Whether a participant leaves depends on the last
    value seen, so that an analysis of those who stayed would be biased.
    """
    blocks = [_block(participants, SeedSequence(seed, spawn_key=(block,))) for block in range(trials // _AT_ONCE)]
    covered = {"Satterthwaite": np.concatenate([each[0] for each in blocks])}
    covered["Kenward-Roger"] = np.concatenate([each[1] for each in blocks])
    left = float(np.mean([each[2] for each in blocks]))
    error = float(np.sqrt(0.95 * 0.05 / len(covered["Satterthwaite"])))
    return [
        near(
            f"MMRM, n = {participants}, {100 * left:.0f} % dropped out, {len(inside):,} trials: coverage, {method}",
            "Issue 6, done when 2: covers 95 %",
            estimate=float(inside.mean()),
            monte_carlo_error=error,
            target=0.95,
        )
        for method, inside in covered.items()
    ]


def _block(participants: int, seed: SeedSequence) -> tuple[NDArray[np.bool_], NDArray[np.bool_], float]:
    """Whether each of _AT_ONCE trials covers the truth, by Satterthwaite and by Kenward and Roger; share that left."""
    rng = np.random.default_rng(seed)
    response, known = _trials(rng, participants)
    sums = many_trials(response, known, (0, 1, 2))
    contrast = np.zeros(sums.design.shape[-1])
    contrast[1] = contrast[known.shape[-1] + len(_DAYS) - 1 + len(_DAYS) - 2] = 1.0
    found = fit_many(sums, contrast)
    _fit_the_rest(found, response, known)
    half = stats.t.ppf(0.975, found.df)
    inside = [np.abs(found.estimate - _EFFECT) <= half * se for se in (found.se, found.se_kenward_roger)]
    return inside[0], inside[1], float(np.isnan(response[..., -1]).mean())


def _trials(rng: np.random.Generator, participants: int) -> tuple[FloatArray, FloatArray]:
    """Response (T, n, V) with drop-out, and what is known: 1, arm, baseline (T, n, 3)."""
    shape = (_AT_ONCE, participants)
    days = np.r_[0.0, _DAYS]
    latent = _SD**2 * (0.5 + 0.5 * np.exp(-np.abs(np.subtract.outer(days, days)) / 20))
    values = rng.multivariate_normal(np.zeros(5), latent, size=shape, method="cholesky")
    arm = rng.permuted(np.broadcast_to(np.arange(participants) % 2, shape), axis=1).astype(float)
    response = values[..., 1:] + arm[..., None] * _EFFECT * np.array([0.5, 0.8, 1.0, 1.0])
    for visit in range(1, len(_DAYS)):
        before = response[..., visit - 1]
        # Three chances of about 7 % make 20 %; the worse the pain, the greater.
        leaves = rng.random(shape) < 1 / (1 + np.exp(2.67 - 0.35 * before))
        response[leaves | np.isnan(before), visit:] = np.nan
    known = np.stack([np.ones(shape), arm, values[..., 0] / _SD], axis=-1)
    return response, known


def _fit_the_rest(found: ManyContrasts, response: FloatArray, known: FloatArray) -> None:
    """Trials that were left out of the joint fit, one by one."""
    for trial in np.flatnonzero(~found.converged):
        frame = _long(response[trial], known[trial])
        methods: tuple[tuple[Any, FloatArray], ...] = (
            ("satterthwaite", found.se),
            ("kenward_roger", found.se_kenward_roger),
        )
        for method, errors in methods:
            fit = mmrm.fit(
                frame, response="value", subject="subject", visit="visit", arm="arm", reference=0.0,
                covariates=("baseline",), covariates_by_visit=("baseline",), df=method,
            )  # fmt: skip
            row = fit.contrasts().iloc[-1]
            found.estimate[trial], errors[trial], found.df[trial] = row["estimate"], row["se"], row["df"]


def _long(response: FloatArray, known: FloatArray) -> pd.DataFrame:
    participants, visits = response.shape
    subject = np.repeat(np.arange(participants), visits)
    return pd.DataFrame(
        {
            "subject": subject,
            "visit": np.tile(np.arange(visits), participants),
            "value": response.ravel(),
            "arm": known[subject, 1],
            "baseline": known[subject, 2],
        }
    )
