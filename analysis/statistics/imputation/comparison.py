"""Imputed trials compared visit by visit: conditional means with a jackknife, or many draws with Rubin's rules."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from analysis.statistics.arguments import at_least, require_generator, require_level
from analysis.statistics.columns import column_names
from analysis.statistics.estimate import Estimate
from analysis.statistics.imputation.participants import Trial, trial_of
from analysis.statistics.imputation.pooling import pool
from analysis.statistics.imputation.strategies import FloatArray, Strategy
from analysis.statistics.mmrm.design import Columns
from analysis.statistics.mmrm.optimiser import ConvergenceError, Solution
from analysis.statistics.mmrm.patterns import Patterns, summarise, without

# A resampled trial whose model cannot be fitted is drawn again, so often at most.
_REDRAWS = 20


def conditional_mean(
    frame: pd.DataFrame,
    *,
    response: str,
    subject: str,
    visit: str,
    arm: str,
    reference: Any,
    covariates: Sequence[str] = (),
    covariates_by_visit: Sequence[str] = (),
    strategy: Strategy = "MAR",
    delta: float | None = None,
    covariance_by_arm: bool = False,
    event: str | None = None,
    covariance: str = "us",
    level: float = 0.95,
) -> pd.DataFrame:
    """Impute by conditional means, compare every visit, and take the error from leaving out one participant at a time.

    frame: one row per subject and visit; a visit without a row is missing. `event`: a column that is True from a
    subject's intercurrent event on; None: the event is at the first visit from which on nothing was observed.
    Under a strategy other than MAR, what was observed after the event is kept for the comparison but does not
    inform the imputation model. `delta`: added to values imputed after the event in arms other than the
    reference, in units of the response. Covariates: those of the mixed model and of the comparison.

    Returns parameter (trt: arm minus reference; lsm_ref, lsm_alt: adjusted means), visit, arm, estimate, se, lower,
    upper, normal intervals. No chance is involved. Raises ValueError naming the argument, ConvergenceError when
    the mixed model cannot be fitted. Reference: Wolbers et al. (2022), Pharm Stat 21:1246.
    """
    require_level(level)
    parts = Columns(
        response,
        subject,
        visit,
        arm,
        column_names("covariates", covariates),
        column_names("covariates_by_visit", covariates_by_visit),
    )
    trial = trial_of(frame, parts, reference, strategy, delta, event, by_arm=covariance_by_arm)
    whole = summarise(trial.modelled)
    fitted = trial.fit(whole, covariance)
    estimates = compared(trial.u, trial.completed(trial.parameters(fitted)), trial)
    left_out = np.stack([_without(trial, whole, fitted, place).ravel() for place in range(len(trial.u))])
    count = len(left_out)
    se = np.sqrt((count - 1) / count * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    width = float(ndtri((1 + level) / 2)) * se
    return comparison_rows(
        trial, [Estimate(e, s, e - w, e + w) for e, s, w in zip(estimates.ravel(), se, width, strict=True)]
    )


def multiple(
    frame: pd.DataFrame,
    *,
    response: str,
    subject: str,
    visit: str,
    arm: str,
    reference: Any,
    imputations: int,
    rng: np.random.Generator,
    covariates: Sequence[str] = (),
    covariates_by_visit: Sequence[str] = (),
    strategy: Strategy = "MAR",
    delta: float | None = None,
    covariance_by_arm: bool = False,
    event: str | None = None,
    covariance: str = "us",
    level: float = 0.95,
) -> pd.DataFrame:
    """Multiple imputation: as `conditional_mean`, with draws from the conditional distribution and Rubin's rules.

    The uncertainty of the imputation model comes from a fit to participants resampled within arms (approximate
    Bayesian bootstrap), one per imputation. `imputations` two or more; `rng` gives all chance there is. Same
    columns, intervals by Student's t on Barnard-Rubin degrees of freedom. References: Rubin (1987); Little &
    Rubin (2002), section 10.2; Barnard & Rubin (1999), Biometrika 86:948.
    """
    require_level(level)
    at_least("imputations", imputations, 2)
    require_generator(rng)
    parts = Columns(
        response,
        subject,
        visit,
        arm,
        column_names("covariates", covariates),
        column_names("covariates_by_visit", covariates_by_visit),
    )
    trial = trial_of(frame, parts, reference, strategy, delta, event, by_arm=covariance_by_arm)
    fitted = trial.fit(summarise(trial.modelled), covariance)
    estimates, variances = [], []
    for _ in range(imputations):
        y = trial.completed(trial.parameters(resampled(trial, fitted, rng)), rng)
        estimates.append(compared(trial.u, y, trial).ravel())
        variances.append(squared_errors(trial.u, y, trial).ravel())
    df = float(len(trial.u) - trial.u.shape[1])
    columns = zip(np.transpose(estimates), np.transpose(variances), strict=True)
    return comparison_rows(trial, [pool(e, v, complete_df=df, level=level) for e, v in columns])


def _without(trial: Trial, whole: Patterns, fitted: Solution, place: int) -> FloatArray:
    """The estimates of the trial less one participant."""
    solution = trial.refit(without(whole, trial.modelled.take(np.array([place]))), fitted)
    others = np.arange(len(trial.u)) != place
    return compared(trial.u[others], trial.completed(trial.parameters(solution))[others], trial)


def resampled(trial: Trial, near: Solution, rng: np.random.Generator) -> Solution:
    """The imputation model of participants drawn with replacement within each arm."""
    for _ in range(_REDRAWS):
        arms = [np.flatnonzero(trial.arm == arm) for arm in range(len(trial.design.arms))]
        rows = np.concatenate([rng.choice(own, own.size) for own in arms])
        try:
            return trial.refit(summarise(trial.modelled.take(rows)), near)
        except (ConvergenceError, np.linalg.LinAlgError):
            continue
    raise ConvergenceError(
        f"{_REDRAWS} resampled trials in a row could not be fitted. Choose a covariance with fewer parameters, or "
        "leave out a covariate that is rare."
    )


def _combinations(u: FloatArray, trial: Trial) -> FloatArray:
    """Rows of the comparison (2 A - 1, k): each arm minus the reference, then each arm's mean."""
    numeric, fixed = trial.point
    mean = np.where(numeric, u.mean(axis=0), fixed)
    mean[0] = 1.0
    arms = len(trial.design.arms)
    differences = np.eye(u.shape[1])[1:arms]
    return np.concatenate([differences, mean[None], mean + differences])


