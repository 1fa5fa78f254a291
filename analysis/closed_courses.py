"""Courses over time by arm, from an unblinded cut: for those who may read arms, and on record each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import pandas as pd

from analysis import closed_reading, cuts
from analysis.datasets import Trial, load_trial
from analysis.interim.groups import by_arm
from analysis.models import DataCut
from outcomes.change import Change, Mean, Scale, change_of, in_spread, mean_of, spread_of
from outcomes.measures import scale_of_score
from studies import closed_door
from studies.models import ClosedAccount, Study
from studies.protocol.analysis_plan import Endpoint


@dataclass(frozen=True, slots=True)
class ArmPoint:
    """One time of one endpoint in one arm: the values, the changes from baseline, and who responded (None: nobody
    can be said to, on a scale without a zero)."""

    timepoint: str
    baseline: bool
    value: Mean
    change: Mean
    improvement_sd: Mean
    responder_30: float | None
    responder_50: float | None
    better: float | None
    worse: float | None


@dataclass(frozen=True, slots=True)
class ArmCourse:
    """One endpoint over time in one arm. baseline_sd: of both arms together."""

    endpoint: str
    label: str
    arm: str
    arm_label: str
    baseline_sd: float | None
    points: tuple[ArmPoint, ...]


def courses_of_cut(account: ClosedAccount, *, study: Study, cut: str) -> list[ArmCourse] | None:
    """The courses by arm in an unblinded cut, under the plan of its look or the newest protocol's.

    None for a cut that is not there or not unblinded. Raises NotAllowed, also where the plan masks the arms.
    """
    found = next((each for each in closed_reading.unblinded_cuts(account, study=study) if each.cut.name == cut), None)
    if found is None:
        return None
    closed_door.log(account, f"cut {cut}: courses by arm read")
    trial = load_trial(cuts.blinded_folder(cut), orjson.loads(_plan_of(found.cut)))
    return courses_by_arm(trial, cuts.arms_of(found.cut))


def _plan_of(cut: DataCut) -> str:
    look = cut.looks.select_related("plan").order_by("number").last()
    if look is not None:
        return str(look.plan.source)
    plan = cut.study.protocol_versions.latest("pk").definition.analysis
    return plan.model_dump_json(by_alias=True)


def courses_by_arm(trial: Trial, arms: pd.Series[str]) -> list[ArmCourse]:
    """Every endpoint of a change, in each arm.

    trial: a cut under its plan; arms: the arm by participant key. Values are the endpoint's own, as every analysis of
    the look takes them; who has no value is not counted, neither as responder nor as none.
    """
    groups = by_arm(trial, arms)
    courses = []
    for endpoint in trial.plan.endpoints:
        if endpoint.type != "change":
            continue
        values, scale = trial.values(endpoint), _scale(endpoint)
        codes = [endpoint.baseline.code, *(timepoint.code for timepoint in endpoint.timepoints)]
        randomised = values.loc[groups.member.index, endpoint.baseline.code].dropna()
        spread = spread_of([float(value) for value in randomised])
        for arm, people in groups:
            points = tuple(_point(values.loc[people], code, codes[0], scale, spread) for code in codes)
            courses.append(ArmCourse(endpoint.id, endpoint.label, arm, groups.labels[arm], spread, points))
    return courses


def _scale(endpoint: Endpoint) -> Scale:
    if endpoint.instrument == "qst":
        return Scale("worse" if endpoint.better == "lower" else "better")
    return scale_of_score(endpoint.instrument, endpoint.score or endpoint.item or "")


def _point(values: pd.DataFrame, code: str, baseline: str, scale: Scale, spread: float | None) -> ArmPoint:
    there = [float(value) for value in values[code].dropna()]
    pairs = values[[baseline, code]].dropna().itertuples(index=False, name=None) if code != baseline else ()
    changes = [in_spread(change_of(float(value), float(start), scale), scale, spread) for start, value in pairs]
    return ArmPoint(
        code,
        code == baseline,
        mean_of(there),
        mean_of([change.change for change in changes]),
        mean_of([change.improvement_sd for change in changes if change.improvement_sd is not None]),
        _share([change.responder_30 for change in changes]),
        _share([change.responder_50 for change in changes]),
        _share([_is(change, "better") for change in changes]),
        _share([_is(change, "worse") for change in changes]),
    )


def _is(change: Change, verdict: str) -> bool | None:
    return None if change.important is None else change.important == verdict


def _share(answers: Sequence[bool | None]) -> float | None:
    known = [answer for answer in answers if answer is not None]
    return sum(known) / len(known) if known else None
