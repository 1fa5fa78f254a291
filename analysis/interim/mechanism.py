"""How relief comes about: does it outlast what sensory testing shows, and which dimension carries it (DOMAIN 5)?

What is found is consistent with a mechanism, or not; it shows no cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.datasets import Trial, baseline_fact
from analysis.interim.dimensions import Dimensions, dimensions
from analysis.interim.groups import Groups
from analysis.interim.models import one_sided
from analysis.interim.numbers import estimated, fields, not_estimable
from analysis.statistics import dissociation as statistics
from analysis.statistics import mediation as paths
from analysis.statistics.estimate import Estimate
from studies.protocol.further_analyses import Dissociation, Mechanism, Mediation

# Fewer values than this in an arm on one day say nothing of an effect on that day.
_FEWEST_ON_A_DAY = 5
_DRAWS = 2000


def mechanism(trial: Trial, groups: Groups, earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The three parts of the result: `mechanism` (scale of the dimensions), `dissociation` and `mediation`.

    earlier: the results of the looks before, which fix the scale.
    """
    rule = trial.plan.mechanism
    if rule is None:
        nothing = not_estimable("The plan does not ask how relief comes about.")
        return {"mechanism": nothing, "dissociation": nothing, "mediation": nothing}
    try:
        data = dimensions(trial, groups, rule, earlier)
    except ValueError as refusal:
        why = not_estimable(str(refusal))
        return {"mechanism": why, "dissociation": why, "mediation": why}
    labels = {dimension.code: dimension.label for dimension in rule.dimensions}
    asked = dict.fromkeys(source.endpoint for dimension in rule.dimensions for source in dimension.sources)
    about = {"estimable": True, "active": rule.active, "reference": rule.reference, "labels": labels}
    return {
        "mechanism": {
            **about,
            "scale": data.scale,
            "without_scale": [key for key in asked if key not in data.scale],
            "participants": _counts(data, rule),
        },
        "dissociation": _dissociation(trial, data, rule),
        "mediation": _mediation(trial, data, rule),
    }


def _counts(data: Dimensions, rule: Mechanism) -> list[dict[str, Any]]:
    """How many have each dimension on each day, by arm."""
    rows = []
    for (dimension, day), values in data.improvement.items():
        counts = {code: int(values[data.arm == code].notna().sum()) for code in (rule.active, rule.reference)}
        rows.append({"dimension": dimension, "day": day, **counts})
    return rows


def _dissociation(trial: Trial, data: Dimensions, rule: Mechanism) -> dict[str, Any]:
    asked = rule.dissociation
    if asked is None:
        return not_estimable("The plan does not compare the courses of two dimensions.")
    about = {"first": asked.first, "second": asked.second, "day": asked.day, "from_day": asked.from_day}
    return {**about, **estimated(lambda: _compared_courses(trial, data, rule, asked))}


def _compared_courses(trial: Trial, data: Dimensions, rule: Mechanism, asked: Dissociation) -> dict[str, Any]:
    for code in (asked.first, asked.second):
        if code not in data.baseline:
            raise ValueError(f"Nobody has dimension {code} before treatment.")
    days, left_out = _days(data, rule, asked)
    frame = _long(trial, data, [asked.first, asked.second], days)
    joint = statistics.joint_model(frame, covariance=asked.covariance, reference=rule.reference, df=asked.df)
    contrast = joint.level_contrast(asked.day, first=asked.first, second=asked.second)
    own = joint.curves[(joint.curves["dimension"] == asked.first) & (joint.curves["day"] == asked.day)].iloc[0]
    return {
        "days": days,
        "days_left_out": left_out,
        "covariance_used": joint.covariance_used,
        "not_converged": [{"covariance": name, "why": why} for name, why in joint.not_converged],
        "curves": [_plain(row) for row in joint.curves.to_dict("records")],
        "level_contrast": _tested(contrast),
        "level_contrasts": [
            {"day": day, **fields(joint.level_contrast(day, first=asked.first, second=asked.second))} for day in days
        ],
        "change_contrast": estimated(
            lambda: fields(joint.change_contrast(asked.from_day, asked.day, first=asked.first, second=asked.second))
        ),
        # A contrast above 0 could also come from the second dimension getting worse.
        "supported": bool(contrast.lower > 0 and own["lower"] > 0),
        "half_lives": estimated(lambda: _half_lives(joint, asked)),
        "time_in_response": estimated(lambda: _time_in_response(trial, data, rule, asked, days)),
    }


