"""Cuts, looks and jobs, as far as the blind allows. Closed results are not here, whoever asks."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from analysis import jobs, open_reading
from analysis.api import serializers
from analysis.cuts import order_cut
from analysis.looks import order_look
from analysis.models import DataCut, Job, Look, OpenReport
from analysis.permissions import may_read_cut
from studies.api.records import ActingMixin, KeyPages, RecordView, body_of, presented
from studies.api.views import acting_user
from studies.models import Study, User
from studies.permissions import require, visible_studies


def visible_study(request: Request, code: str) -> Study:
    """The study of that code, if the caller may see it; else 404."""
    return get_object_or_404(visible_studies(acting_user(request)), code=code)


class WithFiles(RecordView):
    """Records with files: these come as they are, whatever kind of answer the caller prefers."""

    files: tuple[str, ...] = ()

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        return super().perform_content_negotiation(request, force=force or self.action in self.files)


class CutView(WithFiles):
    """Data cuts. A cut is ordered here and taken by the blinded worker; its files are Parquet, without any arm."""

    serializer_class = serializers.CutSerializer
    filterset_fields = ("study__code", "status")
    lookup_field = "name"
    lookup_value_regex = "[^/]+"
    files = ("file",)

    def visible(self, user: User) -> QuerySet[DataCut]:
        return open_reading.visible_cuts(user)

    @extend_schema(request=serializers.CutBody, responses={201: serializers.CutSerializer})
    def create(self, request: Request) -> Response:
        """Order a cut; the blinded worker takes it."""
        body = body_of(serializers.CutBody, request)
        cut = order_cut(acting_user(request), study=visible_study(request, body["study"]))
        return presented(serializers.CutSerializer, cut, status=201)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, url_path="files/(?P<file>[^/]+)")
    def file(self, request: Request, name: str, file: str) -> FileResponse:
        """The manifest (manifest.json) or one of the files that it lists."""
        cut = get_object_or_404(open_reading.visible_cuts(acting_user(request)), name=name)
        path = open_reading.cut_file(cut, file)
        if path is None:
            raise Http404
        return FileResponse(path.open("rb"), as_attachment=True, filename=f"{name}-{file}")


class LookView(WithFiles):
    """Looks and their open reports. `closed_status` is all that is said of the closed one."""

    serializer_class = serializers.LookSerializer
    filterset_fields = ("study__code", "number", "status", "planned")
    files = ("result", "report_html", "report_pdf")

    def visible(self, user: User) -> QuerySet[Look]:
        return open_reading.visible_looks(user)

    @extend_schema(request=serializers.LookBody, responses={201: serializers.LookSerializer})
    def create(self, request: Request) -> Response:
        """Order a look: the next one of the plan, or an unplanned one with its reason. Both workers do their part."""
        body = body_of(serializers.LookBody, request)
        cuts = open_reading.visible_cuts(acting_user(request))
        look = order_look(
            acting_user(request),
            study=visible_study(request, body["study"]),
            number=body["number"],
            cut=get_object_or_404(cuts, name=body["cut"]) if "cut" in body else None,
            unplanned_reason=body["unplanned_reason"],
        )
        return presented(serializers.LookSerializer, look, status=201)

    @extend_schema(responses={(200, "application/json"): OpenApiTypes.OBJECT})
    @action(detail=True)
    def result(self, request: Request, pk: str) -> HttpResponse:
        """The open result in the bytes in which it is kept; X-Content-SHA256 is their hash."""
        report = self._report(request, pk)
        headers = {"X-Content-SHA256": report.sha256}
        return HttpResponse(bytes(report.result), content_type="application/json", headers=headers)

    @extend_schema(responses={(200, "text/html"): OpenApiTypes.STR})
    @action(detail=True, url_path=r"report\.html")
    def report_html(self, request: Request, pk: str) -> HttpResponse:
        """The open report as a page."""
        return HttpResponse(bytes(self._report(request, pk).html), content_type="text/html; charset=utf-8")

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    @action(detail=True, url_path=r"report\.pdf")
    def report_pdf(self, request: Request, pk: str) -> HttpResponse:
        """The open report as PDF."""
        return HttpResponse(bytes(self._report(request, pk).pdf), content_type="application/pdf")

    @extend_schema(responses={200: serializers.DatasetSerializer(many=True)}, filters=False)
    @action(detail=True, pagination_class=None)
    def datasets(self, request: Request, pk: str) -> Response:
        """The blinded analysis data sets of the look: files of its cut (`/cuts/NAME/files/`), for who may read it."""
        look = self._look(request, pk)
        require(may_read_cut(acting_user(request), look.study), "read the data sets of this study")
        return Response(serializers.DatasetSerializer(open_reading.look_datasets(look), many=True).data)

    def _look(self, request: Request, pk: str) -> Look:
        if not pk.isdecimal():
            raise Http404
        return get_object_or_404(open_reading.visible_looks(acting_user(request)), pk=pk)

    def _report(self, request: Request, pk: str) -> OpenReport:
        report = open_reading.open_report(self._look(request, pk))
        if report is None:
            raise Http404
        return report


class JobPages(KeyPages):
    page_size = 100
    ordering = "-id"


class JobView(ActingMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Job]):
    """Background work and how far it is. Why a job failed comes from a fixed list, which tells no arm."""

    serializer_class = serializers.JobSerializer
    pagination_class = JobPages
    filterset_fields = ("study__code", "status", "kind", "cut__name")

    def get_queryset(self) -> QuerySet[Job]:
        if getattr(self, "swagger_fake_view", False):
            return Job.objects.none()
        return open_reading.visible_jobs(cast(User, self.request.user))

    @extend_schema(request=None, responses={200: serializers.JobSerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Order a failed job again, with those that failed because they waited for it."""
        job = jobs.retry(acting_user(request), job=self.get_object())
        return presented(serializers.JobSerializer, job)
