"""The API's own description: complete, valid, and kept to by what it describes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core import signals
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from rest_framework.authtoken.models import Token
from schemathesis import checks

from tests.trialsite.busy_site import BusySite
from trialsite.urls_api import router

pytestmark = pytest.mark.django_db
# What is kept to: no server error, no status, media type or content that is not described.
KEPT_TO = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
TRIES = 5  # of each operation: the whole run stays short


@cache
def description() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(SchemaGenerator().get_schema(public=True), default=str))
    return found


def test_the_description_is_written_without_a_warning(tmp_path: Path):
    file = tmp_path / "openapi.yaml"
    call_command("spectacular", file=str(file), validate=True, fail_on_warn=True)
    assert file.read_text().startswith("openapi: 3.")


def test_every_list_and_every_step_is_described():
    described = set(description()["paths"])
    assert {f"/api/v1/{prefix}/" for prefix, _, _ in router.registry} <= described
    steps = ("consent", "plan", "findings", "criteria", "eligibility", "randomise")
    assert {f"/api/v1/participants/{{identifier}}/{step}/" for step in steps} <= described
    assert "/api/v1/token/" in described


def test_the_description_is_read_by_whoever_has_signed_in(busy: BusySite):
    answer = busy.as_("statistician").get("/api/v1/openapi.json", HTTP_ACCEPT="application/json")
    assert answer.status_code == 200
    assert set(answer.json()["paths"]) == set(description()["paths"])


def test_the_page_of_the_api_shows_every_request(busy: BusySite):
    page = busy.as_("statistician").get("/admin/study/api/").content.decode()
    for path, operations in description()["paths"].items():
        for method in operations:
            assert f'<strong>{method.upper()}</strong> <code class="small">{path}</code>' in page


OPERATIONS = [
    (path, method)
    for path, operations in description()["paths"].items()
    for method in operations
    # Making a token ends the one that the requests are sent with.
    if path != "/api/v1/token/"
]


@pytest.fixture
def one_connection() -> Iterator[None]:
    """Requests by WSGI leave the connection open, which holds what the test will roll back."""
    for signal in (signals.request_started, signals.request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (signals.request_started, signals.request_finished):
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_nothing_that_is_sent_brings_a_server_error_or_an_answer_that_is_not_described(
    path: str, method: str, busy: BusySite, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("analysis.job_queue.push", lambda job_id, side: None)
    headers = {"Authorization": f"Token {Token.objects.create(user=busy.people['data_manager']).key}"}
    described = schemathesis.openapi.from_dict(description())
    described.app = get_wsgi_application()

    @given(case=described[path][method.upper()].as_strategy())
    @settings(max_examples=TRIES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def send(case: Any) -> None:
        with transaction.atomic():
            answer = case.call(headers=headers)
            transaction.set_rollback(True)
        case.validate_response(answer, checks=KEPT_TO)

    send()