def _days(data: Dimensions, rule: Mechanism, asked: Dissociation) -> tuple[list[int], list[int]]:
    """The days that both dimensions have, and those of them with too few values in an arm."""
    codes, arms = (asked.first, asked.second), (rule.active, rule.reference)
    shared = sorted(
        {day for code, day in data.improvement if code == codes[0]}
        & {day for code, day in data.improvement if code == codes[1]}
    )
    enough = [
        day
        for day in shared
        if min(int(data.improvement[code, day][data.arm == arm].notna().sum()) for code in codes for arm in arms)
        >= _FEWEST_ON_A_DAY
    ]
    if asked.day not in enough:
        raise ValueError(f"Fewer than {_FEWEST_ON_A_DAY} in an arm have both dimensions on day {asked.day}.")
    return enough, [day for day in shared if day not in enough]


def _long(trial: Trial, data: Dimensions, codes: list[str], days: list[int]) -> pd.DataFrame:
    """subject, arm, dimension, day, improvement, baseline, strata: rows of the joint model."""
    strata = trial.strata.drop(columns="site", errors="ignore").reindex(data.arm.index)
    stratum = strata.fillna("").agg(" ".join, axis=1) if len(strata.columns) else pd.Series("all", index=strata.index)
    names = trial.people["identifier"].reindex(data.arm.index)
    parts = [
        pd.DataFrame(
            {
                "subject": names,
                "arm": data.arm,
                "dimension": code,
                "day": day,
                "improvement": data.improvement[code, day],
                "baseline": data.baseline[code],
                "strata": stratum,
            }
        )
        for code in codes
        for day in days
    ]
    rows = pd.concat(parts, ignore_index=True)
    kept: pd.DataFrame = rows[rows["baseline"].notna()]
    return kept


def _half_lives(joint: statistics.JointModel, asked: Dissociation) -> dict[str, Any]:
    found = statistics.half_life_ratio(
        joint.curves,
        rng=np.random.default_rng(asked.seed),
        draws=_DRAWS,
        covariance=joint.curve_covariance,
        first=asked.first,
        second=asked.second,
    )
    halves = {
        code: {"days": half.days, "amplitude": half.amplitude, "at_bound": half.at_bound}
        for code, half in ((asked.first, found.first), (asked.second, found.second))
    }
    return {**halves, "log_ratio": fields(found.log_ratio), "share_at_bound": found.share_at_bound}


def _time_in_response(
    trial: Trial, data: Dimensions, rule: Mechanism, asked: Dissociation, days: list[int]
) -> dict[str, Any]:
    """Of those followed to the end: days in response on the first dimension minus the second, by arm."""
    due = (trial.people["day0"] + pd.Timedelta(days=asked.end_day) <= trial.data_date).reindex(data.arm.index)
    frame = _long(trial, data, [asked.first, asked.second], days)
    frame = frame[frame["subject"].isin(trial.people["identifier"].reindex(due.index[due]))]
    if frame.empty:
        raise ValueError(f"Nobody has been followed for {asked.end_day} days.")
    times = statistics.time_in_response(frame, threshold=asked.response_from, end_day=asked.end_day)
    found = statistics.paired_difference(times, first=asked.first, second=asked.second, reference=rule.reference)
    means = times.groupby(["arm", "dimension"])["days"].mean()
    return {
        "followed": int(frame["subject"].nunique()),
        "mean_days": {code: {d: float(means[(code, d)]) for d in (asked.first, asked.second)} for code in found.by_arm},
        "paired": {code: fields(each) for code, each in found.by_arm.items()},
        "difference": fields(found.difference),
    }


