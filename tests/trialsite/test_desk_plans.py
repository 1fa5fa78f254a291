"""The analysis plan at the desk and in the API: written, checked line by line, frozen with a reason, signed."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from analysis import plans
from analysis.models import Plan
from analysis.plan_texts import plan_file
from studies.acting import Program
from studies.models import Draft, ProtocolVersion
from tests import factories

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
HOME = "/admin/study/KALM/plan/"


@pytest.fixture
def version(db: None) -> ProtocolVersion:
    """KALM, rolled back after the test."""
    return factories.kalm()


@pytest.fixture
def frozen(version: ProtocolVersion) -> Plan:
    return plans.freeze_plan(Program("test"), protocol_version=version)


def client_of(role: str, version: ProtocolVersion) -> Client:
    site = version.study.sites.get(code="BER") if role == "coordinator" else None
    client = Client()
    person = factories.person(role, version.study, role, site)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text(answer: Any) -> str:
    content: str = answer.content.decode()
    return content


def next_version(frozen: Plan) -> str:
    return plan_file(frozen.source).replace("version: '1.0'", "version: '1.1'").replace("alpha: 0.025", "alpha: 0.02")


def test_a_statistician_writes_checks_freezes_and_signs_the_next_version(version: ProtocolVersion, frozen: Plan):
    client = client_of("statistician", version)
    assert "waits for a signature" in text(client.get(HOME))
    assert "version: &#x27;1.0&#x27;" in text(client.get(f"{HOME}new/"))

    lines = next_version(frozen).replace("population: FAS", "population: FOS").splitlines()
    wrong = client.post(f"{HOME}new/", {"text": "\r\n".join(lines), "reason": "", "check": "1"})
    at = 1 + next(index for index, line in enumerate(lines) if "population: FOS" in line)
    assert f'<td class="number">{at}</td><td><code>population: FOS</code>' in text(wrong)
    assert "&#x27;FOS&#x27; is not a population of the plan" in text(wrong)
    assert "population: FOS" in text(client.get(f"{HOME}new/")), "what was checked is kept as a draft"

    file = SimpleUploadedFile("sap.yaml", next_version(frozen).encode())
    right = text(client.post(f"{HOME}new/", {"text": "old", "reason": "", "check": "1", "file": file}))
    assert "Freeze version 1.1" in right
    assert "looks, alpha" in right
    entry = {"text": next_version(frozen), "reason": "", "freeze": "1"}
    refused = client.post(f"{HOME}new/", entry)
    assert (refused.status_code, "Say why it changes" in text(refused)) == (422, True)
    assert client.post(f"{HOME}new/", entry | {"reason": "the sponsor is careful"})["Location"] == f"{HOME}1.1/"
    assert not Draft.objects.exists()

    page = text(client.get(f"{HOME}1.1/"))
    for said in ("the sponsor is careful", plans.SIGNATURE_MEANING, "0.025", "Lan-DeMets"):
        assert said in page
    assert client.post(f"{HOME}1.1/", {"password": "no"}).status_code == 422
    assert client.post(f"{HOME}1.1/", {"password": PASSWORD})["Location"] == f"{HOME}1.1/"
    signed = Plan.objects.get(version="1.1")
    assert (signed.signed_by, signed.signed_meaning) == ("statistician", plans.SIGNATURE_MEANING)
    page = text(client.get(f"{HOME}1.1/"))
    assert "in force" in page
    assert signed.sha256 in page
    assert f"{signed.signed_at:%b %Y %H:%M} UTC" in page
    assert "Your password" not in page
    assert "replaced" in text(client.get(f"{HOME}1.0/"))


def test_who_only_reads_is_asked_for_nothing_and_a_data_manager_does_not_sign(version: ProtocolVersion, frozen: Plan):
    reader, manager = client_of("coordinator", version), client_of("data_manager", version)
    assert "Write a new version" not in text(reader.get(HOME))
    assert reader.get(f"{HOME}new/").status_code == 403
    assert manager.get(f"{HOME}new/").status_code == 200
    for client in (reader, manager):
        assert "Your password" not in text(client.get(f"{HOME}1.0/"))
        client.post(f"{HOME}1.0/", {"password": PASSWORD})
        assert client.post(f"/api/v1/plans/{frozen.pk}/sign/", {"password": PASSWORD}).status_code == 403
    assert Plan.objects.get().signed_at is None
    assert Client().get(HOME).status_code == 302


def test_what_is_no_plan_file_is_said_so(version: ProtocolVersion, frozen: Plan):
    client = client_of("statistician", version)
    for content, said in ((b"\xff\xfe", "is not text in UTF-8"), (b"x" * 100_001, "a plan has at most")):
        answer = client.post(f"{HOME}new/", {"text": "", "file": SimpleUploadedFile("sap.yaml", content)})
        assert (answer.status_code, said in text(answer)) == (422, True)
    assert "The plan is empty" in text(client.post(f"{HOME}new/", {"text": ""}))
    same = client.post(f"{HOME}new/", {"text": plan_file(frozen.source), "freeze": "1"})
    assert "There is nothing to freeze" in text(same)
    changed = plan_file(frozen.source).replace("alpha: 0.025", "alpha: 0.02")
    assert "Version 1.0 is frozen with another text" in text(client.post(f"{HOME}new/", {"text": changed}))


def test_the_api_checks_freezes_signs_and_hands_out_the_text_that_was_hashed(version: ProtocolVersion, frozen: Plan):
    client = client_of("statistician", version)
    body = {"study": "KALM", "text": next_version(frozen), "file": "sap.yaml"}
    checked = client.post("/api/v1/plans/check/", body).json()
    assert (checked["problems"], checked["may_be_frozen"]) == ([], True)
    assert {"path": "looks.alpha", "before": 0.025, "after": 0.02} in checked["changes"]
    [problem] = client.post("/api/v1/plans/check/", body | {"text": "analyses: {}\nanalysis: 3"}).json()["problems"][:1]
    assert problem["line"] == 1
    assert client.post("/api/v1/plans/", body).status_code == 400, "a change needs a reason"
    made = client.post("/api/v1/plans/", body | {"reason": "care"})
    assert made.status_code == 201, made.content
    key = made.json()["id"]
    assert client.post(f"/api/v1/plans/{key}/sign/", {"password": "no"}).json()["errors"][0]["field"] == "password"
    signed = client.post(f"/api/v1/plans/{key}/sign/", {"password": PASSWORD}).json()
    assert (signed["signed_by"], signed["signed_meaning"]) == ("statistician", plans.SIGNATURE_MEANING)
    again = client.post(f"/api/v1/plans/{frozen.pk}/sign/", {"password": PASSWORD})
    assert (again.status_code, "has taken the place" in text(again)) == (409, True)
    source = client.get(f"/api/v1/plans/{key}/source/")
    assert hashlib.sha256(source.content).hexdigest() == source["X-Content-SHA256"] == signed["sha256"]
    assert orjson.loads(source.content)["looks"]["alpha"] == 0.02
    assert text(client.get(f"/api/v1/plans/{key}/text/")) == next_version(frozen)
    assert {each["path"] for each in client.get(f"/api/v1/plans/{key}/changes/").json()} == {"version", "looks.alpha"}


def test_guessing_the_password_of_who_is_signed_in_locks_as_guessing_at_the_door_does(
    version: ProtocolVersion, frozen: Plan, settings: Any
):
    settings.AXES_FAILURE_LIMIT = 3
    client = client_of("statistician", version)
    answers = [client.post(f"{HOME}1.0/", {"password": f"guess {number}"}).status_code for number in range(3)]
    assert answers[:2] == [422, 422]
    assert client.post(f"{HOME}1.0/", {"password": PASSWORD}).status_code != 302
    assert Plan.objects.get().signed_at is None
