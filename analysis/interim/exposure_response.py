"""Exposure and response within the active arm: each analyte by itself, and all of them together (DOMAIN 5.4).

Nobody was assigned to an exposure: what goes with it may come from body size, genotype or a held dose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.datasets import Trial
from analysis.interim.numbers import estimated, fields
from analysis.statistics import exposure_response as statistics

# Fewer than this say nothing of a relation.
_FEWEST = 10
# Area under the curve up to the last quantifiable sample: it needs no terminal phase, which a metabolite may not show.
MEASURES = {"auc_last": "AUC to the last sample", "cmax": "Cmax"}
_POINTS_OF_A_LINE = 15
_NOTE = (
    "An association within an arm, p not adjusted for how many are looked at: nobody was assigned to an exposure. "
    "Body size, genotype and held doses move both."
)


def exposure_response(trial: Trial, exposures: Sequence[dict[str, Any]], arms: Sequence[str]) -> list[dict[str, Any]]:
    """One entry an active arm: change of the primary endpoint at its time, by exposure to each analyte.

    exposures: as `_exposures` of pharmacokinetics. Slopes are changes per doubling of the exposure, adjusted for the
    baseline; `line` is the mean response over the exposures seen.
    """
    endpoint = trial.plan.primary_endpoint
    about = {"endpoint": endpoint.id, "label": endpoint.label, "at": endpoint.at, "better": endpoint.better}
    values = trial.values(endpoint)
    response = pd.DataFrame(
        {
            "baseline": values[endpoint.baseline.code],
            "change": values[str(endpoint.at)] - values[endpoint.baseline.code],
        }
    )
    response.index = pd.Index(trial.people["identifier"].reindex(response.index))
    response = response.loc[np.isfinite(response.to_numpy()).all(axis=1)]
    return [{"arm": arm, **about, **estimated(lambda a=arm: _within(response, exposures, a))} for arm in arms]  # type: ignore[misc]


def _within(response: pd.DataFrame, exposures: Sequence[dict[str, Any]], arm: str) -> dict[str, Any]:
    here = [each for each in exposures if each["arm"] == arm and each["estimable"]]
    if not here:
        raise ValueError(f"Nobody in {arm} has a quantifiable sample.")
    frame = pd.DataFrame(here)
    wide = {name: frame.pivot(index="participant", columns="analyte", values=name) for name in MEASURES}
    analytes = list(dict.fromkeys(frame["analyte"]))
    single = [
        {"analyte": analyte, "measure": name, **estimated(lambda v=wide[name][analyte]: _single(response, v))}  # type: ignore[misc]
        for name in MEASURES
        for analyte in analytes
    ]
    areas = wide["auc_last"]
    return {
        "note": _NOTE,
        "single": single,
        "joint": estimated(lambda: _joint(response, areas, analytes)),
        "points": _points(response, areas, analytes),
    }


def _together(response: pd.DataFrame, exposures: pd.DataFrame) -> pd.DataFrame:
    """Who has the response and every exposure, above 0."""
    rows = response.join(exposures.where(exposures > 0), how="inner").dropna()
    if len(rows) < _FEWEST:
        raise ValueError(f"{len(rows)} participants have exposure and response; fewer than {_FEWEST} say nothing.")
    return rows


def _single(response: pd.DataFrame, exposure: pd.Series[Any]) -> dict[str, Any]:
    rows = _together(response, exposure.astype(float).to_frame("exposure"))
    given = rows["exposure"].to_numpy(), rows["change"].to_numpy()
    found = statistics.line(*given, covariates=rows["baseline"].to_numpy())
    grid = np.geomspace(given[0].min(), given[0].max(), _POINTS_OF_A_LINE)
    return {
        "n": found.observations,
        **fields(found.slope),
        "residual_sd": found.residual_sd,
        "r_squared": found.r_squared,
        "aic": found.aic,
        "line": [
            {"exposure": float(x), "estimate": each.estimate, "lower": each.lower, "upper": each.upper}
            for x, each in zip(grid, found.at(grid), strict=True)
        ],
        "emax": estimated(lambda: _emax(*given, rows["baseline"].to_numpy())),
    }


def _emax(exposure: Any, change: Any, baseline: Any) -> dict[str, Any]:
    found = statistics.emax(exposure, change, covariates=baseline)
    return {"emax": fields(found.emax), "ec50": fields(found.ec50), "aic": found.aic, "residual_sd": found.residual_sd}


def _joint(response: pd.DataFrame, areas: pd.DataFrame, analytes: Sequence[str]) -> dict[str, Any]:
    rows = _together(response, areas[list(analytes)].astype(float))
    found = statistics.joint(
        {analyte: rows[analyte].to_numpy() for analyte in analytes},
        rows["change"].to_numpy(),
        covariates=rows["baseline"].to_numpy(),
    )
    return {
        "n": found.observations,
        "measure": "auc_last",
        "slopes": [{"analyte": analyte, **fields(found.slopes[analyte])} for analyte in analytes],
        "inflation": found.inflation,
        "differences": [
            {"analyte": analyte, "against": analytes[0], **fields(found.difference(analyte, analytes[0]))}
            for analyte in analytes[1:]
        ],
    }


def _points(response: pd.DataFrame, areas: pd.DataFrame, analytes: Sequence[str]) -> list[dict[str, Any]]:
    """What is drawn: each participant's change beside the areas."""
    rows = response.join(areas, how="inner").sort_index()
    return [
        {
            "participant": identifier,
            "baseline": row["baseline"],
            "change": row["change"],
            "auc_last": {analyte: row[analyte] for analyte in analytes},
        }
        for identifier, row in rows.iterrows()
    ]
