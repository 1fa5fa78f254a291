"""The API, described on a page: what can be asked, with which words, and what may be sent."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import groupby
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.generators import SchemaGenerator

from trialsite.desk.page import page


def api(request: HttpRequest) -> HttpResponse:
    return page(request, "api.html", room="study", title="API", groups=_groups())


@cache
def _groups() -> list[dict[str, Any]]:
    """The operations by what they are about, in the order of the description."""
    described: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    operations = [
        _operation(path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    about = groupby(operations, key=lambda each: each["about"])
    return [{"name": name, "operations": list(found)} for name, found in about]


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    text = str(operation.get("description", "")).split("\n\n")[0]
    return {
        "about": path.removeprefix("/api/v1/").split("/")[0],
        "method": method.upper(),
        "path": path,
        "text": text,
        "words": [_word(each) for each in operation.get("parameters", ()) if _narrows(each, method)],
        "body": _body(operation),
    }


def _narrows(parameter: Mapping[str, Any], method: str) -> bool:
    """Which words are worth a reader's time: the kind of answer is told once, at the top."""
    return method == "get" and parameter["in"] == "query" and parameter["name"] != "format"


def _word(parameter: Mapping[str, Any]) -> dict[str, str]:
    schema = parameter["schema"]
    allowed = ", ".join(str(value) for value in schema.get("enum", ()))
    return {"name": parameter["name"], "text": allowed or str(parameter.get("description", ""))}


def _body(operation: Mapping[str, Any]) -> str:
    """The name of what is sent, as the description calls it; empty where nothing is."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
