"""The REST API of the closed door: sealed results, unblinded cuts, kits. Token of a closed account, or its session."""

from __future__ import annotations

from typing import Any, cast

from django.http import FileResponse, Http404, HttpResponse
from rest_framework import exceptions, serializers
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from analysis import closed_reading
from analysis.closed_reading import UnblindedCut
from analysis.closed_store import SealedResult
from studies.api.records import ActingMixin, body_of
from studies.closed_door import account_of_token
from studies.kits import KitPreparation, prepare_kit
from studies.models import ClosedAccount, Study
from trialsite.closed.page import study_of

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


class LooksView(ClosedView):
    """The looks of the account's study; nothing of what they found."""

    def get(self, request: Request) -> Response:
        rows = [
            {
                "number": look.number,
                "planned": look.planned,
                "unplanned_reason": look.unplanned_reason,
                "status": look.closed_status,
                "cut": look.cut.name,
                "plan_version": look.plan.version,
            }
            for look in closed_reading.looks(self.account, study=self.study)
        ]
        return Response({"results": rows}, headers=PRIVATE)


class ResultView(ClosedView):
    """A sealed result in its sealed bytes; X-Content-SHA256 is their hash."""

    what = "result"

    def get(self, request: Request, number: int) -> HttpResponse:
        sealed = closed_reading.read_result(self.account, study=self.study, number=number, what=self.what)
        if sealed is None:
            raise Http404
        return self.answer(sealed)

    def answer(self, sealed: SealedResult) -> HttpResponse:
        headers = PRIVATE | {"X-Content-SHA256": sealed.sha256}
        return HttpResponse(sealed.result, content_type="application/json", headers=headers)


class ReportView(ResultView):
    """The closed report of a look as PDF."""

    what = "PDF"

    def answer(self, sealed: SealedResult) -> HttpResponse:
        return HttpResponse(sealed.pdf, content_type="application/pdf", headers=PRIVATE)


class CutsView(ClosedView):
    """The unblinded cuts that were taken."""

    def get(self, request: Request) -> Response:
        found = closed_reading.unblinded_cuts(self.account, study=self.study)
        return Response({"results": [_cut(each) for each in found]}, headers=PRIVATE)


class CutFileView(ClosedView):
    """A file of an unblinded cut."""

    def get(self, request: Request, cut: str, file: str) -> FileResponse:
        path = closed_reading.cut_file(self.account, study=self.study, cut=cut, file=file)
        if path is None:
            raise Http404
        return FileResponse(path.open("rb"), as_attachment=True, filename=f"{cut}-{file}", headers=PRIVATE)


class KitBody(serializers.Serializer[Any]):
    kit = serializers.CharField(help_text="A kit number or a participant's identifier")
    weight_kg = serializers.DecimalField(max_digits=4, decimal_places=1, required=False)


class KitAnswer(serializers.Serializer[KitPreparation]):
    participant = serializers.CharField()
    site = serializers.CharField()
    kit_number = serializers.CharField()
    weight_kg = serializers.FloatField()
    weight_from = serializers.CharField()
    drug = serializers.CharField()
    dose_mg = serializers.FloatField()
    capped_at_mg = serializers.FloatField()
    concentration_mg_per_ml = serializers.FloatField()
    volume_ml = serializers.FloatField()
    rate_ml_h = serializers.FloatField()
    minutes = serializers.IntegerField()


class KitsView(ClosedView):
    """What to prepare for a kit."""

    def post(self, request: Request) -> Response:
        body = body_of(KitBody, request)
        weight = body.get("weight_kg")
        prepared = prepare_kit(self.account, study=self.study, label=body["kit"], weight_kg=weight)
        return Response(KitAnswer(prepared).data, headers=PRIVATE)


def _cut(unblinded: UnblindedCut) -> dict[str, Any]:
    files = unblinded.manifest["files"]
    return {
        "name": unblinded.cut.name,
        "taken_at": unblinded.cut.taken_at,
        "manifest_sha256": unblinded.manifest_sha256,
        "files": [{"name": name, "sha256": files[name]["sha256"]} for name in sorted(files)],
    }
