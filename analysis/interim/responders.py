"""Responders at the endpoint's time, with missing values counted as the plan says, and the arms compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.datasets import Trial
from analysis.interim.events import had_any
from analysis.interim.groups import Groups
from analysis.interim.numbers import estimated, fields, not_estimable, share
from analysis.statistics import ancova, proportions
from studies.protocol.analysis_plan import Contrast, Endpoint, Responders


def responders(trial: Trial, groups: Groups) -> dict[str, Any]:
    """For each definition of response in the plan: responders by arm, risk differences, numbers needed to treat.

    Missing at the endpoint's time, or at baseline where response is a percentage, counts as no response.
    Miettinen-Nurminen intervals. Those who had an intercurrent event that the plan names are non-responders,
    whatever their values (composite strategy).
    """
    rule = trial.plan.responders
    if rule is None:
        return not_estimable("The plan has no responder analysis.")
    endpoint = trial.plan.endpoint(rule.endpoint)
    population, contrasts = _population(trial, endpoint), _contrasts(trial, endpoint)
    chosen = groups.within(trial.population(population))
    had = had_any(trial, rule.non_responder_after)
    rows = []
    for label, better in _definitions(trial, rule, endpoint):
        response = better & ~had
        rows.append(
            {
                "definition": label,
                "cells": [share(int(response.reindex(ids).sum()), len(ids)) for _, ids in chosen],
                "contrasts": [_compared(response, chosen, contrast) for contrast in contrasts],
            }
        )
    return {
        "estimable": True,
        "endpoint": endpoint.id,
        "at": endpoint.at,
        "population": population,
        "missing_counts_as": rule.missing,
        "non_responder_after": list(rule.non_responder_after),
        "after_event": [share(int(had.reindex(ids).sum()), len(ids)) for _, ids in chosen],
        "groups": chosen.head(),
        "missing": [
            {"missing": int(trial.values(endpoint).loc[ids, endpoint.at].isna().sum()), "n": len(ids)}
            for _, ids in chosen
        ],
        "rows": rows,
        "curve": _cumulative_curve(trial, rule, endpoint, chosen),
    }


def improvement_percent(trial: Trial, endpoint: Endpoint) -> pd.DataFrame:
    """Per cent better than baseline at each timepoint; NaN where either is missing or the baseline is 0."""
    values = trial.values(endpoint)
    start = values[endpoint.baseline.code]
    gain = values.rsub(start, axis=0) if endpoint.better == "lower" else values.sub(start, axis=0)
    return 100 * gain.div(start.where(start != 0), axis=0)


def effect_sizes(trial: Trial, groups: Groups) -> list[dict[str, Any]]:
    """Standardised differences of the primary endpoint, at its time and in change, for each contrast."""
    endpoint = trial.plan.primary_endpoint
    values = trial.values(endpoint)
    measures = {"post": values[endpoint.at], "change": values[endpoint.at] - values[endpoint.baseline.code]}
    members = dict(groups)
    rows = []
    for contrast in trial.plan.primary_model.contrasts:
        for measure, numbers in measures.items():
            x, y = (
                numbers.reindex(members.get(code, [])).dropna().to_numpy()
                for code in (contrast.active, contrast.reference)
            )
            about = {"active": contrast.active, "reference": contrast.reference, "measure": measure}
            rows.append({**about, "n_active": len(x), "n_reference": len(y), **_standardised(x, y)})
    return rows


def _standardised(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> dict[str, Any]:
    def compute() -> dict[str, Any]:
        if min(len(x), len(y)) < 2:
            raise ValueError("A standardised difference needs two values in each arm.")
        found = ancova.standardised_difference(x, y)
        return {"cohen_d": fields(found.cohen_d), "hedges_g": fields(found.hedges_g)}

    return estimated(compute)


def _definitions(trial: Trial, rule: Responders, endpoint: Endpoint) -> list[tuple[str, pd.Series[bool]]]:
    better = improvement_percent(trial, endpoint)[endpoint.at]
    found = [
        (f"At least {percent:g} % better", better >= percent - rule.tolerance) for percent in rule.thresholds_percent
    ]
    if rule.level_at_most is not None:
        level = trial.values(endpoint)[endpoint.at]
        found.append((f"At most {rule.level_at_most:g}", level <= rule.level_at_most + rule.tolerance))
    return found


def _population(trial: Trial, endpoint: Endpoint) -> str:
    models = [m for m in trial.plan.models if m.endpoint == endpoint.id]
    chosen = [m for m in models if m.method == "difference_of_proportions"] or models or [trial.plan.primary_model]
    return chosen[0].population


def _contrasts(trial: Trial, endpoint: Endpoint) -> tuple[Contrast, ...]:
    models = [m for m in trial.plan.models if m.endpoint == endpoint.id]
    chosen = [m for m in models if m.method == "difference_of_proportions"] or models or [trial.plan.primary_model]
    return chosen[0].contrasts


def _compared(response: pd.Series[bool], groups: Groups, contrast: Contrast) -> dict[str, Any]:
    members = dict(groups)
    active, reference = (members.get(code, pd.Index([])) for code in (contrast.active, contrast.reference))
    x1, x0 = int(response.reindex(active).sum()), int(response.reindex(reference).sum())
    about = {"active": contrast.active, "reference": contrast.reference}

    def compute() -> dict[str, Any]:
        if not len(active) or not len(reference):
            raise ValueError("One of the two arms has no participants.")
        counts = (x1, len(active), x0, len(reference))
        difference = proportions.risk_difference(*counts, method="miettinen_nurminen")
        tests = proportions.test(*counts)
        return {
            "risk_difference": fields(difference),
            "fisher_p": tests.fisher_p,
            "number_needed_to_treat": _number_needed(counts),
        }

    return {**about, **estimated(compute)}


def _number_needed(counts: tuple[int, int, int, int]) -> dict[str, Any]:
    """Given only when the interval of the difference excludes none at all (DOMAIN 5.4)."""

    def compute() -> dict[str, Any]:
        needed = proportions.number_needed_to_treat(*counts)
        if needed.disjoint:
            raise ValueError("The interval of the difference includes 0.")
        return {"estimate": needed.estimate, "lower": needed.lower, "upper": needed.upper}

    return estimated(compute)


def _cumulative_curve(trial: Trial, rule: Responders, endpoint: Endpoint, groups: Groups) -> list[dict[str, Any]]:
    """Share of each arm at least so much better, 0 to 100 % by 5; the missing never are."""
    better = improvement_percent(trial, endpoint)[endpoint.at]
    return [
        {
            "percent": percent,
            "cells": [
                share(int((better.reindex(ids) >= percent - rule.tolerance).sum()), len(ids)) for _, ids in groups
            ],
        }
        for percent in range(0, 101, 5)
    ]
