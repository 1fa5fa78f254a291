"""Sensory testing by arm: the mean z of every parameter at every visit, as a QST profile shows it (Rolke 2006)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.datasets import Trial, local_days
from analysis.interim.groups import Groups
from analysis.interim.numbers import estimated

# The order of the DFNS profile: thermal detection and pain, then mechanical.
_PROFILE = ("CDT", "WDT", "TSL", "CPT", "HPT", "PPT", "MPT", "MPS", "WUR", "MDT", "VDT")


def sensory_profile(trial: Trial, groups: Groups) -> dict[str, Any]:
    """Mean z of the test area with its 95 % t interval, by parameter, visit and arm. z above 0 is a gain of function.

    Only parameters that have a z, and visits that somebody had; a mean has no interval where fewer than two have it.
    """
    return estimated(lambda: _profile(trial, groups))


def _profile(trial: Trial, groups: Groups) -> dict[str, Any]:
    rows = _values(trial, groups)
    if rows.empty:
        raise ValueError("No sensory testing with z-scores is in the cut.")
    found = set(rows["parameter"])
    parameters = [name for name in _PROFILE if name in found]
    visits = _visits(trial, set(rows["visit"]))
    found_cells = rows.groupby(["visit", "parameter", "arm"], observed=True)["z"].agg(["count", "mean", "std"])
    cells = {key: row for key, *row in zip(found_cells.index, *found_cells.to_numpy().T, strict=True)}
    return {
        "parameters": parameters,
        "visits": visits,
        "groups": groups.head(),
        "cells": [
            {
                "visit": visit["visit"],
                "parameter": parameter,
                "arm": code,
                **_cell(cells, (visit["visit"], parameter, code)),
            }
            for visit in visits
            for parameter in parameters
            for code in groups.labels
        ],
    }


def _values(trial: Trial, groups: Groups) -> pd.DataFrame:
    """arm, visit, parameter, z of sessions up to the data date."""
    values = trial.cut.rows(
        "qstvalue", ["session_id", "participant_id", "parameter", "z"], where=[("area", "==", "test")]
    )
    sessions = trial.cut.rows("qstsession", ["id", "visit_id", "tested_at"])
    visits = trial.cut.rows("visit", ["id", "code"]).set_index("id")["code"]
    rows = values.merge(sessions, left_on="session_id", right_on="id")
    rows = rows[rows["participant_id"].isin(groups.member.index) & rows["parameter"].isin(_PROFILE)]
    rows = rows[np.isfinite(rows["z"].to_numpy(dtype=float))].reset_index(drop=True)
    tested = local_days(rows["tested_at"], rows["participant_id"].map(trial.people["zone"]))
    rows = rows.assign(visit=rows["visit_id"].map(visits), arm=rows["participant_id"].map(groups.member))
    kept: pd.DataFrame = rows[(tested <= trial.until) & rows["visit"].notna()]
    return kept


def _visits(trial: Trial, found: set[str]) -> list[dict[str, str]]:
    labels = {visit.id: visit.label for visit in trial.protocol.visits} if trial.protocol else {}
    order = [code for code in labels if code in found]
    return [{"visit": code, "label": labels.get(code, code)} for code in [*order, *sorted(found - set(order))]]


def _cell(cells: Mapping[tuple[str, str, str], Sequence[float]], key: tuple[str, str, str]) -> dict[str, Any]:
    """n, mean, SD and interval of one cell."""
    if key not in cells:
        return {"n": 0, "mean": None, "sd": None, "lower": None, "upper": None}
    n, mean, sd = cells[key]
    if n < 2:
        return {"n": int(n), "mean": mean, "sd": None, "lower": None, "upper": None}
    margin = float(stats.t.isf(0.025, n - 1)) * sd / np.sqrt(n)
    return {"n": int(n), "mean": mean, "sd": sd, "lower": mean - margin, "upper": mean + margin}
