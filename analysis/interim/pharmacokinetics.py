"""Drug levels by arm, what each participant was exposed to, and whether the response goes with it (DOMAIN 2.8, 5.4).

For the closed result alone: one level that can be quantified tells the arm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from math import exp, isfinite, sqrt
from typing import Any

import numpy as np
import pandas as pd

from analysis.datasets import Trial
from analysis.interim.exposure_response import exposure_response
from analysis.interim.groups import Groups
from analysis.interim.numbers import estimated, not_estimable, summary
from analysis.statistics.pharmacokinetics import noncompartmental
from outcomes.concentrations.analytes import ANALYTES, UNIT

PARENT = "ketamine"
# What is summarised of the exposures, with its unit.
PARAMETERS = {
    "cmax": "ng/mL",
    "tmax": "h",
    "auc_last": "ng h/mL",
    "auc_inf": "ng h/mL",
    "half_life": "h",
    "clearance": "L/h",
    "mrt": "h",
}


def pharmacokinetics(trial: Trial, treated: Groups, levels: pd.DataFrame | None) -> dict[str, Any]:
    """What the drug levels of an unblinded cut say, by arm as treated.

    levels: one row an analyte of a sample (`cuts.levels_of`), value NaN below the limit; None where the cut has none.
    """
    if levels is None:
        return not_estimable("The unblinded cut was taken before drug levels were part of it.")
    rows = _of_treated(trial, treated, levels)
    if rows.empty:
        return not_estimable("No drug level had come when the cut was taken.")
    active = _active_arms(trial)
    exposures = _exposures(trial, rows, active)
    in_set = _quantified(rows)
    return {
        "estimable": True,
        "unit": UNIT,
        "analytes": _analytes(rows),
        "population": _population(rows, treated, in_set),
        "unexpected": _unexpected(trial, rows, active),
        "pre_dose": [
            {"participant": each["participant"], "analyte": each["analyte"]}
            for each in exposures
            if each.get("pre_dose_carry_over")
        ],
        "concentrations": _concentrations(rows),
        "exposures": exposures,
        "parameters": _parameters(exposures),
        "exposure_response": exposure_response(trial, exposures, [arm for arm in treated.labels if arm in active]),
    }


def _of_treated(trial: Trial, treated: Groups, levels: pd.DataFrame) -> pd.DataFrame:
    """The samples of those treated by the data date, with arm and identifier, in an order without database keys."""
    rows = levels[levels["participant_id"].isin(treated.member.index)]
    rows = rows.assign(
        arm=rows["participant_id"].map(treated.member),
        identifier=rows["participant_id"].map(trial.people["identifier"]),
        place=rows["analyte"].map({code: place for place, code in enumerate(ANALYTES)}),
    )
    return rows.sort_values(["identifier", "place", "nominal_minute"])


def _active_arms(trial: Trial) -> set[str]:
    return {contrast.active for contrast in trial.plan.primary_model.contrasts}


def _analytes(rows: pd.DataFrame) -> list[dict[str, Any]]:
    present = set(rows["analyte"])
    return [
        {"code": code, "label": label, "lloq": float(rows.loc[rows["analyte"].eq(code), "lloq"].max())}
        for code, label in ANALYTES.items()
        if code in present
    ]


def _quantified(rows: pd.DataFrame) -> set[int]:
    """The pharmacokinetic set: who has a quantifiable sample after the infusion started (DOMAIN 1.1)."""
    return set(rows.loc[rows["value"].notna() & (rows["actual_minute"] > 0), "participant_id"])


def _population(rows: pd.DataFrame, treated: Groups, in_set: set[int]) -> list[dict[str, Any]]:
    sampled = set(rows["participant_id"])
    return [
        {
            "arm": code,
            "label": treated.labels[code],
            "treated": len(people),
            "sampled": sum(each in sampled for each in people),
            "pks": sum(each in in_set for each in people),
        }
        for code, people in treated
    ]


def _unexpected(trial: Trial, rows: pd.DataFrame, active: set[str]) -> list[dict[str, Any]]:
    """Levels in an arm that should have none: a kit or a sample may have been exchanged."""
    found = _quantified(rows[~rows["arm"].isin(active)])
    people = rows.drop_duplicates("participant_id")
    people = people[people["participant_id"].isin(found)]
    return [{"participant": row.identifier, "arm": row.arm} for row in people.itertuples()]


def _concentrations(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """By arm, analyte and planned time. Below the limit counts as 0, except in the geometric mean."""
    found = []
    for (arm, _, analyte, minute), here in rows.groupby(["arm", "place", "analyte", "nominal_minute"]):
        about = {"arm": arm, "analyte": analyte, "minute": int(str(minute)), "below": int(here["value"].isna().sum())}
        found.append({**about, **summary(here["value"].fillna(0.0)), **_geometric(here["value"])})
    return found


def _geometric(values: pd.Series[Any]) -> dict[str, Any]:
    """Geometric mean and coefficient of variation (%), of what is above 0; 100 sqrt(exp(s^2) - 1), s of logarithms."""
    known = np.log(values[values > 0].to_numpy(dtype=float))
    cv = 100 * sqrt(exp(float(known.var(ddof=1))) - 1) if known.size > 1 else None
    return {"geometric_mean": exp(float(known.mean())) if known.size else None, "geometric_cv": cv}


def _exposures(trial: Trial, rows: pd.DataFrame, active: set[str]) -> list[dict[str, Any]]:
    """One line a participant and analyte: the fields of `noncompartmental`, or why there are none."""
    infusions = _infusions(trial)
    found = []
    for (identifier, _, analyte), profile in rows.groupby(["identifier", "place", "analyte"]):
        arm, key = profile["arm"].iloc[0], profile["participant_id"].iloc[0]
        given = infusions.get(int(key), {}) if analyte == PARENT and arm in active else {}
        about = {"participant": identifier, "arm": arm, "analyte": analyte, "samples": len(profile)}
        found.append({**about, **estimated(lambda p=profile, g=given: _exposure(p, g))})  # type: ignore[misc]
    return found


def _exposure(profile: pd.DataFrame, given: Mapping[str, float | None]) -> dict[str, Any]:
    """Below the limit is passed as 0: the method drops it, sets it missing or keeps it by where it stands."""
    found = noncompartmental(
        profile["actual_minute"].to_numpy(dtype=float) / 60,
        profile["value"].fillna(0.0).to_numpy(dtype=float),
        lloq=float(profile["lloq"].max()),
        dose_mg=given.get("dose_mg"),
        infusion_h=given.get("infusion_h"),
    )
    if not isfinite(found.cmax):
        raise ValueError("No sample after the start is quantifiable.")
    return asdict(found)


def _infusions(trial: Trial) -> dict[int, dict[str, float | None]]:
    """Dose delivered (mg) and length (h) by participant: milligrams exist beside the assignment only."""
    columns = ["participant_id", "delivered_volume_ml", "started_at", "ended_at"]
    rows = trial.cut.rows("infusion", columns)
    hours = (rows["ended_at"] - rows["started_at"]).dt.total_seconds() / 3600
    strength = _strength(trial)
    volumes = rows["delivered_volume_ml"].astype(float)
    return {
        int(key): {"dose_mg": _positive(volume * strength), "infusion_h": _positive(length)}
        for key, volume, length in zip(rows["participant_id"], volumes, hours, strict=True)
    }


def _strength(trial: Trial) -> float:
    """mg/mL of the arm compared; NaN where the protocol does not say, or the active arms differ."""
    arms = trial.protocol.arms if trial.protocol else ()
    active = _active_arms(trial)
    found = {float(arm.regimen.concentration_mg_per_ml) for arm in arms if arm.code in active and arm.regimen}
    return found.pop() if len(found) == 1 else float("nan")


def _positive(value: float) -> float | None:
    return float(value) if isfinite(value) and value > 0 else None


def _parameters(exposures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    frame = pd.DataFrame([each for each in exposures if each["estimable"]])
    if frame.empty:
        return []
    frame["place"] = frame["analyte"].map({code: place for place, code in enumerate(ANALYTES)})
    found = []
    for (arm, _, analyte), here in frame.groupby(["arm", "place", "analyte"]):
        for name, unit in PARAMETERS.items():
            known = here[name].astype(float).dropna()
            if known.empty:
                continue
            about = {"arm": arm, "analyte": analyte, "parameter": name, "unit": unit, "missing": len(here) - len(known)}
            ends = {"n": len(known), "median": float(known.median()), "min": known.min(), "max": known.max()}
            found.append({**about, **ends, **_geometric(known)})
    return found
