"""Analysis plans in the API: checked, frozen, signed, read as the file they could be written as."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from analysis import plans
from analysis.api.views import WithFiles, visible_study
from analysis.models import Plan
from analysis.permissions import may_freeze_plan, may_sign_plan
from analysis.plan_checking import check_plan
from analysis.plan_texts import plan_file
from studies.api.records import STAMPS, body_of, presented
from studies.api.views import acting_user
from studies.models import ProtocolVersion, Study, User
from studies.password import require_password
from studies.permissions import require, visible_studies


class PlanSerializer(serializers.ModelSerializer[Plan]):
    study = serializers.SlugRelatedField[Study](slug_field="code", read_only=True)
    protocol_version = serializers.SlugRelatedField[ProtocolVersion](slug_field="version", read_only=True)

    class Meta:
        model = Plan
        fields = (
            "id",
            "study",
            "protocol_version",
            "version",
            "sha256",
            "change_reason",
            "signed_by",
            "signed_name",
            "signed_at",
            "signed_meaning",
            *STAMPS,
        )


class AnalysisPlanTextBody(serializers.Serializer[Any]):
    study = serializers.CharField(help_text="The study's code")
    text = serializers.CharField(help_text="A plan file: YAML with the key analysis", trim_whitespace=False)
    file = serializers.CharField(required=False, default="the plan file", help_text="Its name, for messages")


class AnalysisPlanBody(AnalysisPlanTextBody):
    reason = serializers.CharField(
        required=False, default="", allow_blank=True, help_text="Why the plan changes; not for the first version"
    )


class SignatureBody(serializers.Serializer[Any]):
    password = serializers.CharField(
        trim_whitespace=False, write_only=True, help_text="Of the caller, entered again: this is the signature"
    )


class PlanProblem(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    path = serializers.CharField()
    message = serializers.CharField()


class PlanChange(serializers.Serializer[Any]):
    path = serializers.CharField()
    before = serializers.JSONField()
    after = serializers.JSONField()


class CheckedPlanSerializer(serializers.Serializer[Any]):
    problems = PlanProblem(many=True)
    version = serializers.CharField()
    changes = PlanChange(many=True, help_text="Against the plan frozen last")
    may_be_frozen = serializers.BooleanField()


class PlanView(WithFiles):
    """Frozen analysis plans. The last one frozen is the plan of the study; looks need it signed."""

    serializer_class = PlanSerializer
    filterset_fields = ("study__code", "version")
    files = ("text", "source")

    def visible(self, user: User) -> QuerySet[Plan]:
        return Plan.objects.filter(study__in=visible_studies(user)).select_related("study", "protocol_version")

    @extend_schema(request=AnalysisPlanBody, responses={201: PlanSerializer})
    def create(self, request: Request) -> Response:
        """Freeze a plan file as a new version. It never changes afterwards; what was frozen before stays."""
        body = body_of(AnalysisPlanBody, request)
        frozen = plans.freeze_plan(
            acting_user(request),
            protocol_version=self._protocol(request, body["study"]),
            text=body["text"],
            source=body["file"],
            reason=body["reason"],
        )
        return presented(PlanSerializer, frozen, status=201)

    @extend_schema(request=AnalysisPlanTextBody, responses={200: CheckedPlanSerializer})
    @action(detail=False, methods=["post"])
    def check(self, request: Request) -> Response:
        """Every mistake of a plan file with its line, and what it would change. Nothing is written."""
        body = body_of(AnalysisPlanTextBody, request)
        version = self._protocol(request, body["study"])
        require(may_freeze_plan(acting_user(request), version.study), f"freeze the analysis plan of {version.study}")
        return presented(CheckedPlanSerializer, check_plan(version, body["text"], source=body["file"]))

    @extend_schema(request=SignatureBody, responses={200: PlanSerializer})
    @action(detail=True, methods=["post"])
    def sign(self, request: Request, pk: str) -> Response:
        """Sign the plan frozen last, as the caller, by entering the password again."""
        body = body_of(SignatureBody, request)
        user, plan = acting_user(request), self.get_object()
        require(may_sign_plan(user, plan.study), f"sign the analysis plan of {plan.study}")
        require_password(request._request, user, body["password"])
        signed = plans.sign_plan(user, plan=plan, password=body["password"])
        return presented(PlanSerializer, signed)

    @extend_schema(request=None, responses={200: PlanChange(many=True)}, filters=False)
    @action(detail=True, pagination_class=None)
    def changes(self, request: Request, pk: str) -> Response:
        """What this version changed against the one before it."""
        return Response(PlanChange(plans.changes_of(self.get_object()), many=True).data)

    @extend_schema(responses={(200, "application/yaml"): OpenApiTypes.STR})
    @action(detail=True)
    def text(self, request: Request, pk: str) -> HttpResponse:
        """The plan as a plan file, to write the next version from."""
        return HttpResponse(plan_file(self.get_object().source), content_type="application/yaml; charset=utf-8")

    @extend_schema(responses={(200, "application/json"): OpenApiTypes.OBJECT})
    @action(detail=True)
    def source(self, request: Request, pk: str) -> HttpResponse:
        """The canonical text that is hashed, signed and run."""
        plan = self.get_object()
        headers = {"X-Content-SHA256": plan.sha256}
        return HttpResponse(plan.source, content_type="application/json", headers=headers)

    def _protocol(self, request: Request, code: str) -> ProtocolVersion:
        return visible_study(request, code).protocol_versions.latest("pk")
