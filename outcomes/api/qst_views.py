"""Quantitative sensory testing: sessions, trials, values, what is asked about them, and devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response as Answer

from outcomes import qst_sessions
from outcomes.api import qst_serializers as serializers
from outcomes.models import ConditioningStimulus, Device, DeviceUse, QSTFlag, QSTSession, QSTTrial, QSTValue
from outcomes.qst_corrections import CORRECTABLE, correct_session
from outcomes.qst_entries import refuse_impossible
from outcomes.qst_findings import meaning_of, meaning_of_saved
from outcomes.qst_values import values_of
from studies.api.records import RecordView, body_of, presented
from studies.api.views import acting_user, visible_participant
from studies.errors import InvalidEntry
from studies.models import Participant, User
from studies.permissions import may_enter_qst, of_visible_participants, require, visible_sites

OF_SESSION = ("session__participant__identifier", "session__visit__code")


class QSTSessionView(RecordView):
    """Sessions of quantitative sensory testing."""

    serializer_class = serializers.QSTSessionSerializer
    filterset_fields = ("participant__identifier", "participant__study__code", "visit__code")

    def visible(self, user: User) -> QuerySet[QSTSession]:
        return QSTSession.objects.select_related("participant", "visit").filter(of_visible_participants(user))

    @extend_schema(request=serializers.QSTSessionBody, responses={201: serializers.QSTSessionSerializer})
    def create(self, request: Request) -> Answer:
        """Enter a session with its trials; the values and z-scores of the 13 parameters are computed."""
        saved = qst_sessions.save_session(acting_user(request), entry=_entry(request))
        return presented(serializers.QSTSessionSerializer, saved, status=201)

    @extend_schema(request=serializers.QSTSessionBody, responses={200: serializers.PreviewBody})
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Answer:
        """What a session would give if it were saved: values, findings, and what would be asked. Nothing is written."""
        entry = _entry(request)
        site = entry.participant.site
        require(may_enter_qst(acting_user(request), site), f"enter QST at site {site.code}")
        refuse_impossible(entry)
        rows = values_of(entry)
        place = (entry.test_area, entry.control_area)
        shown = {
            "computed": rows,
            "flags": qst_sessions.open_flags(entry),
            "meaning": meaning_of(entry.participant, rows, entry.trials, place=place),
        }
        return presented(serializers.PreviewBody, shown)

    @extend_schema(request=serializers.QSTCorrectionBody, responses={200: serializers.QSTSessionSerializer})
    @action(detail=True, methods=["post"])
    def correct(self, request: Request, pk: int) -> Answer:
        """Correct trials, circumstances or devices of a saved session, with a reason; it is computed and asked anew."""
        session = get_object_or_404(self.get_queryset().select_related("participant__site", "visit"), pk=pk)
        body: dict[str, Any] = dict(body_of(serializers.QSTCorrectionBody, request))
        about = {name: body.pop(name) for name in CORRECTABLE if name in body}
        conditioning = body.pop("conditioning", None)
        keys = body.pop("devices", None)
        corrected = correct_session(
            acting_user(request),
            session=session,
            trials=[qst_sessions.TrialEntry(**trial) for trial in body.pop("trials")],
            circumstances=about,
            devices=None if keys is None else _devices(keys, session.participant),
            conditioning=qst_sessions.ConditioningEntry(**conditioning) if conditioning else None,
            **body,
        )
        return presented(serializers.QSTSessionSerializer, corrected)

    @extend_schema(responses={200: serializers.MeaningBody})
    @action(detail=True, methods=["get"])
    def findings(self, request: Request, pk: int) -> Answer:
        """Abnormal findings with gain and loss, profiles, and where the sides differ."""
        session = get_object_or_404(self.get_queryset(), pk=pk)
        return presented(serializers.MeaningBody, meaning_of_saved(session))


class OfSessionView(RecordView):
    """Rows that hang on a session."""

    filterset_fields: tuple[str, ...] = OF_SESSION
    model: type[Any]

    def visible(self, user: User) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.model.objects.select_related("session__participant", "session__visit")
        return rows.filter(of_visible_participants(user, "session__participant"))


class QSTTrialView(OfSessionView):
    """Single trials as they were measured."""

    serializer_class = serializers.QSTTrialSerializer
    filterset_fields = (*OF_SESSION, "parameter", "area")
    model = QSTTrial


class QSTValueView(OfSessionView):
    """Values computed from the trials of a session, with the reference they were compared with."""

    serializer_class = serializers.QSTValueSerializer
    filterset_fields = (*OF_SESSION, "parameter", "area")
    model = QSTValue


class QSTFlagView(OfSessionView):
    """What is asked about a session, and what was answered; an empty comment is an open question."""

    serializer_class = serializers.QSTFlagSerializer
    filterset_fields = (*OF_SESSION, "code", "standing", "comment")
    model = QSTFlag

    @extend_schema(request=serializers.FlagAnswerBody, responses={200: serializers.QSTFlagSerializer})
    @action(detail=True, methods=["post"])
    def answer(self, request: Request, pk: int) -> Answer:
        """Answer what is asked."""
        body = body_of(serializers.FlagAnswerBody, request)
        flag = get_object_or_404(self.get_queryset(), pk=pk)
        return presented(
            serializers.QSTFlagSerializer, qst_sessions.explain_flag(acting_user(request), flag=flag, **body)
        )


class ConditioningStimulusView(OfSessionView):
    """How conditioned pain modulation was tested."""

    serializer_class = serializers.ConditioningStimulusSerializer
    model = ConditioningStimulus


class DeviceUseView(OfSessionView):
    """Devices used in a session, with the calibration that held then."""

    serializer_class = serializers.DeviceUseSerializer
    filterset_fields = (*OF_SESSION, "device")
    model = DeviceUse


class DeviceView(RecordView):
    """Devices of the sites, with their calibration."""

    serializer_class = serializers.DeviceSerializer
    filterset_fields = ("site__code", "site__study__code", "kind")

    def visible(self, user: User) -> QuerySet[Device]:
        return Device.objects.select_related("site__study").filter(site__in=visible_sites(user))


def _entry(request: Request) -> qst_sessions.SessionEntry:
    """What a request brings, of a participant whom its user may see. Raises Http404, InvalidEntry."""
    body: dict[str, Any] = dict(body_of(serializers.QSTSessionBody, request))
    participant = visible_participant(request, body.pop("participant"))
    visit = get_object_or_404(participant.visits, code=body.pop("visit"))
    trials = [qst_sessions.TrialEntry(**trial) for trial in body.pop("trials")]
    conditioning = body.pop("conditioning", None)
    devices = _devices(body.pop("devices"), participant)
    return qst_sessions.SessionEntry(
        participant=participant,
        visit=visit,
        trials=trials,
        devices=devices,
        conditioning=qst_sessions.ConditioningEntry(**conditioning) if conditioning else None,
        **body,
    )


def _devices(keys: Sequence[int], participant: Participant) -> list[Device]:
    """The devices of the participant's site by their keys. Raises InvalidEntry where it has not all of them."""
    devices = list(Device.objects.filter(pk__in=keys, site=participant.site_id))
    if len(devices) != len(set(keys)):
        raise InvalidEntry(
            "A device is named that the site does not have. List them at /qst-devices/.", field="devices"
        )
    return devices
