"""Courses over time in the API: of one participant, and of a group with its arms pooled."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from outcomes.course import axis_of, course_of, followed, with_spreads
from outcomes.group_course import FEWEST, GroupLine, baseline_spreads, group_course
from outcomes.measures import DIMENSIONS, Measure, scale_of
from outcomes.scoring.instrument import ImportantDifference
from studies.api.records import ActingMixin
from studies.api.views import acting_user
from studies.models import Participant
from studies.permissions import visible_sites, visible_studies
from studies.visits import site_day

_OPEN: dict[str, Any] = {"allow_null": True}


class ImportantDifferenceSerializer(serializers.Serializer[Any]):
    change = serializers.FloatField()
    unit = serializers.ChoiceField(choices=["points", "percent"])
    meaning = serializers.ChoiceField(choices=["minimal", "moderate"])
    cite = serializers.CharField()


class MeasureSerializer(serializers.Serializer[Any]):
    measure = serializers.CharField()
    dimension = serializers.ChoiceField(choices=list(DIMENSIONS))
    dimension_name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    sources = serializers.ListField(child=serializers.CharField(), help_text="instrument.score")
    higher_is = serializers.CharField(help_text="worse, better or neither")
    important_difference = ImportantDifferenceSerializer(**_OPEN)
    baseline_sd = serializers.FloatField(
        help_text="Standard deviation of the pooled baseline; null below 10 values", **_OPEN
    )


class ChangeSerializer(serializers.Serializer[Any]):
    change = serializers.FloatField(help_text="value - baseline")
    percent = serializers.FloatField(help_text="100 change / baseline; null where the scale has no zero", **_OPEN)
    improvement_sd = serializers.FloatField(help_text="In baseline standard deviations; positive is better", **_OPEN)
    responder_30 = serializers.BooleanField(help_text="At least 30 per cent better", **_OPEN)
    responder_50 = serializers.BooleanField(**_OPEN)
    responder_sd = serializers.BooleanField(help_text="At least half a standard deviation better", **_OPEN)
    important = serializers.ChoiceField(
        choices=["better", "worse", "neither"], help_text="Whether the important difference is crossed", **_OPEN
    )


class TimelinePointSerializer(serializers.Serializer[Any]):
    visit = serializers.CharField(help_text="A visit, or days of the diary, by code")
    day = serializers.FloatField(help_text="See `axis`")
    value = serializers.FloatField()
    baseline = serializers.BooleanField()
    change = ChangeSerializer(**_OPEN)


class LineSerializer(MeasureSerializer):
    points = TimelinePointSerializer(many=True)


class TimelineSerializer(serializers.Serializer[Any]):
    participant = serializers.CharField()
    axis = serializers.CharField()
    infusion_on = serializers.DateField(**_OPEN)
    lines = LineSerializer(many=True)


class MeanSerializer(serializers.Serializer[Any]):
    n = serializers.IntegerField()
    mean = serializers.FloatField(**_OPEN)
    sd = serializers.FloatField(**_OPEN)
    low = serializers.FloatField(help_text="Of the 95 % interval", **_OPEN)
    high = serializers.FloatField(**_OPEN)


class ShareSerializer(serializers.Serializer[Any]):
    n = serializers.IntegerField()
    count = serializers.IntegerField(**_OPEN)


class GroupPointSerializer(serializers.Serializer[Any]):
    visit = serializers.CharField()
    day = serializers.FloatField(help_text="The mean of the participants' days")
    baseline = serializers.BooleanField()
    value = MeanSerializer()
    change = MeanSerializer()
    responder_30 = ShareSerializer()
    responder_50 = ShareSerializer()
    responder_sd = ShareSerializer()
    better = ShareSerializer(help_text="Better by the important difference")
    worse = ShareSerializer()


class GroupLineSerializer(MeasureSerializer):
    points = GroupPointSerializer(many=True)


class GroupTimelineSerializer(serializers.Serializer[Any]):
    study = serializers.CharField()
    site = serializers.CharField(**_OPEN)
    participants = serializers.IntegerField()
    arms = serializers.ChoiceField(choices=["pooled"])
    fewest = serializers.IntegerField(help_text="Below so many values a time gives their number only")
    axis = serializers.CharField()
    lines = GroupLineSerializer(many=True)


def timeline_of(participant: Participant) -> dict[str, Any]:
    """The course of one participant as the API gives it."""
    measures, spreads = followed(participant), baseline_spreads(participant.study)
    points = with_spreads(course_of(participant), measures, spreads)
    infusion = getattr(participant, "infusion", None)
    lines = []
    for measure in measures:
        own = [point for point in points if point.measure == measure.key]
        about = _about(measure, scale_of(measure).higher_is, scale_of(measure).important, spreads.get(measure.key))
        lines.append({**about, "points": [asdict(point) for point in own]})
    return {
        "participant": participant.identifier,
        "axis": axis_of(participant),
        "infusion_on": site_day(participant, infusion.started_at) if infusion else None,
        "lines": lines,
    }


def _about(
    measure: Measure, higher_is: str, important: ImportantDifference | None, spread: float | None
) -> dict[str, Any]:
    return {
        "measure": measure.key,
        "dimension": measure.dimension,
        "dimension_name": DIMENSIONS[measure.dimension],
        "label": measure.label,
        "sources": [".".join(source) for source in measure.sources],
        "higher_is": higher_is,
        "important_difference": important.model_dump() if important else None,
        "baseline_sd": spread,
    }


def _group_line(line: GroupLine) -> dict[str, Any]:
    about = _about(line.measure, line.higher_is, line.important, line.spread)
    return {**about, "points": [asdict(point) for point in line.points]}


class StudyTimelineView(ActingMixin):
    """How the participants of a study fare over time."""

    @extend_schema(
        operation_id="studies_timeline",
        parameters=[OpenApiParameter("site", OpenApiTypes.STR, description="Only this site, by its code")],
        responses=GroupTimelineSerializer,
    )
    def get(self, request: Request, code: str) -> Response:
        """The course of the randomised participants that the caller sees, arms pooled: nobody here knows an arm."""
        user = acting_user(request)
        study = get_object_or_404(visible_studies(user), code=code)
        site = request.query_params.get("site", "")
        if site:
            get_object_or_404(visible_sites(user), study=study, code=site)
        course = group_course(user, study=study, site=site)
        told = {
            "study": study.code,
            "site": site or None,
            "participants": course.participants,
            "arms": "pooled",
            "fewest": FEWEST,
            "axis": course.axis,
            "lines": [_group_line(line) for line in course.lines],
        }
        return Response(GroupTimelineSerializer(told).data)
