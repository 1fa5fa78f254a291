"""Studies, sites, participants and what happens to them."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from studies import adverse_events, consents, enrolment, intercurrent_events, randomisation_desk, visits
from studies import eligibility as eligibility_verbs
from studies.api import serializers
from studies.api.records import RecordView, body_of, presented
from studies.findings import enter_findings
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
    User,
    Visit,
)
from studies.permissions import of_visible_participants, visible_participants, visible_sites, visible_studies


def acting_user(request: Request) -> User:
    return cast(User, request.user)


def visible_participant(request: Request, identifier: str) -> Participant:
    """The participant of that identifier, if the caller may see it; else 404."""
    rows = visible_participants(acting_user(request)).select_related("site", "study", "protocol_version")
    return get_object_or_404(rows, identifier=identifier)


class StudyView(RecordView):
    """The studies in which the caller has a role."""

    serializer_class = serializers.StudySerializer
    filterset_fields = ("code", "origin")

    def visible(self, user: User) -> QuerySet[Study]:
        return visible_studies(user)


class SiteView(RecordView):
    """The sites that the caller sees, each with its own clock."""

    serializer_class = serializers.SiteSerializer
    filterset_fields = ("study__code", "code", "country")

    def visible(self, user: User) -> QuerySet[Site]:
        return visible_sites(user).select_related("study")


class ParticipantView(RecordView):
    """Participants, by identifier; and the steps from enrolment to randomisation."""

    serializer_class = serializers.ParticipantSerializer
    filterset_fields = ("study__code", "site__code", "status")
    lookup_field = "identifier"
    lookup_value_regex = "[^/]+"

    def visible(self, user: User) -> QuerySet[Participant]:
        return visible_participants(user).select_related("site", "study", "protocol_version")

    def gather_findings(self, participant: Participant) -> None:
        """Before criteria are judged, let measurement hand up what it knows; here nothing is measured."""

    @extend_schema(request=serializers.EnrolBody, responses={201: serializers.ParticipantSerializer})
    def create(self, request: Request) -> Response:
        """Enrol a participant at a site; the answer holds the new identifier."""
        body = body_of(serializers.EnrolBody, request)
        sites = visible_sites(acting_user(request))
        site = get_object_or_404(sites, code=body["site"], study__code=body["study"])
        enrolled = enrolment.enrol(acting_user(request), site=site, sex=body["sex"], birth=body["birth"])
        return presented(serializers.ParticipantSerializer, enrolled, status=201)

    @extend_schema(request=serializers.ConsentBody, responses={201: serializers.ConsentSerializer})
    @action(detail=True, methods=["post"])
    def consent(self, request: Request, identifier: str) -> Response:
        """Record that a participant signed a version of the consent; what may be collected follows from it."""
        body = body_of(serializers.ConsentBody, request)
        participant = visible_participant(request, identifier)
        signed = consents.sign_consent(acting_user(request), participant=participant, **body)
        return presented(serializers.ConsentSerializer, signed, status=201)

    @extend_schema(request=serializers.PlanBody, responses={200: serializers.ParticipantSerializer})
    @action(detail=True, methods=["post"])
    def plan(self, request: Request, identifier: str) -> Response:
        """Plan the infusion for a day; every visit gets its window round it."""
        body = body_of(serializers.PlanBody, request)
        participant = visible_participant(request, identifier)
        planned = visits.schedule_infusion(acting_user(request), participant=participant, on=body["on"])
        return presented(serializers.ParticipantSerializer, planned)

    @extend_schema(request=serializers.FindingsBody, responses={204: None})
    @action(detail=True, methods=["post"])
    def findings(self, request: Request, identifier: str) -> Response:
        """Enter what the site found out, on one of the forms that the protocol names."""
        body = body_of(serializers.FindingsBody, request)
        participant = visible_participant(request, identifier)
        enter_findings(acting_user(request), participant=participant, **body)
        return Response(status=204)

    @extend_schema(request=serializers.CriteriaBody, responses={200: serializers.CriterionResultSerializer(many=True)})
    @action(detail=True, methods=["post"])
    def criteria(self, request: Request, identifier: str) -> Response:
        """Judge the criteria from the findings known now, the diary's summary among them, and from answers."""
        body = body_of(serializers.CriteriaBody, request)
        participant = visible_participant(request, identifier)
        self.gather_findings(participant)
        results = eligibility_verbs.judge_criteria(acting_user(request), participant=participant, **body)
        return Response(serializers.CriterionResultSerializer(results, many=True).data)

    @extend_schema(request=serializers.EligibilityBody, responses={201: serializers.EligibilityDecisionSerializer})
    @action(detail=True, methods=["post"])
    def eligibility(self, request: Request, identifier: str) -> Response:
        """Include or exclude a participant. Only the investigator decides, and only when nothing stands in the way."""
        body = body_of(serializers.EligibilityBody, request)
        participant = visible_participant(request, identifier)
        decision = eligibility_verbs.decide(acting_user(request), participant=participant, **body)
        return presented(serializers.EligibilityDecisionSerializer, decision, status=201)

    @extend_schema(request=None, responses={201: serializers.AllocationSerializer})
    @action(detail=True, methods=["post"])
    def randomise(self, request: Request, identifier: str) -> Response:
        """Randomise a participant: the answer holds the randomisation number and the kit number."""
        participant = visible_participant(request, identifier)
        allocation = randomisation_desk.randomise(acting_user(request), participant=participant)
        return presented(serializers.AllocationSerializer, allocation, status=201)


