"""Responder endpoints that are tested: response counted as the plan says, compared within strata."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.datasets import Trial
from analysis.interim.events import had_any
from analysis.interim.groups import Groups
from analysis.interim.numbers import estimated, fields, share
from analysis.interim.responders import improvement_percent
from analysis.statistics import proportions
from studies.protocol.analysis_plan import Contrast, Endpoint, Model

_TOLERANCE = 1e-9


def proportion_models(trial: Trial, groups: Groups) -> list[dict[str, Any]]:
    """Every difference of proportions of the plan whose endpoint is a response.

    Missing values, and the intercurrent events that the plan's responders name, count as no response. The common
    difference of the strata with its interval (Sato 1989), and z from the Cochran-Mantel-Haenszel test, positive
    towards benefit; without strata one table.
    """
    chosen = [model for model in trial.plan.models if model.method == "difference_of_proportions"]
    return [_model(trial, groups, model) for model in chosen if trial.plan.endpoint(model.endpoint).type == "responder"]


def _model(trial: Trial, groups: Groups, model: Model) -> dict[str, Any]:
    endpoint = trial.plan.endpoint(model.endpoint)
    within = groups.within(trial.population(model.population))
    response = _response(trial, endpoint)
    return {
        "id": model.id,
        "endpoint": endpoint.id,
        "label": endpoint.label,
        "at": endpoint.at,
        "population": model.population,
        "strata": list(model.covariates),
        "groups": within.head(),
        "cells": [share(int(response.reindex(ids).sum()), len(ids)) for _, ids in within],
        "contrasts": [_compared(trial, response, within, model, each) for each in model.contrasts],
    }


def _response(trial: Trial, endpoint: Endpoint) -> pd.Series[bool]:
    """Who responded, and had none of the intercurrent events that make a non-responder."""
    better = improvement_percent(trial, endpoint)[endpoint.at]
    rule = trial.plan.responders
    had = had_any(trial, rule.non_responder_after if rule else ())
    return (better >= (endpoint.responder_percent or 0) - _TOLERANCE) & ~had


def _compared(
    trial: Trial, response: pd.Series[bool], groups: Groups, model: Model, contrast: Contrast
) -> dict[str, Any]:
    def compute() -> dict[str, Any]:
        tables = _tables(trial, response, groups, model, contrast)
        found = proportions.stratified(tables)
        toward = np.sign(found.risk_difference.estimate) if found.chi_square else 0.0
        z = float(toward * np.sqrt(found.chi_square))
        if not np.isfinite(z):
            raise ValueError("Everybody or nobody responded: there is nothing to test.")
        return {
            **fields(found.risk_difference),
            "p": found.p,
            "z": z,
            "one_sided_p": float(stats.norm.sf(z)),
        }

    return {"active": contrast.active, "reference": contrast.reference, **estimated(compute)}


def _tables(
    trial: Trial, response: pd.Series[bool], groups: Groups, model: Model, contrast: Contrast
) -> list[list[list[int]]]:
    """Stratum x (active, control) x (yes, no)."""
    members = dict(groups)
    if not (len(members.get(contrast.active, ())) and len(members.get(contrast.reference, ()))):
        raise ValueError("One of the two arms has no participants.")
    frame = trial.strata.assign(site=trial.people["site"], sex=trial.people["sex"])
    names = [name for each in model.covariates for name in (trial.strata.columns if each == "strata" else [each])]
    if unknown := [name for name in names if name not in frame.columns]:
        raise ValueError(f"Nobody in the cut has the stratification factor {', '.join(unknown)}.")
    stratum = frame[names].fillna("").agg(" ".join, axis=1) if names else pd.Series("all", index=frame.index)
    keys = [key for code in (contrast.active, contrast.reference) for key in members[code]]
    frame = pd.DataFrame({"stratum": stratum, "arm": groups.member, "yes": response}).loc[keys]
    counts = frame.groupby(["stratum", "arm"])["yes"].agg(["sum", "size"])
    cells = {
        key: (int(yes), int(size - yes)) for key, yes, size in zip(counts.index, *counts.to_numpy().T, strict=True)
    }
    levels = sorted(set(frame["stratum"]))
    return [
        [list(cells.get((level, code), (0, 0))) for code in (contrast.active, contrast.reference)] for level in levels
    ]
