"""How sealed looks, unblinded cuts and kits look in the API of the closed door."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from analysis.closed_reading import UnblindedCut
from analysis.models import DataCut, Look
from studies.kits import KitPreparation


class ClosedLook(serializers.ModelSerializer[Look]):
    status = serializers.ChoiceField(choices=Look.Status.choices, source="closed_status", read_only=True)
    cut = serializers.SlugRelatedField[DataCut](slug_field="name", read_only=True)
    plan_version = serializers.CharField(source="plan.version", read_only=True)

    class Meta:
        model = Look
        fields = ("number", "planned", "unplanned_reason", "status", "cut", "plan_version")


class ClosedLooks(serializers.Serializer[Any]):
    results = ClosedLook(many=True)


class CutOfArms(serializers.Serializer[UnblindedCut]):
    name = serializers.CharField(source="cut.name")
    taken_at = serializers.DateTimeField(source="cut.taken_at")
    manifest_sha256 = serializers.CharField()
    files = serializers.ListField(child=serializers.CharField())


class UnblindedCuts(serializers.Serializer[Any]):
    results = CutOfArms(many=True)


class KitBody(serializers.Serializer[Any]):
    kit = serializers.CharField(help_text="A kit number or a participant's identifier")
    weight_kg = serializers.DecimalField(
        max_digits=4,
        decimal_places=1,
        required=False,
        help_text="As measured on the day; without it, the newest on record",
    )


class PreparedKit(serializers.Serializer[KitPreparation]):
    participant = serializers.CharField()
    site = serializers.CharField()
    kit_number = serializers.CharField()
    weight_kg = serializers.FloatField()
    weight_from = serializers.CharField()
    drug = serializers.CharField()
    dose_mg = serializers.FloatField()
    capped_at_mg = serializers.FloatField(allow_null=True)
    concentration_mg_per_ml = serializers.FloatField()
    volume_ml = serializers.FloatField()
    rate_ml_h = serializers.FloatField()
    minutes = serializers.IntegerField()