def compared(u: FloatArray, y: FloatArray, trial: Trial) -> FloatArray:
    """Least squares at every visit: the combinations (2 A - 1, V)."""
    return np.asarray(_combinations(u, trial) @ np.linalg.lstsq(u, y, rcond=None)[0])


def squared_errors(u: FloatArray, y: FloatArray, trial: Trial) -> FloatArray:
    """Squared standard errors of the combinations (2 A - 1, V)."""
    residual = y - u @ np.linalg.lstsq(u, y, rcond=None)[0]
    rows = _combinations(u, trial)
    spread = np.einsum("rk,kl,rl->r", rows, np.linalg.pinv(u.T @ u), rows)
    return np.outer(spread, (residual**2).sum(axis=0) / (len(u) - u.shape[1]))


def comparison_rows(trial: Trial, found: list[Estimate]) -> pd.DataFrame:
    arms, visits = trial.design.arms, trial.design.visits
    about = [("trt", arm) for arm in arms[1:]] + [("lsm_ref", arms[0])] + [("lsm_alt", arm) for arm in arms[1:]]
    names = [(parameter, visit, arm) for parameter, arm in about for visit in visits]
    return pd.DataFrame(
        [(*name, each.estimate, each.se, each.lower, each.upper) for name, each in zip(names, found, strict=True)],
        columns=["parameter", "visit", "arm", "estimate", "se", "lower", "upper"],
    )
