"""Courses over time by arm, in the API of the closed door."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analysis.closed_courses import courses_of_cut
from outcomes.api.timelines import MeanSerializer
from trialsite.closed.api import PRIVATE, ClosedView


class ArmPoints(serializers.Serializer[Any]):
    timepoint = serializers.CharField()
    baseline = serializers.BooleanField()
    value = MeanSerializer()
    change = MeanSerializer(help_text="From baseline")
    improvement_sd = MeanSerializer(help_text="In standard deviations of the baseline of both arms; positive is better")
    responder_30 = serializers.FloatField(allow_null=True, help_text="Share at least 30 per cent better")
    responder_50 = serializers.FloatField(allow_null=True)
    better = serializers.FloatField(allow_null=True, help_text="Share better by the important difference")
    worse = serializers.FloatField(allow_null=True)


class ArmLine(serializers.Serializer[Any]):
    endpoint = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    arm = serializers.CharField()
    arm_label = serializers.CharField()
    baseline_sd = serializers.FloatField(allow_null=True)
    points = ArmPoints(many=True)


class ArmTimeline(serializers.Serializer[Any]):
    study = serializers.CharField()
    cut = serializers.CharField()
    lines = ArmLine(many=True)


class CutTimelineView(ClosedView):
    """How the arms fare over time in an unblinded cut; descriptive, without a test."""

    @extend_schema(responses=ArmTimeline)
    def get(self, request: Request, cut: str) -> Response:
        courses = courses_of_cut(self.account, study=self.study, cut=cut)
        if courses is None:
            raise Http404
        told = {"study": self.study.code, "cut": cut, "lines": [asdict(course) for course in courses]}
        return Response(ArmTimeline(told).data, headers=PRIVATE)
