"""The REST API of the closed door: sealed results, unblinded cuts, kits. Token of a closed account, or its session."""

from __future__ import annotations

from typing import Any, cast

from django.http import FileResponse, Http404, HttpResponse
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from analysis import closed_reading
from analysis.closed_store import SealedResult
from studies.api.records import ActingMixin, body_of
from studies.closed_door import account_of_token
from studies.kits import prepare_kit
from studies.models import ClosedAccount, Study
from trialsite.closed.page import study_of
from trialsite.closed.serializers import ClosedLook, ClosedLooks, KitBody, PreparedKit, UnblindedCuts

PRIVATE = {"Cache-Control": "no-store"}


class ClosedToken(BaseAuthentication):
    """`Authorization: Token ...`, of an account of the concealed schema."""

    def authenticate(self, request: Request) -> tuple[ClosedAccount, str] | None:
        scheme, _, token = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"token":
            return None
        account = account_of_token(token.strip().decode("latin-1"))
        if account is None:
            raise exceptions.AuthenticationFailed("This token opens nothing here.")
        return account, "token"

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class ClosedTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the API's description names the token."""

    target_class = ClosedToken
    name = "closedToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Token ..."}


class ClosedView(ActingMixin):
    authentication_classes = (ClosedToken, SessionAuthentication)
    permission_classes = (IsAuthenticated,)
    renderer_classes = (JSONRenderer,)

    def perform_content_negotiation(self, request: Request, force: bool = True) -> Any:
        # A file comes as it is, whatever kind of answer the caller prefers.
        return super().perform_content_negotiation(request, force=force)

    @property
    def account(self) -> ClosedAccount:
        return cast(ClosedAccount, self.request.user)

    @property
    def study(self) -> Study:
        return study_of(self.account)

    def sealed(self, number: int, what: str) -> SealedResult:
        found = closed_reading.read_result(self.account, study=self.study, number=number, what=what)
        if found is None:
            raise Http404
        return found


class LooksView(ClosedView):
    """The looks of the account's study; nothing of what they found."""

    @extend_schema(responses=ClosedLooks)
    def get(self, request: Request) -> Response:
        looks = closed_reading.looks(self.account, study=self.study)
        return Response({"results": ClosedLook(looks, many=True).data}, headers=PRIVATE)


class ResultView(ClosedView):
    """A sealed result in its sealed bytes; X-Content-SHA256 is their hash."""

    @extend_schema(responses={(200, "application/json"): OpenApiTypes.OBJECT})
    def get(self, request: Request, number: int) -> HttpResponse:
        sealed = self.sealed(number, "result")
        headers = PRIVATE | {"X-Content-SHA256": sealed.sha256}
        return HttpResponse(sealed.result, content_type="application/json", headers=headers)


class ReportView(ClosedView):
    """The closed report of a look as PDF."""

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    def get(self, request: Request, number: int) -> HttpResponse:
        return HttpResponse(self.sealed(number, "PDF").pdf, content_type="application/pdf", headers=PRIVATE)


class CutsView(ClosedView):
    """The unblinded cuts that were taken."""

    @extend_schema(responses=UnblindedCuts)
    def get(self, request: Request) -> Response:
        found = closed_reading.unblinded_cuts(self.account, study=self.study)
        return Response(UnblindedCuts({"results": found}).data, headers=PRIVATE)


class CutFileView(ClosedView):
    """The manifest of an unblinded cut (manifest.json), or a file that it lists."""

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, cut: str, file: str) -> FileResponse:
        path = closed_reading.cut_file(self.account, study=self.study, cut=cut, file=file)
        if path is None:
            raise Http404
        return FileResponse(path.open("rb"), as_attachment=True, filename=f"{cut}-{file}", headers=PRIVATE)


class KitsView(ClosedView):
    """What to prepare for a kit."""

    @extend_schema(request=KitBody, responses=PreparedKit)
    def post(self, request: Request) -> Response:
        body = body_of(KitBody, request)
        weight = body.get("weight_kg")
        prepared = prepare_kit(self.account, study=self.study, label=body["kit"], weight_kg=weight)
        return Response(PreparedKit(prepared).data, headers=PRIVATE)


class SchemaView(SpectacularAPIView):
    """The description of this API."""

    authentication_classes = ClosedView.authentication_classes
    permission_classes = ClosedView.permission_classes
    custom_settings = {"TITLE": "Trialsite, closed door", "DESCRIPTION": "Results by arm. Every reading is logged."}
