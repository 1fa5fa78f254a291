"""How records of design and conduct look in the API. Participants are known by identifier, visits by code."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from studies.api.records import STAMPS
from studies.models import (
    AdverseEvent,
    Allocation,
    Consent,
    CriterionResult,
    Deviation,
    EligibilityDecision,
    Infusion,
    IntercurrentEvent,
    Participant,
    Site,
    StratumCorrection,
    Study,
    Visit,
)

# The largest whole number that a double holds exactly; nothing that is measured comes near it.
MAX_NUMBER = 2**53


class OfParticipant(serializers.ModelSerializer[Any]):
    """A record that hangs on a participant."""

    participant = serializers.SlugRelatedField[Participant](slug_field="identifier", read_only=True)


class StudySerializer(serializers.ModelSerializer[Study]):
    class Meta:
        model = Study
        fields = ("id", "code", "title", "origin", "demonstration", "time_zone", *STAMPS)


class SiteSerializer(serializers.ModelSerializer[Site]):
    study = serializers.SlugRelatedField[Study](slug_field="code", read_only=True)

    class Meta:
        model = Site
        fields = ("id", "study", "code", "name", "country", "time_zone", *STAMPS)


class ParticipantSerializer(serializers.ModelSerializer[Participant]):
    study = serializers.SlugRelatedField[Study](slug_field="code", read_only=True)
    site = serializers.SlugRelatedField[Site](slug_field="code", read_only=True)
    protocol_version = serializers.CharField(source="protocol_version.version", read_only=True)

    class Meta:
        model = Participant
        fields = (
            "id",
            "identifier",
            "study",
            "site",
            "protocol_version",
            "screening_number",
            "status",
            "sex",
            "birth",
            "age_years",
            "planned_infusion_on",
            "ended_on",
            "end_reason",
            *STAMPS,
        )


class VisitSerializer(OfParticipant):
    class Meta:
        model = Visit
        fields = (
            "id",
            "participant",
            "code",
            "position",
            "target_on",
            "opens_at",
            "closes_at",
            "started_at",
            "status",
            "missed_reason",
            "out_of_window",
            *STAMPS,
        )


class ConsentSerializer(OfParticipant):
    class Meta:
        model = Consent
        fields = ("id", "participant", "version", "signed_at", "withdrawn_at", "withdrawal_scope", *STAMPS)


class CriterionResultSerializer(OfParticipant):
    class Meta:
        model = CriterionResult
        fields = ("id", "participant", "criterion", "result", "answer", "comment", *STAMPS)


class EligibilityDecisionSerializer(OfParticipant):
    class Meta:
        model = EligibilityDecision
        fields = ("id", "participant", "included", "decided_at", "failed_criteria", *STAMPS)


class AllocationSerializer(OfParticipant):
    class Meta:
        model = Allocation
        fields = (
            "id",
            "participant",
            "strata",
            "randomisation_number",
            "kit_number",
            "allocated_at",
            *STAMPS,
        )


class DeviationSerializer(OfParticipant):
    class Meta:
        model = Deviation
        fields = ("id", "participant", "kind", "severity", "occurred_on", "description", *STAMPS)


class IntercurrentEventSerializer(OfParticipant):
    class Meta:
        model = IntercurrentEvent
        fields = ("id", "participant", "event", "started_on", "ended_on", "description", "source", *STAMPS)


class StratumCorrectionSerializer(OfParticipant):
    stratum = serializers.SlugRelatedField[Any](slug_field="code", read_only=True)

    class Meta:
        model = StratumCorrection
        fields = ("id", "participant", "stratum", "reason", *STAMPS)


class InfusionSerializer(OfParticipant):
    class Meta:
        model = Infusion
        fields = (
            "id",
            "participant",
            "kit_number",
            "weight_kg",
            "planned_volume_ml",
            "planned_rate_ml_h",
            "started_at",
            "ended_at",
            "delivered_volume_ml",
            "delivered_percent",
            "pump_volume_ml",
            *STAMPS,
        )


class AdverseEventSerializer(OfParticipant):
    class Meta:
        model = AdverseEvent
        fields = (
            "id",
            "participant",
            "number",
            "term",
            "started_on",
            "ended_on",
            "grade",
            "serious",
            "seriousness",
            "relatedness",
            "outcome",
            "treatment_emergent",
            *STAMPS,
        )


# What requests bring ----------------------------------------------------------------------------------


class EnrolBody(serializers.Serializer[Any]):
    site = serializers.CharField(help_text="The site's code")
    study = serializers.CharField(help_text="The study's code")
    sex = serializers.ChoiceField(choices=Participant.Sex.choices)
    birth = serializers.RegexField(r"^\d{4}(-(0[1-9]|1[0-2]))?$", help_text="1974 or 1974-05")


class ConsentBody(serializers.Serializer[Any]):
    version = serializers.CharField()
    signed_at = serializers.DateTimeField()
    age_years = serializers.IntegerField(required=False, help_text="Where the birth leaves the age open")


class PlanBody(serializers.Serializer[Any]):
    on = serializers.DateField(help_text="The day of the infusion, on the site's calendar")


@extend_schema_field({"oneOf": [{"type": "number"}, {"type": "boolean"}, {"type": "string"}]})
class FindingValueField(serializers.Field[Any, Any, Any, Any]):
    """A number, yes or no, or a word, as the protocol asks for it."""

    def to_internal_value(self, data: Any) -> float | bool | str:
        if isinstance(data, bool | str) or (isinstance(data, int | float) and abs(data) <= MAX_NUMBER):
            return data
        raise serializers.ValidationError("Give a number, true or false, or a text.")


class FindingsBody(serializers.Serializer[Any]):
    form = serializers.CharField(help_text="One of the site's forms, such as medical_history")
    values = serializers.DictField(child=FindingValueField(), help_text="What was found, by finding")
    reason = serializers.CharField(required=False, default="", allow_blank=True)


class CriteriaBody(serializers.Serializer[Any]):
    answers = serializers.DictField(child=serializers.ChoiceField(choices=CriterionResult.Result.choices))
    comment = serializers.CharField(required=False, default="", allow_blank=True)
    reason = serializers.CharField(required=False, default="", allow_blank=True)


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="For the header Authorization: Token ...")


class EligibilityBody(serializers.Serializer[Any]):
    included = serializers.BooleanField()
    decided_at = serializers.DateTimeField()
    reason = serializers.CharField(required=False, default="", allow_blank=True)


class IntercurrentEventBody(serializers.Serializer[Any]):
    participant = serializers.CharField(help_text="The participant's identifier")
    event = serializers.CharField(help_text="Its number in the protocol, such as ICE-2")
    started_on = serializers.DateField()
    ended_on = serializers.DateField(required=False, allow_null=True, default=None)
    description = serializers.CharField(max_length=300)
    source = serializers.ChoiceField(choices=IntercurrentEvent.Source.choices)  # type: ignore[assignment]


class AdverseEventBody(serializers.Serializer[Any]):
    participant = serializers.CharField(help_text="The participant's identifier")
    term = serializers.CharField(max_length=200)
    started_on = serializers.CharField(help_text="2026, 2026-11 or 2026-11-24")
    ended_on = serializers.CharField(required=False, default="", allow_blank=True)
    grade = serializers.IntegerField()
    relatedness = serializers.ChoiceField(choices=AdverseEvent.Relatedness.choices)
    outcome = serializers.ChoiceField(choices=AdverseEvent.Outcome.choices)
    serious = serializers.BooleanField(required=False, default=False)
    seriousness = serializers.ListField(child=serializers.CharField(), required=False, default=list)
