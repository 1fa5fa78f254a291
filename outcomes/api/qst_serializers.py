"""How quantitative sensory testing looks in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from outcomes.models import ConditioningStimulus, Device, DeviceUse, QSTFlag, QSTSession, QSTTrial, QSTValue
from outcomes.models.qst import Area
from outcomes.qst_corrections import CORRECTABLE
from studies.api.records import STAMPS
from studies.api.serializers import OfParticipant
from studies.models import Site, Study, Visit

CIRCUMSTANCES = (*CORRECTABLE, "device")


class QSTSessionSerializer(OfParticipant):
    visit = serializers.SlugRelatedField[Visit](slug_field="code", read_only=True)
    imported_file = serializers.IntegerField(source="imported_file_id", read_only=True, allow_null=True)

    class Meta:
        model = QSTSession
        fields = ("id", "participant", "visit", *CIRCUMSTANCES, "imported_file", *STAMPS)


class OfSession(serializers.ModelSerializer[Any]):
    session_id = serializers.IntegerField(read_only=True)
    participant = serializers.CharField(source="session.participant.identifier", read_only=True)
    visit = serializers.CharField(source="session.visit.code", read_only=True)


OF_SESSION = ("id", "session_id", "participant", "visit")


class QSTTrialSerializer(OfSession):
    class Meta:
        model = QSTTrial
        fields = (
            *OF_SESSION,
            "area",
            "parameter",
            "direction",
            "trial",
            "value",
            "missing_reason",
            "cutoff",
            *STAMPS,
        )


class QSTValueSerializer(OfSession):
    class Meta:
        model = QSTValue
        fields = (
            *OF_SESSION,
            "area",
            "parameter",
            "value",
            "z",
            "missing_reason",
            "reference",
            "reference_sha256",
            "rules_version",
            *STAMPS,
        )


class QSTFlagSerializer(OfSession):
    class Meta:
        model = QSTFlag
        fields = (*OF_SESSION, "area", "key", "code", "parameter", "message", "comment", "standing", *STAMPS)


class ConditioningStimulusSerializer(OfSession):
    class Meta:
        model = ConditioningStimulus
        fields = (*OF_SESSION, "test_stimulus", "timing", "kind", "temperature_c", "seconds", *STAMPS)


class DeviceUseSerializer(OfSession):
    device = serializers.IntegerField(source="device_id", read_only=True)

    class Meta:
        model = DeviceUse
        fields = (*OF_SESSION, "device", "calibration_due_on", "standing", *STAMPS)


class DeviceSerializer(serializers.ModelSerializer[Any]):
    study = serializers.SlugRelatedField[Study](source="site.study", slug_field="code", read_only=True)
    site = serializers.SlugRelatedField[Site](slug_field="code", read_only=True)

    class Meta:
        model = Device
        fields = (
            "id",
            "study",
            "site",
            "kind",
            "name",
            "serial",
            "calibrated_on",
            "calibration_due_on",
            "retired_on",
            *STAMPS,
        )


# What requests bring, and what is answered to them --------------------------------------------------------


class QSTTrialBody(serializers.Serializer[Any]):
    area = serializers.ChoiceField(choices=Area.choices)
    parameter = serializers.CharField(help_text="One of the 13 parameters; CPM; TS")
    direction = serializers.CharField(required=False, default="", allow_blank=True)
    trial = serializers.IntegerField(min_value=1)
    value = serializers.FloatField(allow_null=True)
    missing_reason = serializers.CharField(required=False, allow_null=True, default=None)
    cutoff = serializers.BooleanField(required=False, default=False)


class ConditioningBody(serializers.Serializer[Any]):
    test_stimulus = serializers.ChoiceField(choices=ConditioningStimulus.TestStimulus.choices)
    timing = serializers.ChoiceField(choices=ConditioningStimulus.Timing.choices)
    kind = serializers.ChoiceField(choices=ConditioningStimulus.Kind.choices)
    temperature_c = serializers.DecimalField(max_digits=3, decimal_places=1, required=False, allow_null=True)
    seconds = serializers.IntegerField(required=False, allow_null=True)


class QSTSessionBody(serializers.ModelSerializer[Any]):
    participant = serializers.CharField(help_text="The participant's identifier")
    visit = serializers.CharField(help_text="The visit's code")
    devices = serializers.ListField(
        child=serializers.IntegerField(), required=False, default=list, help_text="The `id` of each device used"
    )
    conditioning = ConditioningBody(required=False, allow_null=True, help_text="Needed where trials of CPM are given")
    comments = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        default=dict,
        help_text="Answers to what is asked about the session: `area/key` of a flag, as `preview` gives it",
    )
    trials = QSTTrialBody(many=True)

    class Meta:
        model = QSTSession
        fields = ("participant", "visit", *CIRCUMSTANCES, "devices", "conditioning", "comments", "trials")


class QSTCorrectionBody(serializers.ModelSerializer[Any]):
    """What changes of a saved session; what is left out stays. Devices are all that were used."""

    trials = QSTTrialBody(many=True, required=False, default=list)
    devices = serializers.ListField(child=serializers.IntegerField(), required=False, help_text="The `id` of each")
    conditioning = ConditioningBody(required=False, allow_null=True)
    comments = serializers.DictField(child=serializers.CharField(), required=False, default=dict)
    reason = serializers.CharField()

    class Meta:
        model = QSTSession
        fields = (*CORRECTABLE, "devices", "conditioning", "comments", "trials", "reason")
        extra_kwargs = {name: {"required": False} for name in CORRECTABLE}


class FlagAnswerBody(serializers.Serializer[Any]):
    comment = serializers.CharField(help_text="The value is right and why, or what was done")


class FindingBody(serializers.Serializer[Any]):
    parameter = serializers.CharField()
    kind = serializers.ChoiceField(choices=["gain", "loss", "sign"])
    words = serializers.CharField()
    z = serializers.FloatField(allow_null=True)
    uncertain = serializers.BooleanField()


class AreaMeaningBody(serializers.Serializer[Any]):
    area = serializers.ChoiceField(choices=Area.choices)
    findings = FindingBody(many=True)
    profile = serializers.CharField(
        source="profile.code", allow_null=True, default=None, help_text="Loss L0-L3 and gain G0-G3 (Maier 2010)"
    )


class SideBody(serializers.Serializer[Any]):
    parameter = serializers.CharField()
    difference = serializers.FloatField(help_text="Test minus control, in the transformed scale")
    dz = serializers.FloatField(allow_null=True, help_text="Above 0: the test area is more sensitive")
    abnormal = serializers.BooleanField(allow_null=True)


class MeaningBody(serializers.Serializer[Any]):
    areas = AreaMeaningBody(many=True)
    sides = SideBody(many=True)


class ValuePreview(serializers.Serializer[Any]):
    area = serializers.CharField()
    parameter = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    z = serializers.FloatField(allow_null=True)
    missing_reason = serializers.CharField(allow_null=True)
    reference = serializers.CharField()
    reference_sha256 = serializers.CharField()
    rules_version = serializers.CharField()


class FlagPreview(serializers.Serializer[Any]):
    area = serializers.CharField()
    key = serializers.CharField()
    code = serializers.CharField()
    parameter = serializers.CharField()
    message = serializers.CharField()
    comment = serializers.CharField()


class PreviewBody(serializers.Serializer[Any]):
    values = ValuePreview(many=True, source="computed")
    flags = FlagPreview(many=True)
    meaning = MeaningBody()
