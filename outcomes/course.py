"""The course of participants: pain, its dimensions, mood and QST over time, each value beside its baseline.

`day` counts from the infusion (or the planned one). The diary enters as means of the days that the protocol's endpoint
names, with as many entries as it asks for; a questionnaire as the visit's score. What tells the arm is not followed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import lru_cache
from statistics import fmean
from typing import Literal
from zoneinfo import ZoneInfo

from django.db.models import Q

from outcomes.arm_revealing import revealing_of
from outcomes.change import Change, change_of, in_spread
from outcomes.measures import QST, Measure, Source, measures_of, scale_of
from outcomes.models import QSTValue, Score
from studies.models import Participant, ProtocolVersion, Study
from studies.protocol import cached_definition
from studies.protocol.analysis_plan import Timepoint
from studies.visits import site_day

Axis = Literal[
    "Days from the infusion", "Days from the planned infusion", "Days from the first answer", "Visits in order"
]
# Where no endpoint of the protocol says how the diary is averaged.
WEEKS = (
    Timepoint(code="BASE", label="Baseline week", days=(-7, -1), at_least=4),
    *(
        Timepoint(code=f"WK{week}", label=f"Week {week}", days=(7 * week - 6, 7 * week), at_least=4)
        for week in range(1, 14)
    ),
)


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a course. `visit`: the code of the visit or of the diary's days; `change`: None at the baseline and
    where there is none."""

    dimension: str
    label: str
    visit: str
    day: float
    value: float
    measure: str = ""
    baseline: bool = False
    change: Change | None = None


def course_of(participant: Participant) -> list[Point]:
    """The values of one participant, measure by measure, in order of time."""
    return courses_of([participant]).get(participant.pk, [])


def courses_of(participants: Sequence[Participant]) -> dict[int, list[Point]]:
    """The values of participants by their key, in a handful of queries however many they are.

    participants: with site, study, protocol_version and infusion at hand.
    """
    rows = _Rows(participants)
    return {person.pk: _course(person, rows) for person in participants}


def with_spreads(points: Iterable[Point], measures: Iterable[Measure], spreads: Mapping[str, float]) -> list[Point]:
    """Points whose changes are given in standard deviations too. spreads: of the pooled baseline, per measure."""
    scales = {measure.key: scale_of(measure) for measure in measures}
    return [
        replace(point, change=in_spread(point.change, scales[point.measure], spreads.get(point.measure)))
        if point.change
        else point
        for point in points
    ]


def _course(person: Participant, rows: _Rows) -> list[Point]:
    when = _When(person, rows.first.get(person.pk))
    points = []
    for measure in followed(person):
        line = sorted(_line(person, measure, rows, when), key=lambda point: point.day)
        points += _beside_baseline(line, measure, person.protocol_version, when)
    return points


def followed(person: Participant) -> list[Measure]:
    """The measures of a participant's study that do not tell the arm."""
    revealing = revealing_of(person)

    def tells(source: Source) -> bool:
        if source == QST:
            return revealing.tells("qstvalue") or revealing.tells("qstsession")
        return revealing.tells("score", instrument=source[0]) or revealing.tells("response", instrument=source[0])

    return [measure for measure in measures_of(person.protocol_version) if not any(map(tells, measure.sources))]


def axis_of(participant: Participant) -> Axis:
    """What `Point.day` counts for a participant."""
    if participant.study.origin == Study.Origin.IMPORTED:
        return "Visits in order"
    if getattr(participant, "infusion", None):
        return "Days from the infusion"
    return "Days from the planned infusion" if participant.planned_infusion_on else "Days from the first answer"


class _When:
    """Moments and days of a participant as places on the axis."""

    def __init__(self, person: Participant, first: datetime | None) -> None:
        self.axis = axis_of(person)
        self._zone = ZoneInfo(person.site.time_zone)
        infusion = getattr(person, "infusion", None)
        self.day0: date | None = site_day(person, infusion.started_at) if infusion else person.planned_infusion_on
        self._origin: datetime | None = first
        if infusion:
            self._origin = infusion.started_at
        elif self.day0:
            self._origin = datetime.combine(self.day0, time(), self._zone)

    def place(self, at: datetime, position: int) -> float:
        """Days from the origin; where only the order of visits is known, the place in it."""
        if self.axis == "Visits in order" or self._origin is None:
            return float(position)
        return (at - self._origin).total_seconds() / 86400


ScoreRow = tuple[Source, str, int, datetime, float]  # source, visit, position, moment, value
DiaryRow = tuple[Source, date, float]


