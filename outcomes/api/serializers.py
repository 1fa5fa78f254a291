"""How measurements look in the API."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.validators import MinValueValidator
from rest_framework import serializers

from outcomes.api.entry_fields import AnswersField, MomentField
from outcomes.models import Response, ResponseItem, Score
from studies.api.records import STAMPS
from studies.api.serializers import OfParticipant
from studies.models import Visit

# How a form is taken through the API: participants have a door of their own, imports and devices theirs.
TAKEN = [(source.value, source.label) for source in (Response.Source.STAFF, Response.Source.PAPER)]

EARLIEST = date(1950, 1, 1)
_NO_DAY = f"No diary was kept before {EARLIEST}. Check the year."


class ResponseSerializer(OfParticipant):
    visit = serializers.SlugRelatedField[Visit](slug_field="code", read_only=True, allow_null=True)
    instrument = serializers.CharField(source="instrument.key", read_only=True)
    instrument_version = serializers.CharField(source="instrument.version", read_only=True)

    class Meta:
        model = Response
        fields = (
            "id",
            "participant",
            "visit",
            "day",
            "minute",
            "respondent",
            "instrument",
            "instrument_version",
            "status",
            "not_done_reason",
            "source",
            "completed_at",
            "days_late",
            "proxy",
            "language",
            "wording_version",
            *STAMPS,
        )


class OfResponse(serializers.ModelSerializer[Any]):
    """A row that hangs on a response."""

    response_id = serializers.IntegerField(read_only=True)
    participant = serializers.CharField(source="response.participant.identifier", read_only=True)
    visit = serializers.CharField(source="response.visit.code", read_only=True, allow_null=True, default=None)
    day = serializers.DateField(source="response.day", read_only=True, allow_null=True)
    instrument = serializers.CharField(source="response.instrument.key", read_only=True)


OF_RESPONSE = ("id", "response_id", "participant", "visit", "day", "instrument")


class ResponseItemSerializer(OfResponse):
    class Meta:
        model = ResponseItem
        fields = (*OF_RESPONSE, "item", "value", "missing_reason", *STAMPS)


class ScoreSerializer(OfResponse):
    class Meta:
        model = Score
        fields = (
            *OF_RESPONSE,
            "name",
            "number",
            "text",
            "missing_reason",
            "scoring_version",
            "imported",
            "source_column",
            *STAMPS,
        )


# What requests bring ----------------------------------------------------------------------------------


class ResponseBody(serializers.Serializer[Any]):
    participant = serializers.CharField(help_text="The participant's identifier")
    visit = serializers.CharField(required=False, help_text="The visit's code; or give a day")
    day = serializers.DateField(
        required=False, help_text="The diary day", validators=[MinValueValidator(EARLIEST, _NO_DAY)]
    )
    minute = serializers.IntegerField(required=False, help_text="Minutes from the start of the infusion")
    respondent = serializers.ChoiceField(choices=Response.Respondent.choices, required=False, default="")
    instrument = serializers.CharField()
    completed_at = MomentField()
    items = AnswersField(required=False, default=dict, help_text="Coded values by item")
    missing = serializers.DictField(child=serializers.CharField(), required=False, default=dict)
    status = serializers.ChoiceField(choices=["not_done", "refused"], required=False, default="")
    not_done_reason = serializers.CharField(required=False, default="")
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=TAKEN, required=False, default="staff", help_text="paper: transcribed"
    )
    proxy = serializers.ChoiceField(
        choices=Response.Proxy.choices, required=False, default="", help_text="Who answered in the participant's place"
    )


class CircumstancesBody(serializers.Serializer[Any]):
    """How a saved form was taken; what is left out stays."""

    completed_at = MomentField(required=False, help_text="When it was answered; days late follow")
    source = serializers.ChoiceField(choices=TAKEN, required=False)  # type: ignore[assignment]
    proxy = serializers.ChoiceField(choices=Response.Proxy.choices, required=False, allow_blank=True)
    language = serializers.CharField(required=False, allow_blank=True, help_text="A tag such as de; empty: labels")
    reason = serializers.CharField()


class CorrectionBody(serializers.Serializer[Any]):
    items = AnswersField()
    missing = serializers.DictField(child=serializers.CharField(), required=False, default=dict)
    reason = serializers.CharField()
