"""How cuts, looks and jobs look in the API. A cut is known by its name, a look by its study and number."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from analysis.models import DataCut, Job, Look, Recommendation
from studies.api.records import STAMPS
from studies.models import Study


class CutSerializer(serializers.ModelSerializer[DataCut]):
    study = serializers.SlugRelatedField[Study](slug_field="code", read_only=True)

    class Meta:
        model = DataCut
        fields = (
            "id",
            "name",
            "study",
            "status",
            "ordered_by",
            "taken_at",
            "manifest_sha256",
            "rows",
            "cells",
            *STAMPS,
        )


class LookSerializer(serializers.ModelSerializer[Look]):
    study = serializers.SlugRelatedField[Study](slug_field="code", read_only=True)
    cut = serializers.SlugRelatedField[DataCut](slug_field="name", read_only=True)
    plan_version = serializers.CharField(source="plan.version", read_only=True)
    plan_sha256 = serializers.CharField(source="plan.sha256", read_only=True)
    dsmb_recommends = serializers.ChoiceField(
        choices=Recommendation.Says.choices,
        source="recommendation.says",
        read_only=True,
        allow_null=True,
        help_text="As released by the DSMB, without its grounds; null before",
    )

    class Meta:
        model = Look
        fields = (
            "id",
            "study",
            "number",
            "planned",
            "unplanned_reason",
            "cut",
            "plan_version",
            "plan_sha256",
            "status",
            "closed_status",
            "dsmb_recommends",
            "ordered_by",
            *STAMPS,
        )


class JobSerializer(serializers.ModelSerializer[Job]):
    study = serializers.SlugRelatedField[Study](slug_field="code", read_only=True)
    cut = serializers.SlugRelatedField[DataCut](slug_field="name", read_only=True)
    look = serializers.SlugRelatedField[Look](slug_field="number", read_only=True)
    failure_text = serializers.CharField(source="get_failure_display", read_only=True)

    class Meta:
        model = Job
        fields = (
            "id",
            "kind",
            "side",
            "study",
            "cut",
            "look",
            "status",
            "failure",
            "failure_text",
            "attempt",
            "done_steps",
            "all_steps",
            "ordered_by",
            "ordered_at",
            "heartbeat_at",
            "finished_at",
        )


class DatasetSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="The file's name among the files of the cut")
    kind = serializers.CharField(
        help_text="adsl: a row per participant; adqs: per participant, parameter and timepoint"
    )
    rows = serializers.IntegerField()
    sha256 = serializers.CharField(help_text="As in about.datasets of the result")


# What requests bring ----------------------------------------------------------------------------------


class CutBody(serializers.Serializer[Any]):
    study = serializers.CharField(help_text="The study's code")


class LookBody(serializers.Serializer[Any]):
    study = serializers.CharField(help_text="The study's code")
    number = serializers.IntegerField(
        required=False, default=0, help_text="Of a planned look; an unplanned one gets the next"
    )
    cut = serializers.CharField(required=False, help_text="The name of a cut; without it, one is taken")
    unplanned_reason = serializers.CharField(
        required=False, default="", allow_blank=True, help_text="Makes it an unplanned look, which spends alpha"
    )
