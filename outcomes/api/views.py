"""Responses and scores. Arm-revealing instruments are not here for those who rate or analyse efficacy."""

from __future__ import annotations

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response as Answer

from outcomes import responses
from outcomes.api import serializers
from outcomes.api.entry_fields import EachNameOnceParser
from outcomes.api.timelines import TimelineSerializer, timeline_of
from outcomes.arm_revealing import visible_responses
from outcomes.circumstances import correct_circumstances
from outcomes.diary import note_diary_findings
from outcomes.models import Response, ResponseItem, Score
from studies.api.records import RecordView, body_of, presented
from studies.api.views import ParticipantView as ParticipantViewOfStudies
from studies.api.views import acting_user, visible_participant
from studies.models import Participant, User


class ParticipantView(ParticipantViewOfStudies):
    """Participants, by identifier; and the steps from enrolment to randomisation."""

    def gather_findings(self, participant: Participant) -> None:
        note_diary_findings(acting_user(self.request), participant=participant)

    @extend_schema(responses=TimelineSerializer)
    @action(detail=True)
    def timeline(self, request: Request, identifier: str) -> Answer:
        """Pain, its dimensions, mood and QST over time: values, change from baseline, responders."""
        people = self.get_queryset().select_related("infusion")
        participant = get_object_or_404(people, identifier=identifier)
        return presented(TimelineSerializer, timeline_of(participant))


class ResponseView(RecordView):
    """Questionnaires and diaries as they were filled in."""

    parser_classes = (EachNameOnceParser,)
    serializer_class = serializers.ResponseSerializer
    filterset_fields = (
        "participant__identifier",
        "participant__study__code",
        "instrument__key",
        "visit__code",
        "day",
        "status",
    )

    def visible(self, user: User) -> QuerySet[Response]:
        return Response.objects.select_related("participant", "visit", "instrument").filter(visible_responses(user))

    @extend_schema(request=serializers.ResponseBody, responses={201: serializers.ResponseSerializer})
    def create(self, request: Request) -> Answer:
        """Enter a questionnaire or a diary day. It is checked item by item and scored."""
        body = dict(body_of(serializers.ResponseBody, request))
        participant = visible_participant(request, body.pop("participant"))
        code = body.pop("visit", None)
        visit = get_object_or_404(participant.visits, code=code) if code else None
        entry = responses.ResponseEntry(participant=participant, visit=visit, **body)
        saved = responses.save_response(acting_user(request), entry=entry)
        return presented(serializers.ResponseSerializer, saved, status=201)

    @extend_schema(request=serializers.CorrectionBody, responses={200: serializers.ResponseSerializer})
    @action(detail=True, methods=["post"])
    def correct(self, request: Request, pk: int) -> Answer:
        """Change answers of a saved form, with a reason. What stood there before stays in the audit trail."""
        body = body_of(serializers.CorrectionBody, request)
        response = get_object_or_404(self.get_queryset(), pk=pk)
        corrected = responses.correct_response(acting_user(request), response=response, **body)
        return presented(serializers.ResponseSerializer, corrected)

    @extend_schema(request=serializers.CircumstancesBody, responses={200: serializers.ResponseSerializer})
    @action(detail=True, methods=["post"])
    def circumstances(self, request: Request, pk: int) -> Answer:
        """Correct how a form was taken: when, from paper, by a proxy, in which language; with a reason."""
        body = dict(body_of(serializers.CircumstancesBody, request))
        response = get_object_or_404(self.get_queryset(), pk=pk)
        reason = body.pop("reason")
        corrected = correct_circumstances(acting_user(request), response=response, circumstances=body, reason=reason)
        return presented(serializers.ResponseSerializer, corrected)


class ResponseItemView(RecordView):
    """Single answers: the coded value printed on the form, or why there is none."""

    serializer_class = serializers.ResponseItemSerializer
    filterset_fields = (
        "response__participant__identifier",
        "response__instrument__key",
        "response__visit__code",
        "item",
    )

    def visible(self, user: User) -> QuerySet[ResponseItem]:
        rows = ResponseItem.objects.select_related("response__participant", "response__visit", "response__instrument")
        return rows.filter(visible_responses(user, "response__"))


class ScoreView(RecordView):
    """Scores, computed or imported."""

    serializer_class = serializers.ScoreSerializer
    filterset_fields = (
        "response__participant__identifier",
        "response__instrument__key",
        "response__visit__code",
        "name",
    )

    def visible(self, user: User) -> QuerySet[Score]:
        rows = Score.objects.select_related("response__participant", "response__visit", "response__instrument")
        return rows.filter(visible_responses(user, "response__"))
