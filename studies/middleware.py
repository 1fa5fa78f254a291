"""The acting user of a request, for the audit trail; and requests that no record could hold."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError

from studies.acting import acting, nobody


class PlainTextMiddleware:
    """Refuse what holds a NUL: no text of the database can, so that it would end as an error of the server."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked, typed = request.META.get("QUERY_STRING", ""), _typed(request)
        if "\0" in request.path or "%00" in asked or "\0" in asked or b"%00" in typed or b"\0" in typed:
            if request.path.startswith("/api/"):
                return _no_text()
            raise BadRequest("A NUL is no text.")
        return self.get_response(request)


def _no_text() -> JsonResponse:
    """As the API tells every refusal; its views have not been asked yet."""
    problem = {"type": "urn:trialsite:invalid_entries", "title": "Invalid entries", "status": 400}
    said = {"detail": "A text holds a NUL character (%00), which no text may. Take it out."}
    return JsonResponse(problem | said, status=400, content_type="application/problem+json")


def _typed(request: HttpRequest) -> bytes:
    """What was typed into a form; files, whatever their bytes, are none."""
    if request.content_type != "application/x-www-form-urlencoded":
        return b""
    try:
        return request.body
    except UnreadablePostError:  # whoever sent it hung up
        return b""


class ActingMiddleware:
    """Act as the signed-in user while the request is answered. Verbs add their reasons."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with nobody():
            if not request.user.is_authenticated:
                return self.get_response(request)
            with acting(request.user):
                return self.get_response(request)
