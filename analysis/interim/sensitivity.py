"""The plan's sensitivity analyses: what the effect would be if the missing values were otherwise than at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.datasets import Trial
from analysis.interim.events import from_event_on
from analysis.interim.groups import Groups
from analysis.interim.model_data import ModelData, model_data
from analysis.interim.numbers import estimated, not_estimable
from analysis.statistics import imputation
from studies.protocol.analysis_plan import Contrast, Endpoint, Model
from studies.protocol.further_analyses import Sensitivity

_COLUMNS = {"response": "response", "subject": "subject", "visit": "visit", "arm": "arm"}


def sensitivity(trial: Trial, groups: Groups, *, final: bool) -> list[dict[str, Any]]:
    """Every sensitivity analysis of the plan, for the first contrast of its model, at the endpoint's time.

    Participants of the model's population whose covariates are known, also those without any value; the imputation
    model has no covariance by arm. Those of the final analysis say so at an interim look. The same plan and cut give
    the same imputations: each analysis has the seed that the plan states.
    """
    return [_analysed(trial, groups, each, final=final) for each in trial.plan.sensitivity]


def _analysed(trial: Trial, groups: Groups, rule: Sensitivity, *, final: bool) -> dict[str, Any]:
    model = trial.plan.model(rule.model)
    endpoint, contrast = trial.plan.endpoint(model.endpoint), model.contrasts[0]
    about = {
        **rule.model_dump(mode="json", include={"id", "label", "method", "strategy", "model", "imputations", "events"}),
        "endpoint": endpoint.id,
        "timepoint": endpoint.at,
        "better": endpoint.better,
        "active": contrast.active,
        "reference": contrast.reference,
    }
    if rule.looks == "final" and not final:
        return {**about, **not_estimable("The plan leaves this to the final analysis.")}
    return {**about, **estimated(lambda: _compute(trial, groups, rule, model, endpoint, contrast))}


def _compute(
    trial: Trial, groups: Groups, rule: Sensitivity, model: Model, endpoint: Endpoint, contrast: Contrast
) -> dict[str, Any]:
    data = model_data(trial, groups, model)
    data.require(contrast)
    frame = _frame(trial, data, rule, endpoint, contrast)
    at_time = frame[frame["visit"] == endpoint.at]
    imputed = {code: int(rows["response"].isna().sum()) for code, rows in at_time.groupby("arm", observed=True)}
    about = {"participants": frame["subject"].nunique(), "imputed": imputed}
    options = {
        **_COLUMNS,
        "reference": contrast.reference,
        "covariates": data.covariates,
        "covariates_by_visit": data.covariates_by_visit,
    }
    if rule.method == "tipping_point":
        return {**about, **_tipping(frame, rule, endpoint, contrast, options)}
    found = _imputed(frame, rule, options)
    return {**about, **_row(found, contrast.active, endpoint.at)}


def _frame(trial: Trial, data: ModelData, rule: Sensitivity, endpoint: Endpoint, contrast: Contrast) -> pd.DataFrame:
    """The model's rows, values from an event on set missing; only participants whose covariates are known."""
    frame = data.with_first(contrast.reference).dropna(subset=list(data.covariates))
    if rule.events:
        after = from_event_on(trial, endpoint, rule.events).set_axis(trial.people["identifier"], axis="index")
        long = after.stack()
        keys = pd.MultiIndex.from_arrays([frame["subject"], frame["visit"].astype(str)])
        frame["response"] = frame["response"].mask(long.reindex(keys).to_numpy(dtype=bool))
    return frame


def _imputed(frame: pd.DataFrame, rule: Sensitivity, options: dict[str, Any]) -> pd.DataFrame:
    if rule.imputations is None:
        return imputation.conditional_mean(frame, strategy=rule.strategy, **options)
    rng = np.random.default_rng(rule.seed)
    return imputation.multiple(frame, strategy=rule.strategy, imputations=rule.imputations, rng=rng, **options)


def _tipping(
    frame: pd.DataFrame, rule: Sensitivity, endpoint: Endpoint, contrast: Contrast, options: dict[str, Any]
) -> dict[str, Any]:
    """The effect at each delta, and the first at which its interval reaches no effect.

    A delta makes imputed values of the active arm worse: upwards where lower is better, else downwards.
    """
    sizes = rule.deltas.values() if rule.deltas else ()
    sign = 1.0 if endpoint.better == "lower" else -1.0
    rows = []
    for size, found in zip(sizes, _by_delta(frame, rule, [sign * size for size in sizes], options), strict=True):
        row = _row(found, contrast.active, endpoint.at)
        beyond = row["upper"] < 0 if endpoint.better == "lower" else row["lower"] > 0
        rows.append({"delta": sign * size, **row, "excludes_no_effect": bool(beyond)})
    tipped = next((row["delta"] for row in rows if not row["excludes_no_effect"]), None)
    return {"steps": rows, "tipping_delta": tipped}


def _by_delta(
    frame: pd.DataFrame, rule: Sensitivity, deltas: list[float], options: dict[str, Any]
) -> list[pd.DataFrame]:
    if rule.imputations is None:
        return [imputation.conditional_mean(frame, delta=delta, **options) for delta in deltas]
    rng = np.random.default_rng(rule.seed)
    found = imputation.tipping(frame, deltas=deltas, imputations=rule.imputations, rng=rng, **options)
    return [found[found["delta"] == delta] for delta in deltas]


def _row(found: pd.DataFrame, arm: str, visit: str) -> dict[str, Any]:
    chosen = found[(found["parameter"] == "trt") & (found["arm"] == arm) & (found["visit"] == visit)].iloc[0]
    return {name: float(chosen[name]) for name in ("estimate", "se", "lower", "upper")}
