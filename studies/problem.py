"""Errors of both APIs as application/problem+json (RFC 9457). Never a traceback, an internal name or an arm."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import Http404
from rest_framework import exceptions
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


PROBLEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "description": "A stable code: urn:trialsite:<code>"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence: what was met, what is allowed, what to do"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                "required": ["field", "message"],
            },
        },
    },
    "required": ["type", "title", "status", "detail"],
}


class ProblemRenderer(JSONRenderer):
    """Refusals are JSON, whatever kind of answer was asked for."""

    media_type = "application/problem+json"


def describe_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say in the OpenAPI description that whatever is not listed is refused by a problem (a hook of spectacular)."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    content = {ProblemRenderer.media_type: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = {"description": "A refusal", "content": content}
    return result


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: our refusals, the database's constraints and DRF's own errors, in one form."""
    if isinstance(error, TrialError):
        problem = _of_trial_error(error)
    elif isinstance(error, IntegrityError):
        problem = _problem(409, "conflict", "This contradicts what is already saved.")
    else:
        response = exception_handler(error, context)
        if response is None:
            return None
        problem = _of_framework_error(error, response)
    request = context["request"]
    request.accepted_renderer, request.accepted_media_type = ProblemRenderer(), ProblemRenderer.media_type
    return problem


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


def _problem(status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:trialsite:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors
    return Response(body, status=status, content_type=ProblemRenderer.media_type)
