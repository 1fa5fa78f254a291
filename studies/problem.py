"""Errors of both APIs as application/problem+json (RFC 9457). Never a traceback, an internal name or an arm."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler

from studies.errors import AlreadyDone, InvalidEntries, InvalidEntry, NotAllowed, TrialError

_STATUS: dict[type[TrialError], int] = {
    NotAllowed: 403,
    AlreadyDone: 409,
    InvalidEntry: 400,
    InvalidEntries: 400,
}


class ProblemSerializer(serializers.Serializer[dict[str, Any]]):
    """What an error looks like."""

    type = serializers.CharField(help_text="A stable code: urn:trialsite:<code>")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = serializers.ListField(child=serializers.DictField(), required=False)  # type: ignore[assignment]


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: our refusals, the database's constraints and DRF's own errors, in one form."""
    if isinstance(error, TrialError):
        return _of_trial_error(error)
    if isinstance(error, IntegrityError):
        return _problem(409, "conflict", "This contradicts what is already saved.")
    response = exception_handler(error, context)
    if response is None:
        return None
    return _of_framework_error(error, response)


def _of_trial_error(error: TrialError) -> Response:
    status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), 409)
    problems = error.problems if isinstance(error, InvalidEntries) else [error] if error.field else []
    errors = [{"field": p.field or "", "message": p.message} for p in problems]
    return _problem(status, error.code, error.message, errors)


def _of_framework_error(error: Exception, response: Response) -> Response:
    errors = []
    if isinstance(error, exceptions.ValidationError):
        code, detail = "invalid_entries", "Some entries cannot be taken as they are."
        errors = list(_flatten(error.detail))
    elif isinstance(error, Http404):
        code, detail = "not_found", "There is nothing here, or nothing that you may see."
    elif isinstance(error, PermissionDenied):
        code, detail = "not_allowed", "Your role does not allow this."
    else:
        code = getattr(error, "default_code", "error")
        detail = str(getattr(error, "detail", "The request could not be answered."))
    problem = _problem(response.status_code, code, detail, errors)
    for header in ("WWW-Authenticate", "Retry-After", "Allow"):
        if header in response:
            problem[header] = response[header]
    return problem


def _flatten(detail: Any, path: str = "") -> list[dict[str, str]]:
    if isinstance(detail, dict):
        return [e for key, value in detail.items() for e in _flatten(value, f"{path}.{key}".lstrip("."))]
    if isinstance(detail, list):
        return [
            e
            for place, value in enumerate(detail)
            for e in _flatten(value, f"{path}[{place}]" if isinstance(value, dict | list) else path)
        ]
    return [{"field": path, "message": str(detail)}]


class ProblemRenderer(JSONRenderer):
    media_type = "application/problem+json"


def _problem(status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:trialsite:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors
    return Response(body, status=status, content_type="application/problem+json")
