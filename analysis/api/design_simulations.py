"""Simulated designs in the API: ordered, followed, cancelled, read as JSON or CSV."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from analysis.api.views import WithFiles, visible_study
from analysis.design_simulation import ordering, reading
from analysis.design_simulation.numbers_table import result_csv
from analysis.models import DesignResult, DesignSimulation
from studies.api.records import STAMPS, body_of, presented
from studies.api.views import acting_user
from studies.models import ProtocolVersion, Study, User


class DesignSimulationSerializer(serializers.ModelSerializer[DesignSimulation]):
    study = serializers.SlugRelatedField[Study](slug_field="code", read_only=True)
    protocol_version = serializers.SlugRelatedField[ProtocolVersion](slug_field="version", read_only=True)
    scenarios = serializers.ListField(child=serializers.CharField(), read_only=True)
    chunks = serializers.IntegerField(source="all_chunks", read_only=True, help_text="Pieces the work is shared in")
    chunks_done = serializers.IntegerField(source="done_chunks", read_only=True)

    class Meta:
        model = DesignSimulation
        fields = (
            "id",
            "study",
            "protocol_version",
            "plan_version",
            "plan_sha256",
            "scenarios",
            "trials",
            "seed",
            "code_version",
            "status",
            "chunks",
            "chunks_done",
            "ordered_by",
            *STAMPS,
        )


class DesignSimulationBody(serializers.Serializer[Any]):
    study = serializers.CharField(help_text="The study's code")
    protocol_version = serializers.CharField(required=False, help_text="Without it, the newest")
    scenarios = serializers.ListField(
        child=serializers.CharField(),
        min_length=1,
        max_length=ordering.MOST_SCENARIOS,
        help_text="Names of the simulation model; default:0.5 is half the effect of default",
    )
    trials = serializers.IntegerField(min_value=1, max_value=ordering.MOST_TRIALS, help_text="Under each scenario")
    seed = serializers.IntegerField(min_value=0, max_value=ordering.MOST_SEED)


class DesignSimulationView(WithFiles):
    """Simulations of a study's design. No participant and no arm is in them; they are the statistician's to read."""

    serializer_class = DesignSimulationSerializer
    filterset_fields = ("study__code", "status")
    files = ("result", "csv")

    def visible(self, user: User) -> QuerySet[DesignSimulation]:
        return reading.visible_simulations(user)

    @extend_schema(request=DesignSimulationBody, responses={201: DesignSimulationSerializer})
    def create(self, request: Request) -> Response:
        """Order a simulation; the blinded workers share it. `chunks_done` of `chunks` says how far it is."""
        body = body_of(DesignSimulationBody, request)
        versions = visible_study(request, body["study"]).protocol_versions.order_by("-pk")
        if "protocol_version" in body:
            versions = versions.filter(version=body["protocol_version"])
        version = versions.first()
        if version is None:
            raise Http404
        ordered = ordering.order_simulation(
            acting_user(request),
            protocol_version=version,
            scenarios=body["scenarios"],
            trials=body["trials"],
            seed=body["seed"],
        )
        return self._presented(request, ordered.pk, status=201)

    @extend_schema(request=None, responses={200: DesignSimulationSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop a simulation that is under way."""
        cancelled = ordering.cancel_simulation(acting_user(request), simulation=self.get_object())
        return self._presented(request, cancelled.pk)

    @extend_schema(responses={(200, "application/json"): OpenApiTypes.OBJECT})
    @action(detail=True)
    def result(self, request: Request, pk: str) -> HttpResponse:
        """The operating characteristics in the bytes in which they are kept; X-Content-SHA256 is their hash."""
        kept = self._result(request, pk)
        headers = {"X-Content-SHA256": kept.sha256}
        return HttpResponse(bytes(kept.content), content_type="application/json", headers=headers)

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    @action(detail=True, url_path=r"result\.csv", url_name="csv")
    def csv(self, request: Request, pk: str) -> HttpResponse:
        """The same numbers, one a row."""
        name = f"design-simulation-{pk}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        text = result_csv(reading.parsed(self._result(request, pk)))
        return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)

    def _result(self, request: Request, pk: str) -> DesignResult:
        if not pk.isdecimal():
            raise Http404
        found = get_object_or_404(reading.visible_simulations(acting_user(request)), pk=pk)
        kept = reading.kept_result(found)
        if kept is None:
            raise Http404
        return kept

    def _presented(self, request: Request, pk: int, *, status: int = 200) -> Response:
        """As it is now, with its progress."""
        found = reading.visible_simulations(acting_user(request)).get(pk=pk)
        return presented(DesignSimulationSerializer, found, status=status)
