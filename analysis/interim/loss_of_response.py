"""Time to loss of response among early responders (DOMAIN 5.2). Between arms it is descriptive only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.datasets import Trial
from analysis.interim.groups import Groups
from analysis.interim.numbers import estimated, fields, not_estimable
from analysis.interim.responders import improvement_percent
from analysis.statistics import survival
from studies.protocol.analysis_plan import Endpoint, LossOfResponse

_NOTE = "Responders are chosen after randomisation: the comparison of arms is descriptive."


@dataclass(frozen=True)
class _Course:
    """For each participant (row) and timepoint (column): in response, known at all, and already due."""

    response: pd.DataFrame
    known: pd.DataFrame
    due: pd.DataFrame
    days: list[int]


def loss_of_response(trial: Trial, groups: Groups) -> dict[str, Any]:
    """Kaplan-Meier by arm, from the infusion to the first assessment without response.

    A loss is confirmed by the next assessment: without response, or due and missing; one whose next is not due
    yet is not confirmed, and the participant counts until last seen in response. The day is the right end of the
    interval. The last assessment of all needs no other to confirm it.
    """
    rule = trial.plan.loss_of_response
    if rule is None:
        return not_estimable("The plan does not analyse loss of response.")
    return {"note": _NOTE, "end_day": rule.end_day, **estimated(lambda: _analysis(trial, groups, rule))}


def _analysis(trial: Trial, groups: Groups, rule: LossOfResponse) -> dict[str, Any]:
    endpoint = trial.plan.endpoint(rule.endpoint)
    course = _course(trial, endpoint, rule)
    started = course.response[rule.start] & course.response.index.isin(groups.member.index)
    times = pd.DataFrame(
        [_time(course, key, rule) for key in course.response.index[started]],
        columns=["time", "event"],
        index=course.response.index[started],
    )
    if times.empty:
        raise ValueError(f"Nobody was in response at {endpoint.timepoint(rule.start).label or rule.start}.")
    arm = groups.member.loc[times.index]
    curve = survival.kaplan_meier(times["time"].to_numpy(float), times["event"].to_numpy(bool), group=arm.to_numpy())
    return {
        "groups": [
            {"code": code, "responders": int((arm == code).sum()), "events": int(times.loc[arm == code, "event"].sum())}
            for code in groups.labels
        ],
        "curve": _steps(curve),
        "at_risk": _at_risk(times, arm, [0, *course.days], groups),
        "medians": {str(code): fields(median) for code, median in curve.median.items()},
        "logrank": estimated(lambda: _logrank(times, arm)),
    }


def _at_risk(times: pd.DataFrame, arm: pd.Series[Any], days: list[int], groups: Groups) -> dict[str, Any]:
    """How many of each arm are still followed in response on the days of assessment."""
    rows = [
        {"code": code, "n": [int((times.loc[arm == code, "time"] >= day).sum()) for day in days]}
        for code in groups.labels
    ]
    return {"days": days, "groups": rows}


def _course(trial: Trial, endpoint: Endpoint, rule: LossOfResponse) -> _Course:
    tolerance = trial.plan.responders.tolerance if trial.plan.responders else 1e-9
    codes = list(rule.timepoints)
    better = improvement_percent(trial, endpoint)[codes]
    days = [_day(trial, endpoint, code) for code in codes]
    elapsed = (trial.data_date - trial.people["day0"]).dt.days
    due = pd.DataFrame({code: elapsed >= day for code, day in zip(codes, days, strict=True)})
    return _Course(better >= rule.threshold_percent - tolerance, better.notna(), due, days)


def _day(trial: Trial, endpoint: Endpoint, code: str) -> int:
    timepoint = endpoint.timepoint(code)
    if timepoint.days:
        return timepoint.days[1]
    visit = trial.protocol.visit(timepoint.visit or "") if trial.protocol else None
    if visit is None or visit.day is None:
        raise ValueError(f"{code} has no day, so no time to loss of response can be told.")
    return visit.day


def _time(course: _Course, key: Any, rule: LossOfResponse) -> tuple[int, bool]:
    """Days to a confirmed loss (True), or to the last time seen in response (False)."""
    response, known = course.response.loc[key].to_numpy(), course.known.loc[key].to_numpy()
    due = course.due.loc[key].to_numpy()
    last_seen = course.days[0]
    for index, day in enumerate(course.days):
        if not known[index]:
            continue
        if response[index]:
            last_seen = day
        elif _confirmed(response, known, due, index) or not rule.confirmed:
            return day, True
    return last_seen, False


def _confirmed(response: Any, known: Any, due: Any, index: int) -> bool:
    following = index + 1
    if following == len(response):
        return True
    return bool(known[following] and not response[following]) or bool(due[following] and not known[following])


def _logrank(times: pd.DataFrame, arm: pd.Series[Any]) -> dict[str, Any]:
    if arm.nunique() < 2:
        raise ValueError("Only one arm has responders.")
    found = survival.logrank(times["time"].to_numpy(float), times["event"].to_numpy(bool), arm.to_numpy())
    return {"chi_square": found.chi_square, "df": found.df, "p": found.p}


def _steps(curve: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(curve.columns, values, strict=True)) for values in curve.itertuples(index=False, name=None)]
