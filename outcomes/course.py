"""The course of one participant: pain, affect, mood and QST on one timeline, with the infusion marked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from outcomes.models import QSTValue, Score
from studies.models import Infusion, Participant, Study

# (dimension, label, instrument, score) of what is drawn: one line a dimension (DOMAIN: S, A, M; QST apart).
LINES = (
    ("S", "Pain severity", "bpi_sf", "severity"),
    ("A", "Affective pain", "sf_mpq_2", "affective"),
    ("A", "Affective pain", "sf_mpq_2_24h", "affective"),
    ("M", "Mood (MADRS)", "madrs", "total"),
)


@dataclass(frozen=True, slots=True)
class Point:
    """One value: `day` counts from the infusion (negative before it), or from the first value without one.

    Where the visits of an imported study have an order but no days, `day` is the place of the visit in that order.
    """

    dimension: str
    label: str
    visit: str
    day: float
    value: float


def course_of(participant: Participant) -> list[Point]:
    """The values drawn, in order of time."""
    infusion: Infusion | None = getattr(participant, "infusion", None)
    points = _scores(participant) + _composites(participant)
    if not points:
        return []
    if participant.study.origin == Study.Origin.IMPORTED:
        places = dict(participant.visits.values_list("code", "position"))
        return sorted(
            (Point(dimension, label, visit, places[visit], value) for _, dimension, label, visit, value in points),
            key=lambda point: (point.label, point.day),
        )
    origin = infusion.started_at if infusion else min(at for at, *_ in points)
    return [
        Point(dimension, label, visit, (at - origin).total_seconds() / 86400, value)
        for at, dimension, label, visit, value in sorted(points)
    ]


Row = tuple[datetime, str, str, str, float]


def _scores(participant: Participant) -> list[Row]:
    names = {(instrument, score): (dimension, label) for dimension, label, instrument, score in LINES}
    rows = Score.objects.filter(
        participant=participant,
        number__isnull=False,
        response__visit__isnull=False,
        response__instrument__key__in={line[2] for line in LINES},
    ).values_list("response__completed_at", "response__instrument__key", "name", "response__visit__code", "number")
    return [
        (at, *names[instrument, name], visit, float(number or 0))
        for at, instrument, name, visit, number in rows
        if (instrument, name) in names
    ]


def _composites(participant: Participant) -> list[Row]:
    rows = QSTValue.objects.filter(
        participant=participant, area="test", parameter="composite", value__isnull=False
    ).values_list("session__tested_at", "session__visit__code", "value")
    return [(at, "Q", "QST composite", visit, float(value or 0)) for at, visit, value in rows]


Axis = Literal["Days from the infusion", "Days from the first answer", "Visits in order"]


def axis_of(participant: Participant) -> Axis:
    """What `Point.day` counts for a participant."""
    if participant.study.origin == Study.Origin.IMPORTED:
        return "Visits in order"
    return "Days from the infusion" if getattr(participant, "infusion", None) else "Days from the first answer"