def _mediation(trial: Trial, data: Dimensions, rule: Mechanism) -> dict[str, Any]:
    asked = rule.mediation
    if asked is None:
        return not_estimable("The plan has no mediation analysis.")
    about = {
        "mediators": list(asked.mediators),
        "mediator_days": list(asked.mediator_days),
        "outcome": asked.outcome,
        "outcome_day": asked.outcome_day,
    }
    return {**about, **estimated(lambda: _mediated(trial, data, rule, asked))}


def _mediated(trial: Trial, data: Dimensions, rule: Mechanism, asked: Mediation) -> dict[str, Any]:
    frame, covariates = _mediation_frame(trial, data, asked)
    if frame.dropna()["arm"].nunique() < 2:
        raise ValueError("Nobody in one of the arms has both mediators and the outcome.")
    options: dict[str, Any] = {"outcome": "outcome", "covariates": covariates, "reference": rule.reference}
    found = paths.parallel(frame, treatment="arm", mediators=asked.mediators, **options)
    return {
        "covariates": list(covariates),
        "observations": found.observations,
        "left_out": found.rows_left_out,
        "a": {code: fields(each) for code, each in found.a.items()},
        "b": {code: fields(each) for code, each in found.b.items()},
        "indirect": {code: fields(each) for code, each in found.indirect.items()},
        "contrast": fields(found.contrast),
        "direct": fields(found.direct),
        "total": fields(found.total),
        "unmeasured": {code: _unmeasured(frame, code, options) for code in asked.mediators},
        "note": "Consistent with mediation, or not: an unmeasured cause of mediator and outcome is not excluded.",
    }


def _unmeasured(frame: pd.DataFrame, mediator: str, options: dict[str, Any]) -> dict[str, Any]:
    """The indirect effect by how strongly an unmeasured cause would tie the two errors together."""
    found = paths.sensitivity(frame, treatment="arm", mediator=mediator, **options)
    return {"rho_at_zero": found.rho_at_zero, "curve": [_plain(row) for row in found.table.to_dict("records")]}


def _mediation_frame(trial: Trial, data: Dimensions, asked: Mediation) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """arm, mediators (mean over their days), outcome and covariates, one row a participant."""
    columns = {code: _over_days(data, code, asked.mediator_days) for code in asked.mediators}
    columns["outcome"] = _on_day(data, asked.outcome, asked.outcome_day)
    frame = pd.DataFrame(columns).assign(arm=data.arm)
    used = dict.fromkeys((*asked.mediators, asked.outcome))
    frame = frame.join(data.baseline[list(used)].add_prefix("baseline_"))
    for name in asked.covariates:
        factors = list(trial.strata.columns) if name == "strata" else [name]
        known = trial.strata.assign(sex=trial.people["sex"], age_years=trial.people["age_years"])
        known = known if "site" in known else known.assign(site=trial.people["site"])
        if name not in known and (fact := baseline_fact(trial, name)) is not None:
            known = known.assign(**{name: fact})
        frame = frame.join(known[factors].reindex(frame.index))
    complete = frame.dropna()
    varying = [name for name in frame.columns if name not in (*asked.mediators, "outcome", "arm")]
    return frame, tuple(name for name in varying if complete[name].nunique() > 1)


def _over_days(data: Dimensions, code: str, days: tuple[int, ...]) -> pd.Series[Any]:
    parts = [_on_day(data, code, day) for day in days]
    return pd.concat(parts, axis=1).mean(axis=1, skipna=False)


def _on_day(data: Dimensions, code: str, day: int) -> pd.Series[Any]:
    if (code, day) not in data.improvement:
        raise ValueError(f"Dimension {code} is not measured on day {day}.")
    return data.improvement[code, day]


def _tested(estimate: Estimate) -> dict[str, Any]:
    p, z = one_sided(float(estimate.statistic or 0), estimate.df, "higher")
    return {**fields(estimate), "one_sided_p": p, "z": z}


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {("statistic" if name == "t" else str(name)): value for name, value in row.items()}
