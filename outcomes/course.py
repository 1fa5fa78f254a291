"""The course of participants: pain, its dimensions, mood and QST over time, each value beside its baseline.

`day` counts from the infusion (or the planned one). The diary enters as means of the days that the protocol's endpoint
names, with as many entries as it asks for; a questionnaire as the visit's score. What tells the arm is not followed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Extract

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
    for measure in rows.followed(person):
        line = sorted(_line(person, measure, rows, when), key=lambda value: value[1])
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
    """Moments of a participant as places on the axis. first: the first answer, in seconds of the epoch."""

    def __init__(self, person: Participant, first: float | None) -> None:
        self.axis = axis_of(person)
        self._origin = first if (origin := _origin(person)) is None else origin.timestamp()

    def place(self, at: float, position: int) -> float:
        """Days from the origin; where only the order of visits is known, the place in it."""
        if self.axis == "Visits in order" or self._origin is None:
            return float(position)
        return (at - self._origin) / 86400


def _origin(person: Participant) -> datetime | None:
    """The moment of the infusion, or the begin of the day that it is planned for."""
    infusion = getattr(person, "infusion", None)
    if infusion:
        started: datetime = infusion.started_at
        return started
    planned = person.planned_infusion_on
    return datetime.combine(planned, time(), ZoneInfo(person.site.time_zone)) if planned else None


ScoreRow = tuple[Source, str, int, float, float]  # source, visit, position, moment (seconds of the epoch), value
Value = tuple[str, float, float]  # visit or days, place, value
# Of each participant and window the mean over its days; a day that was answered twice counts as answered last.
_WINDOW_MEANS = """
    SELECT participant, number, avg(value), count(*)
      FROM (SELECT DISTINCT ON (asked.participant, asked.number, response.day)
                   asked.participant, asked.number, score.number AS value
              FROM jsonb_to_recordset(%s) AS asked(participant bigint, instrument text, score text, number integer,
                                                   first date, last date)
              JOIN outcomes_response response
                ON response.participant_id = asked.participant AND response.day BETWEEN asked.first AND asked.last
                   AND response.minute IS NULL
              JOIN outcomes_instrumentversion version
                ON version.id = response.instrument_id AND version.key = asked.instrument
              JOIN outcomes_score score
                ON score.response_id = response.id AND score.name = asked.score AND score.number IS NOT NULL
             ORDER BY asked.participant, asked.number, response.day, response.completed_at DESC) AS each_day
     GROUP BY participant, number