class _Rows:
    """The values of participants as they are saved, read at once."""

    def __init__(self, participants: Sequence[Participant]) -> None:
        self.scores: dict[int, list[ScoreRow]] = defaultdict(list)
        self.diary: dict[int, list[DiaryRow]] = defaultdict(list)
        self.first: dict[int, datetime] = {}
        keys = [person.pk for person in participants]
        sources = {s for person in participants for measure in followed(person) for s in measure.sources}
        self._read_scores(keys, sources)
        if QST in sources:
            self._read_composites(keys)

    def _read_scores(self, keys: Sequence[int], sources: Iterable[Source]) -> None:
        wanted = Q(pk__in=[])
        for instrument, name in sources:
            wanted |= Q(response__instrument__key=instrument, name=name)
        rows = (
            Score.objects.filter(wanted, participant__in=keys, number__isnull=False, response__minute__isnull=True)
            .order_by("response__completed_at")
            .values_list(
                "participant_id",
                "response__instrument__key",
                "name",
                "response__visit__code",
                "response__visit__position",
                "response__completed_at",
                "response__day",
                "number",
            )
        )
        for key, instrument, name, visit, position, at, day, number in rows:
            self.first.setdefault(key, at)
            if day is not None:
                self.diary[key].append(((instrument, name), day, number or 0.0))
            else:
                self.scores[key].append(((instrument, name), visit, position, at, number or 0.0))

    def _read_composites(self, keys: Sequence[int]) -> None:
        rows = QSTValue.objects.filter(
            participant__in=keys, area="test", parameter="composite", value__isnull=False
        ).values_list(
            "participant_id", "session__visit__code", "session__visit__position", "session__tested_at", "value"
        )
        for key, visit, position, at, value in rows:
            self.first[key] = min(at, self.first.get(key, at))
            self.scores[key].append((QST, visit, position, at, value or 0.0))


def _line(person: Participant, measure: Measure, rows: _Rows, when: _When) -> Iterable[Point]:
    for source, visit, position, at, value in rows.scores[person.pk]:
        if source in measure.sources:
            yield Point(measure.dimension, measure.label, visit, when.place(at, position), value, measure.key)
    if when.day0 is None:
        return
    entries = {
        (day - when.day0).days: value for source, day, value in rows.diary[person.pk] if source == measure.source
    }
    for window in windows_of(person.protocol_version, measure.source) if entries else ():
        first, last = window.days or (0, -1)
        inside = [value for day, value in entries.items() if first <= day <= last]
        if len(inside) >= window.at_least:
            middle = (first + last) / 2
            yield Point(measure.dimension, measure.label, window.code, middle, fmean(inside), measure.key)


def windows_of(version: ProtocolVersion, source: Source) -> tuple[Timepoint, ...]:
    """The days over which a diary score is averaged: those of the protocol's endpoint with most of them."""
    return _windows(version.source, *source)


@lru_cache(maxsize=64)
def _windows(text: str, instrument: str, name: str) -> tuple[Timepoint, ...]:
    endpoints = [
        (endpoint.baseline, *endpoint.timepoints)
        for endpoint in cached_definition(text).analysis.endpoints
        if endpoint.instrument == instrument and name in (endpoint.item, endpoint.score)
    ]
    of_days = [tuple(each for each in timepoints if each.days) for timepoints in endpoints]
    return max(of_days, key=len, default=()) or WEEKS


def baseline_code(version: ProtocolVersion, measure: Measure) -> str:
    """The visit or days that the protocol's endpoints take as the baseline of a measure; empty where none does."""
    return _baseline(version.source, *measure.source)


@lru_cache(maxsize=64)
def _baseline(text: str, instrument: str, name: str) -> str:
    for endpoint in cached_definition(text).analysis.endpoints:
        if endpoint.instrument == instrument and name in (endpoint.item, (endpoint.score or "").removeprefix("qst_")):
            return endpoint.baseline.visit or endpoint.baseline.code
    return ""


def _beside_baseline(line: Sequence[Point], measure: Measure, version: ProtocolVersion, when: _When) -> list[Point]:
    """A line with its baseline marked and the change of each later value."""
    baseline = _baseline_point(line, baseline_code(version, measure), when)
    if baseline is None:
        return list(line)
    scale = scale_of(measure)
    return [
        replace(point, baseline=True)
        if point is baseline
        else replace(point, change=change_of(point.value, baseline.value, scale))
        if point.day > baseline.day
        else point
        for point in line
    ]


def _baseline_point(line: Sequence[Point], code: str, when: _When) -> Point | None:
    """The value that the protocol calls baseline, else the last before the infusion, else the first visit of all."""
    named = next((point for point in line if point.visit == code), None)
    if named is not None or not line:
        return named
    if when.axis == "Visits in order":
        return line[0]
    if when.axis != "Days from the infusion":
        return None
    before = [point for point in line if point.day < 0]
    return before[-1] if before else None
