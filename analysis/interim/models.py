"""The plan's models on the cut: MMRM, ANCOVA or a difference of means, with every contrast of the plan."""

from __future__ import annotations

from typing import Any

import pandas as pd
from scipy import stats

from analysis.datasets import Trial
from analysis.interim.groups import Groups
from analysis.interim.model_data import ModelData, model_data
from analysis.interim.numbers import estimated
from analysis.statistics import ancova, mmrm
from studies.protocol.analysis_plan import Contrast, Endpoint, Model


def fitted(trial: Trial, groups: Groups, model: Model) -> dict[str, Any]:
    """One model of the plan: what was fitted, adjusted means, and the effect of each contrast at the endpoint's time.

    Every effect has the one-sided p in the direction that the endpoint calls better, and the z it corresponds to.
    A model that the data do not allow says under "why" what is in its way.
    """
    endpoint = trial.plan.endpoint(model.endpoint)
    about = {
        "id": model.id,
        "method": model.method,
        "primary": model.primary,
        "endpoint": endpoint.id,
        "label": endpoint.label,
        "better": endpoint.better,
        "minimal_important_difference": endpoint.minimal_important_difference,
        "population": model.population,
        "effect": model.effect,
        "at": endpoint.at,
    }
    fit = _repeated if model.method == "mmrm" else _single
    return {**about, **estimated(lambda: fit(model_data(trial, groups, model), model, endpoint))}


def one_sided(statistic: float, df: float | None, better: str) -> tuple[float, float]:
    """p in the direction of benefit, and z = Phi^-1(1 - p)."""
    toward = -statistic if better == "lower" else statistic
    p = float(stats.norm.sf(toward) if df is None else stats.t.sf(toward, df))
    return p, float(stats.norm.isf(p))


def _repeated(data: ModelData, model: Model, endpoint: Endpoint) -> dict[str, Any]:
    """One fit for each reference arm: the same model, its contrasts read off directly."""
    fits: dict[str, mmrm.Fit] = {}
    effects = []
    for contrast in model.contrasts:
        data.require(contrast)
        if contrast.reference not in fits:
            fits[contrast.reference] = _fit_mmrm(data, model, contrast.reference)
        row = _mmrm_row(fits[contrast.reference], model, endpoint, contrast)
        effects.append(_effect(row, contrast, endpoint))
    first = fits[model.contrasts[0].reference]
    return {
        **data.facts(),
        "df_method": model.df,
        "covariance_structure": first.covariance_structure,
        "covariance_planned": model.covariance,
        "not_converged": [{"covariance": name, "why": why} for name, why in first.not_converged],
        "covariance": _matrix(first),
        "log_likelihood": first.log_likelihood,
        "observations": first.observations,
        "subjects": first.subjects,
        "effects": effects,
        "by_timepoint": [_named(row) for row in _records(first.contrasts())],
        "ls_means": _records(first.ls_means()),
        "fits": [{"reference": code, "coefficients": _records(fit.coefficients)} for code, fit in fits.items()],
    }


def _matrix(fit: mmrm.Fit) -> dict[str, Any]:
    if isinstance(fit.covariance, dict):
        raise TypeError("The plan's models have one covariance for all arms.")
    return {"visits": list(fit.covariance.index), "rows": fit.covariance.to_numpy()}


def _fit_mmrm(data: ModelData, model: Model, reference: str) -> mmrm.Fit:
    return mmrm.fit_first_converging(
        data.with_first(reference),
        covariances=(model.covariance or "us", *model.if_not_converged),
        response="response",
        subject="subject",
        visit="visit",
        arm="arm",
        reference=reference,
        covariates=data.covariates,
        covariates_by_visit=data.covariates_by_visit,
        df=model.df or "satterthwaite",
    )


def _mmrm_row(fit: mmrm.Fit, model: Model, endpoint: Endpoint, contrast: Contrast) -> dict[str, Any]:
    """The contrast at the endpoint's time; for a difference in change, the arm's interaction with that visit."""
    if model.effect == "difference_in_change":
        rows = _records(fit.coefficients)
        wanted = f"arm[{contrast.active}]:visit[{endpoint.at}]"
        chosen = [row for row in rows if row["term"] == wanted]
    else:
        rows = _records(fit.contrasts())
        chosen = [row for row in rows if row["arm"] == contrast.active and row["visit"] == endpoint.at]
    if not chosen:
        raise ValueError(f"The model has no contrast of {contrast.active} at {endpoint.at}.")
    return chosen[0]


def _single(data: ModelData, model: Model, endpoint: Endpoint) -> dict[str, Any]:
    """Least squares at the endpoint's time; without covariates a difference of means."""
    frame = data.frame[data.frame["visit"] == endpoint.at]
    for contrast in model.contrasts:
        data.require(contrast)
    effects, fits = [], []
    means: list[dict[str, Any]] = []
    for reference in dict.fromkeys(contrast.reference for contrast in model.contrasts):
        fit = ancova.fit(
            data.with_first(reference).loc[frame.index],
            response="response",
            arm="arm",
            reference=reference,
            covariates=data.covariates,
        )
        rows = {row["arm"]: row for row in _records(fit.contrasts())}
        for contrast in model.contrasts:
            if contrast.reference == reference:
                effects.append(_effect(rows[contrast.active], contrast, endpoint))
        means = means or [{"visit": endpoint.at, **row} for row in _records(fit.ls_means())]
        fits.append({"reference": reference, "coefficients": _records(fit.coefficients)})
    used = frame.dropna()
    return {
        **data.facts(),
        "observations": len(used),
        "subjects": used["subject"].nunique(),
        "residual_sd": fit.residual_sd,
        "effects": effects,
        "ls_means": means,
        "fits": fits,
    }


def _effect(row: dict[str, Any], contrast: Contrast, endpoint: Endpoint) -> dict[str, Any]:
    row = _named(row)
    p, z = one_sided(row["statistic"], row["df"], endpoint.better)
    return {
        "active": contrast.active,
        "reference": contrast.reference,
        "timepoint": endpoint.at,
        **{name: row[name] for name in ("estimate", "se", "df", "statistic", "p", "lower", "upper")},
        "one_sided_p": p,
        "z": z,
    }


def _named(row: dict[str, Any]) -> dict[str, Any]:
    """A table calls the statistic t; a result calls it statistic everywhere."""
    return {("statistic" if name == "t" else name): value for name, value in row.items()}


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(frame.columns, values, strict=True)) for values in frame.itertuples(index=False, name=None)]