"""


class _Rows:
    """The values of participants as they are saved, read at once: scores of visits, and means of the diary's days."""

    def __init__(self, participants: Sequence[Participant]) -> None:
        self.scores: dict[int, list[ScoreRow]] = defaultdict(list)
        self.diary: dict[tuple[int, str], list[Value]] = defaultdict(list)
        self.first: dict[int, float] = {}
        self._followed: dict[int, list[Measure]] = {}
        keys = [person.pk for person in participants]
        sources = {s for person in participants for measure in self.followed(person) for s in measure.sources}
        self._read_scores(keys, sources)
        self._read_diary(participants)
        if QST in sources:
            self._read_composites(keys)

    def followed(self, person: Participant) -> list[Measure]:
        """The measures of a participant's protocol version, judged once a version."""
        key = person.protocol_version_id
        if key not in self._followed:
            self._followed[key] = followed(person)
        return self._followed[key]

    def _read_scores(self, keys: Sequence[int], sources: Iterable[Source]) -> None:
        wanted = Q(pk__in=[])
        for instrument, name in sources:
            wanted |= Q(response__instrument__key=instrument, name=name)
        at_visits = {"response__minute__isnull": True, "response__day__isnull": True}
        rows = (
            Score.objects.filter(wanted, participant__in=keys, number__isnull=False, **at_visits)
            .annotate(at=Extract("response__completed_at", "epoch"))
            .order_by("at")
            .values_list(
                "participant_id",
                "response__instrument__key",
                "name",
                "response__visit__code",
                "response__visit__position",
                "at",
                "number",
            )
        )
        for key, instrument, name, visit, position, at, number in rows:
            self.first.setdefault(key, float(at))
            self.scores[key].append(((instrument, name), visit, position, float(at), number or 0.0))

    def _read_composites(self, keys: Sequence[int]) -> None:
        rows = (
            QSTValue.objects.filter(participant__in=keys, area="test", parameter="composite", value__isnull=False)
            .annotate(at=Extract("session__tested_at", "epoch"))
            .values_list("participant_id", "session__visit__code", "session__visit__position", "at", "value")
        )
        for key, visit, position, moment, value in rows:
            at = float(moment)
            self.first[key] = min(at, self.first.get(key, at))
            self.scores[key].append((QST, visit, position, at, value or 0.0))

    def _read_diary(self, participants: Sequence[Participant]) -> None:
        windows: list[tuple[Measure, Timepoint]] = []
        asked = []
        for person in participants:
            day0 = _day0(person)
            if day0 is None:
                continue
            for measure, window in self._windows_of(person):
                instrument, score = measure.source
                of = {"participant": person.pk, "instrument": instrument, "score": score, "number": len(windows)}
                first, last = ((day0 + timedelta(days=day)).isoformat() for day in window.days or (0, -1))
                asked.append(of | {"first": first, "last": last})
                windows.append((measure, window))
        if not asked:
            return
        with connection.cursor() as cursor:
            cursor.execute(_WINDOW_MEANS, [json.dumps(asked)])
            for key, number, mean, days in cursor.fetchall():
                measure, window = windows[number]
                if days >= window.at_least:
                    self.diary[key, measure.key].append((window.code, sum(window.days or ()) / 2, mean))

    def _windows_of(self, person: Participant) -> list[tuple[Measure, Timepoint]]:
        """Over which days the diary's own measure is averaged; none without a diary."""
        diary = cached_definition(person.protocol_version.source).diary
        return [
            (measure, window)
            for measure in self.followed(person)
            if diary is not None and measure.source[0] == diary.instrument
            for window in windows_of(person.protocol_version, measure.source)
        ]


def _day0(person: Participant) -> date | None:
    """The site's day of the infusion, or that which it is planned for."""
    infusion = getattr(person, "infusion", None)
    return site_day(person, infusion.started_at) if infusion else person.planned_infusion_on


def _line(person: Participant, measure: Measure, rows: _Rows, when: _When) -> Iterable[Value]:
    for source, visit, position, at, value in rows.scores[person.pk]:
        if source in measure.sources:
            yield visit, when.place(at, position), value
    yield from rows.diary[person.pk, measure.key]


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


def _beside_baseline(line: Sequence[Value], measure: Measure, version: ProtocolVersion, when: _When) -> list[Point]:
    """A line with its baseline marked and the change of each later value."""
    place = _baseline_place(line, baseline_code(version, measure), when)
    baseline = None if place is None else line[place]
    scale = scale_of(measure)
    points = []
    for number, (visit, day, value) in enumerate(line):
        later = baseline is not None and number != place and day > baseline[1]
        change = change_of(value, baseline[2], scale) if baseline is not None and later else None
        about = (measure.dimension, measure.label, visit, day, value, measure.key)
        points.append(Point(*about, number == place, change))
    return points


def _baseline_place(line: Sequence[Value], code: str, when: _When) -> int | None:
    """The value that the protocol calls baseline, else the last before the infusion, else the first visit of all."""
    named = next((number for number, (visit, _, _) in enumerate(line) if visit == code), None)
    if named is not None or not line:
        return named
    if when.axis == "Visits in order":
        return 0
    if when.axis != "Days from the infusion":
        return None
    before = [number for number, (_, day, _) in enumerate(line) if day < 0]
    return before[-1] if before else None
