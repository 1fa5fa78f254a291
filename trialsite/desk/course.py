"""Courses over time: of a participant, as a card of its page, and of a study's participants together, arms pooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from outcomes.change import Scale
from outcomes.course import Point, axis_of, course_of, followed
from outcomes.group_course import FEWEST, group_course
from outcomes.measures import DIMENSIONS, Measure, scale_of
from outcomes.scoring.instrument import ImportantDifference
from studies.models import Participant, Study
from studies.permissions import visible_sites, visible_studies
from trialsite.desk.course_plot import course_plot, group_plot
from trialsite.desk.page import View, page, user_of

_CROSSED = {"better": "better", "worse": "worse", "neither": "no", None: ""}


@dataclass(frozen=True, slots=True)
class Row:
    """One value in the table beside the drawing, in words."""

    visit: str
    value: str
    change: str
    percent: str
    responder: str
    important: str


def course_card(person: Participant) -> dict[str, Any]:
    """What the card of the course shows: the drawing, and per measure its rows."""
    points, axis = course_of(person), axis_of(person)
    measures = followed(person)
    scales = {measure.key: scale_of(measure) for measure in measures}
    bands = {
        key: scale.important.change
        for key, scale in scales.items()
        if scale.important and scale.important.unit == "points"
    }
    return {
        "course_plot": course_plot(points, axis, bands),
        "course_axis": axis,
        "course_tables": [
            _table(measure, scales[measure.key], rows)
            for measure in measures
            if (rows := [_row(point) for point in points if point.measure == measure.key])
        ],
    }


def _table(measure: Measure, scale: Scale, rows: list[Row]) -> dict[str, Any]:
    """One measure in numbers; a column that has nothing to say is left out."""
    return {
        "label": measure.label,
        "dimension": DIMENSIONS[measure.dimension],
        "important": _stated(scale.important),
        "percents": scale.begins_at_zero,
        "rows": rows,
    }


def _row(point: Point) -> Row:
    change = point.change
    value = f"{point.value:.1f}"
    if change is None:
        return Row(point.visit, value, "baseline" if point.baseline else "", "", "", "")
    return Row(
        point.visit,
        value,
        f"{change.change:+.1f}",
        "" if change.percent is None else f"{change.percent:+.0f} %",
        "≥ 50 %" if change.responder_50 else "≥ 30 %" if change.responder_30 else "",
        _CROSSED[change.important],
    )


def _stated(important: ImportantDifference | None) -> str:
    """The important difference of a score: 1 point (minimal), or nothing where none is known."""
    if important is None:
        return ""
    unit = "%" if important.unit == "percent" else "point" if important.change == 1 else "points"
    return f"{important.change:g} {unit} ({important.meaning})"


def study_course(request: HttpRequest, code: str) -> HttpResponse:
    """How the participants of a study fare together, at one site or all that the person sees."""
    user = user_of(request)
    study: Study = get_object_or_404(visible_studies(user), code=code)
    sites = list(visible_sites(user).filter(study=study).order_by("code").values_list("code", flat=True))
    site = request.GET.get("site", "")
    if site and site not in sites:
        raise Http404
    course = group_course(user, study=study, site=site)
    tables = [
        {
            "label": line.measure.label,
            "dimension": DIMENSIONS[line.measure.dimension],
            "important": _stated(line.important),
            "percents": any(point.responder_30.n for point in line.points),
            "points": line.points,
        }
        for line in course.lines
    ]
    return page(
        request,
        "study_course.html",
        room="study",
        title=f"Course of the participants of {study.code}",
        study=study,
        sites=sites,
        site=site,
        course=course,
        plot=group_plot(course),
        tables=tables,
        fewest=FEWEST,
    )


urls: list[tuple[str, View, str]] = [("study/<slug:code>/course/", study_course, "study_course")]
