"""The acting user of a request, for the audit trail."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from studies.acting import acting, nobody


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