class OfParticipantView(RecordView):
    """Records that hang on participants the caller may see."""

    filterset_fields: Any = ("participant__identifier", "participant__study__code", "participant__site__code")
    related: ClassVar[tuple[str, ...]] = ("participant",)

    def visible(self, user: User) -> QuerySet[Any]:
        rows = self._model()._default_manager.select_related(*self.related)
        return rows.filter(of_visible_participants(user))


class VisitView(OfParticipantView):
    """Visits with their windows, and whether they took place."""

    serializer_class = serializers.VisitSerializer
    filterset_fields = (*OfParticipantView.filterset_fields, "code", "status")
    queryset = Visit.objects.none()


class ConsentView(OfParticipantView):
    """Which version was signed when, and what was withdrawn."""

    serializer_class = serializers.ConsentSerializer
    queryset = Consent.objects.none()


class CriterionResultView(OfParticipantView):
    """Each criterion of eligibility as it was judged."""

    serializer_class = serializers.CriterionResultSerializer
    queryset = CriterionResult.objects.none()


class EligibilityDecisionView(OfParticipantView):
    """Who was included, and which criteria stood in the way of the others."""

    serializer_class = serializers.EligibilityDecisionSerializer
    queryset = EligibilityDecision.objects.none()


class AllocationView(OfParticipantView):
    """Randomisation and kit numbers. There is no arm here, and no way to one."""

    serializer_class = serializers.AllocationSerializer
    queryset = Allocation.objects.none()


class DeviationView(OfParticipantView):
    """Deviations from the protocol."""

    serializer_class = serializers.DeviationSerializer
    queryset = Deviation.objects.none()


class InfusionView(OfParticipantView):
    """Volumes, rates and times: the same in every arm. Vital signs stay with the infusion unit."""

    serializer_class = serializers.InfusionSerializer
    queryset = Infusion.objects.none()


class StratumCorrectionView(OfParticipantView):
    """Strata found wrong after randomisation. The allocation keeps the one it was made in."""

    serializer_class = serializers.StratumCorrectionSerializer
    related = ("participant", "stratum")
    queryset = StratumCorrection.objects.none()


class IntercurrentEventView(OfParticipantView):
    """Events after randomisation that change what a value means, by their numbers in the protocol."""

    serializer_class = serializers.IntercurrentEventSerializer
    filterset_fields = (*OfParticipantView.filterset_fields, "event")
    queryset = IntercurrentEvent.objects.none()

    @extend_schema(request=serializers.IntercurrentEventBody, responses={201: serializers.IntercurrentEventSerializer})
    def create(self, request: Request) -> Response:
        """Record an intercurrent event."""
        body = dict(body_of(serializers.IntercurrentEventBody, request))
        participant = visible_participant(request, body.pop("participant"))
        entry = intercurrent_events.IntercurrentEventEntry(**body)
        recorded = intercurrent_events.record(acting_user(request), participant=participant, entry=entry)
        return presented(serializers.IntercurrentEventSerializer, recorded, status=201)


class AdverseEventView(OfParticipantView):
    """Adverse events as they were reported, with their corrections."""

    serializer_class = serializers.AdverseEventSerializer
    filterset_fields = (*OfParticipantView.filterset_fields, "serious", "grade")
    queryset = AdverseEvent.objects.none()

    @extend_schema(request=serializers.AdverseEventBody, responses={201: serializers.AdverseEventSerializer})
    def create(self, request: Request) -> Response:
        """Report an adverse event."""
        body = dict(body_of(serializers.AdverseEventBody, request))
        participant = visible_participant(request, body.pop("participant"))
        reported = adverse_events.report(
            acting_user(request), participant=participant, entry=adverse_events.AdverseEventEntry(**body)
        )
        return presented(serializers.AdverseEventSerializer, reported, status=201)
