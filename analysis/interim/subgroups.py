"""The primary effect in each level of the plan's factors: what a forest plot shows, with a test of difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.datasets import Trial
from analysis.interim.groups import Groups
from analysis.interim.model_data import model_data
from analysis.interim.numbers import estimated, fields, not_estimable
from analysis.statistics import ancova
from analysis.statistics.estimate import Estimate
from studies.protocol.analysis_plan import Contrast, Endpoint, Model

_SEXES = {"F": "Female", "M": "Male"}
_Z = float(stats.norm.isf(0.025))


def subgroups(trial: Trial, groups: Groups) -> dict[str, Any]:
    """In each level: an ANCOVA at the endpoint's time, change adjusted for baseline, the first contrast of the model.

    Every level has a model of its own, so that its interval rests on its own participants. Whether levels differ is
    tested by Cochran's Q (Cochran 1954, Biometrics 10:101); `shrunken` draws each level towards the mean of all, as
    far as they are alike (empirical Bayes with the variance of DerSimonian & Laird 1986, Control Clin Trials 7:177).
    There is no p of a level by itself: it would be read as a finding.
    """
    rule = trial.plan.subgroups
    if rule is None:
        return not_estimable("The plan has no subgroups.")
    model = trial.plan.model(rule.model)
    endpoint = trial.plan.endpoint(model.endpoint)
    contrast = model.contrasts[0]
    about = {
        "model": model.id,
        "endpoint": endpoint.id,
        "label": endpoint.label,
        "at": endpoint.at,
        "better": endpoint.better,
        "minimal_important_difference": endpoint.minimal_important_difference,
        "active": contrast.active,
        "reference": contrast.reference,
    }

    def compute() -> dict[str, Any]:
        frame = _frame(trial, groups, model, endpoint)
        return {
            "overall": _effect(frame, contrast, groups),
            "factors": [_factor(trial, frame, factor, contrast, groups) for factor in rule.factors],
        }

    return {**about, **estimated(compute)}


def _frame(trial: Trial, groups: Groups, model: Model, endpoint: Endpoint) -> pd.DataFrame:
    """subject, arm, response, baseline (where the model has it) and every factor, one row a participant."""
    single = model.model_copy(
        update={"timepoints": (endpoint.at,), "covariates": tuple(c for c in model.covariates if c == "baseline")}
    )
    rows = model_data(
        trial, groups, single.model_copy(update={"covariates_by_visit": (), "effect": "difference"})
    ).frame
    people = trial.people.set_index("identifier")
    factors = trial.strata.set_axis(trial.people["identifier"])
    factors = factors.assign(site=people["site"], sex=people["sex"])
    return rows.join(factors, on="subject").dropna(subset=["response"])


def _factor(trial: Trial, frame: pd.DataFrame, factor: str, contrast: Contrast, groups: Groups) -> dict[str, Any]:
    labels = _labels(trial, factor)
    if factor not in frame.columns:
        why = not_estimable("Nobody in the cut has this factor.")
        return {"factor": factor, "label": _title(trial, factor), "levels": [], "interaction": why}
    order = [*labels, *sorted(set(frame[factor].dropna()) - set(labels))]
    levels = [
        {"level": level, "label": labels.get(level, level), **_effect(frame[frame[factor] == level], contrast, groups)}
        for level in order
    ]
    known = [level for level in levels if level["estimable"]]
    together = estimated(lambda: _heterogeneity(known))
    for level, drawn in zip(known, together.pop("shrunken", [None] * len(known)), strict=True):
        level["shrunken"] = drawn
    return {"factor": factor, "label": _title(trial, factor), "levels": levels, "interaction": together}


def _effect(frame: pd.DataFrame, contrast: Contrast, groups: Groups) -> dict[str, Any]:
    """n of every arm, and the difference active minus reference."""
    n = {"n": {code: int((frame["arm"] == code).sum()) for code in groups.labels}}

    def compute() -> dict[str, Any]:
        compared = frame[frame["arm"].isin([contrast.active, contrast.reference])]
        for code in (contrast.active, contrast.reference):
            if (compared["arm"] == code).sum() < 2:
                raise ValueError(f"Fewer than two participants of {code} are in this level.")
        covariates = [name for name in ("baseline",) if name in compared and compared[name].nunique() > 1]
        fit = ancova.fit(
            compared.astype({"arm": str}),
            response="response",
            arm="arm",
            reference=contrast.reference,
            covariates=covariates,
        )
        row = fit.contrasts().iloc[0]
        if not row["se"] > 0:
            raise ValueError("Everybody in this level has the same value: an interval has no meaning.")
        return {name: row[name] for name in ("estimate", "se", "df", "lower", "upper")}

    return {**n, **estimated(compute)}


def _heterogeneity(levels: list[dict[str, Any]]) -> dict[str, Any]:
    """Cochran's Q over the levels, and each level drawn towards their mean."""
    if len(levels) < 2:
        raise ValueError("Fewer than two levels have an effect to compare.")
    effect = np.array([level["estimate"] for level in levels])
    variance = np.array([level["se"] for level in levels]) ** 2
    weight = 1 / variance
    centre = float(weight @ effect / weight.sum())
    q = float(weight @ (effect - centre) ** 2)
    df = len(levels) - 1
    between = max(0.0, (q - df) / float(weight.sum() - (weight**2).sum() / weight.sum()))
    return {
        "chi_square": q,
        "df": df,
        "p": float(stats.chi2.sf(q, df)),
        "between_variance": between,
        "shrunken": [fields(_drawn(*each, between, effect, variance)) for each in zip(effect, variance, strict=True)],
    }


def _drawn(effect: float, variance: float, between: float, effects: Any, variances: Any) -> Estimate:
    """The posterior of one level's effect, given the variance between levels and their weighted mean."""
    weight = 1 / (variances + between)
    centre, of_centre = float(weight @ effects / weight.sum()), float(1 / weight.sum())
    own = between / (between + variance)
    se = float(np.sqrt(own * variance + (1 - own) ** 2 * of_centre))
    value = own * effect + (1 - own) * centre
    return Estimate(value, se, value - _Z * se, value + _Z * se)


def _labels(trial: Trial, factor: str) -> dict[str, str]:
    if factor == "sex":
        return _SEXES
    if trial.protocol is None:
        return {}
    if factor == "site":
        return {site.code: site.name for site in trial.protocol.sites}
    found = (each for each in trial.protocol.strata.factors if each.key == factor)
    return next(({level.code: level.label or level.code for level in each.levels} for each in found), {})


def _title(trial: Trial, factor: str) -> str:
    known = {"sex": "Sex", "site": "Site"}
    for each in trial.protocol.strata.factors if trial.protocol else ():
        known[each.key] = each.label
    return known.get(factor, factor.replace("_", " ").capitalize())
