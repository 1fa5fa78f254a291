"""The primary model of simulated trials at a look: the same estimate, degrees of freedom and z as a look's.

With an unstructured covariance all trials are fitted together (`mmrm.many`); trials which that leaves out, and other
models, are fitted one by one with the functions that a look calls, fallbacks included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics import ancova, mmrm
from analysis.statistics.mmrm.many import ManyTrials, fit_many, many_trials
from analysis.statistics.simulation.trial_model import STRATA, TrialModel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
# Seven visits have 127 patterns: beyond, one trial at a time is no slower.
_MOST_VISITS = 7


@dataclass(frozen=True)
class Values:
    """What a look sees of T trials of n participants.

    baseline (T, n) and values (T, n, V), nan where missing; arm, site, stratum (T, n): places in the model's lists.
    """

    baseline: FloatArray
    values: FloatArray
    arm: IntArray
    site: IntArray
    stratum: IntArray


@dataclass(frozen=True)
class Effects:
    """The primary contrast of each trial, (T,): estimate, standard error, and z, positive towards benefit. nan where
    no model could be fitted.
    """

    estimate: FloatArray
    se: FloatArray
    z: FloatArray


def effects(model: TrialModel, seen: Values) -> Effects:
    """The primary contrast of every trial."""
    response = seen.values - seen.baseline[..., None] if model.takes_change else seen.values.copy()
    if "baseline" in model.covariates:
        response[np.isnan(seen.baseline)] = np.nan
    found = np.full((3, len(response)), np.nan)
    if _goes_together(model):
        found = _together(model, response, seen)
    for trial in np.flatnonzero(np.isnan(found[0])):
        found[:, trial] = _alone(model, response[trial], seen, int(trial))
    estimate, se, df = found
    return Effects(estimate, se, z_towards_benefit(estimate / se, df, better=model.endpoint.better))


def z_towards_benefit(statistic: FloatArray, df: FloatArray, *, better: str) -> FloatArray:
    """z = Phi^-1(1 - one-sided p of t on df), in the direction that the endpoint calls better."""
    toward = -statistic if better == "lower" else statistic
    return np.asarray(stats.norm.isf(stats.t.sf(toward, df)))


def _goes_together(model: TrialModel) -> bool:
    return (
        model.model.method == "mmrm"
        and model.model.covariance == "us"
        and 2 <= len(model.windows) - 1 <= _MOST_VISITS
        and model.contrast.reference == model.arms[0]
    )


def _together(model: TrialModel, response: FloatArray, seen: Values) -> FloatArray:
    """estimate, se, df of trials fitted together: (3, T), nan for those left to be fitted alone."""
    known, by_visit = _known(model, seen)
    trials = many_trials(response, known, by_visit)
    found = fit_many(trials, _contrast(model, trials, by_visit))
    se = found.se_kenward_roger if model.model.df == "kenward_roger" else found.se
    df = found.df
    if model.model.df == "residual":
        df = trials.count @ trials.observed.sum(axis=1) - trials.design.shape[-1]
    return np.where(found.converged, np.stack([found.estimate, se, df]), np.nan)


def _known(model: TrialModel, seen: Values) -> tuple[FloatArray, tuple[int, ...]]:
    """What is known of each participant (T, n, k): 1, arms, covariates; and which of it has a term per visit."""
    columns = [np.ones((*seen.arm.shape, 1)), _indicators(seen.arm, len(model.arms))]
    by_visit = list(range(len(model.arms)))
    width = len(model.arms)
    for name in model.covariates:
        column = _covariate(model, seen, name)
        if name in model.covariates_by_visit:
            by_visit += range(width, width + column.shape[-1])
        width += column.shape[-1]
        columns.append(column)
    return np.concatenate(columns, axis=-1), tuple(by_visit)


def _covariate(model: TrialModel, seen: Values, name: str) -> FloatArray:
    if name == "baseline":
        known = np.isfinite(seen.baseline)
        mean, sd = np.nanmean(seen.baseline, axis=1), np.nanstd(seen.baseline, axis=1)
        spread = np.where(sd > 0, sd, 1.0)
        return np.asarray(np.where(known, (seen.baseline - mean[:, None]) / spread[:, None], 0.0)[..., None])
    if name == "site":
        return _indicators(seen.site, len(model.sites))
    return _indicators(seen.stratum, len(STRATA))


def _indicators(place: IntArray, count: int) -> FloatArray:
    """One column per level but the first."""
    return np.asarray(place[..., None] == np.arange(1, count), dtype=float)


def _contrast(model: TrialModel, trials: ManyTrials, by_visit: tuple[int, ...]) -> FloatArray:
    """The primary contrast as a combination of the terms."""
    visits, known, terms = trials.design.shape
    arm = model.arms.index(model.contrast.active)
    contrast = np.zeros(terms)
    if model.model.effect == "difference":
        contrast[arm] = 1.0
    if model.judged:
        contrast[known + by_visit.index(arm) * (visits - 1) + model.judged - 1] = 1.0
    return contrast


def _alone(model: TrialModel, response: FloatArray, seen: Values, trial: int) -> tuple[float, float, float]:
    """estimate, se, df of one trial; nan where it cannot be estimated."""
    try:
        return (
            _mmrm(model, response, seen, trial)
            if model.model.method == "mmrm"
            else _ancova(model, response, seen, trial)
        )
    except (ValueError, ArithmeticError):
        # What the interim's models call not estimable.
        return (np.nan, np.nan, np.nan)


def _frame(model: TrialModel, response: FloatArray, seen: Values, trial: int) -> tuple[pd.DataFrame, list[str]]:
    """Long rows as a look has them, and the covariates that differ between them."""
    participants, visits = response.shape
    subject = np.repeat(np.arange(participants), visits)
    columns: dict[str, Any] = {
        "subject": subject,
        "visit": pd.Categorical(np.tile(np.arange(visits), participants), range(visits), ordered=True),
        "response": response.ravel(),
        "arm": pd.Categorical(np.array(model.arms)[seen.arm[trial]][subject], model.arms, ordered=True),
    }
    values = {"baseline": seen.baseline[trial], "site": np.array(model.sites)[seen.site[trial]]}
    stratum = np.array(STRATA)[seen.stratum[trial]]
    columns |= {name: values.get(name, stratum)[subject] for name in model.covariates}
    complete = pd.DataFrame(columns).dropna()
    kept = [name for name in model.covariates if complete[name].nunique() > 1]
    return complete[["subject", "visit", "response", "arm", *kept]], kept


def _mmrm(model: TrialModel, response: FloatArray, seen: Values, trial: int) -> tuple[float, float, float]:
    frame, covariates = _frame(model, response, seen, trial)
    plan = model.model
    fit = mmrm.fit_first_converging(
        frame,
        covariances=(plan.covariance or "us", *plan.if_not_converged),
        response="response",
        subject="subject",
        visit="visit",
        arm="arm",
        reference=model.contrast.reference,
        covariates=covariates,
        covariates_by_visit=[name for name in model.covariates_by_visit if name in covariates],
        df=plan.df or "satterthwaite",
    )
    if plan.effect == "difference_in_change":
        table = fit.coefficients
        return _row(table[table["term"] == f"arm[{model.contrast.active}]:visit[{model.judged}]"])
    table = fit.contrasts()
    return _row(table[(table["arm"] == model.contrast.active) & (table["visit"] == model.judged)])


def _ancova(model: TrialModel, response: FloatArray, seen: Values, trial: int) -> tuple[float, float, float]:
    frame, covariates = _frame(model, response[:, [model.judged]], seen, trial)
    fit = ancova.fit(frame, response="response", arm="arm", reference=model.contrast.reference, covariates=covariates)
    table = fit.contrasts()
    return _row(table[table["arm"] == model.contrast.active])


def _row(found: pd.DataFrame) -> tuple[float, float, float]:
    """The only row's estimate, se and df."""
    ((estimate, se, df),) = found[["estimate", "se", "df"]].to_numpy(dtype=float)
    return float(estimate), float(se), float(df)
