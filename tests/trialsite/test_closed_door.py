"""The closed door: who gets in, what each role reads there, and that every reading is on record."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as current
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from analysis import closed_store
from analysis.closed_store import Report
from analysis.cuts import unblinded_folder
from analysis.looks import order_look
from analysis.models import Job, Look
from studies.acting import Program, acting
from studies.models import ClosedAccount, ClosedSession, Study
from tests import factories
from tests.analysis.signing import signed_plan
from tests.conftest import django_as
from tests.trialsite.closed_door import PASSWORD, ClosedDoor

pytestmark = pytest.mark.django_db(transaction=True)
PERSON = Program("test")
SECRET = "".join(chr(33 + place % 90) for place in range(60))
RESULT = b'{"arms":{"KET":4.1,"MDZ":5.2},"kind":"closed"}'
REPORT = Report(RESULT, b'<!DOCTYPE html><link rel="stylesheet" href="/static/trialsite/report.css">', b"%PDF-1.7")
PAGES = (
    "/",
    "/looks/",
    "/looks/1/",
    "/looks/1/report.pdf",
    "/looks/1/result.json",
    "/looks/1/failures/",
    "/cuts/",
    "/kits/",
)
API = (
    "/api/v1/looks/",
    "/api/v1/looks/1/result/",
    "/api/v1/looks/1/report.pdf/",
    "/api/v1/cuts/",
    "/api/v1/cuts/x/files/y/",
)


@pytest.fixture
def look(study: Study, version: Any, monkeypatch: pytest.MonkeyPatch, folders: Any) -> Look:
    """The first look of KALM, its closed report sealed."""
    monkeypatch.setattr("analysis.job_queue.push", lambda job_id, side: None)
    signed_plan(version)
    look = order_look(PERSON, study=study, number=1)
    with django_as("unblinded"):
        closed_store.seal(look, cut_manifest_sha256="c" * 64, report=REPORT)
    with acting(PERSON, "sealed"), transaction.atomic():
        Look.objects.filter(pk=look.pk).update(closed_status=Look.Status.REPORTED)
    return look


@pytest.fixture
def unblinded_cut(look: Look) -> str:
    """The files of an unblinded cut, as the unblinded worker leaves them."""
    folder = unblinded_folder(look.cut.name)
    folder.mkdir(parents=True)
    (folder / "arm.parquet").write_bytes(b"PAR1")
    (folder / "manifest.json").write_text('{"files": {"arm.parquet": {"rows": 4, "sha256": "d"}}}')
    (folder / "notes.txt").write_text("not of the cut")
    (folder.parent / "manifest.json").write_text("above the cut")
    return look.cut.name


def test_signing_in_and_out_works_with_what_the_role_may_write(closed_door: ClosedDoor, study: Study):
    account = closed_door.account(study, "dsmb_member")
    answer = closed_door.sign_in("dsmb_member")
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert closed_door.get("/")["Location"] == "/looks/"
    assert b"Dsmb_Member, DSMB member" in closed_door.get("/looks/").content
    with django_as("unblinded"):
        assert ClosedAccount.objects.get(pk=account.pk).last_login is not None
        assert ClosedSession.objects.count() == 1
    assert closed_door.post("/logout/")["Location"] == "/login/"
    assert closed_door.get("/looks/")["Location"] == "/login/?next=/looks/"
    assert closed_door.trail() == [("dsmb_member", "signed in"), ("dsmb_member", "signed out")]
    with django_as("unblinded"):
        assert not ClosedSession.objects.exists()


def test_signing_in_clears_sessions_that_have_expired_and_no_other(closed_door: ClosedDoor, study: Study):
    closed_door.account(study, "dsmb_member")
    with django_as("unblinded"):
        for key, hours in (("over", -1), ("running", 1)):
            expires = timezone.now() + timedelta(hours=hours)
            ClosedSession.objects.create(session_key=key, session_data="x", expire_date=expires)
    closed_door.sign_in("dsmb_member", "a wrong guess")
    with django_as("unblinded"):
        assert ClosedSession.objects.filter(pk="over").exists()
    closed_door.sign_in("dsmb_member")
    with django_as("unblinded"):
        assert ClosedSession.objects.filter(pk="running").exists()
        assert not ClosedSession.objects.filter(pk="over").exists()


def test_a_superuser_of_the_open_door_is_nobody_here(closed_door: ClosedDoor, study: Study):
    user = factories.person("root", study, "administrator")
    user.is_superuser = True
    user.save()
    assert b"do not belong together" in closed_door.sign_in("root", "correct horse battery").content


def test_ten_wrong_passwords_shut_an_account_also_for_the_right_one(closed_door: ClosedDoor, study: Study):
    closed_door.account(study, "dsmb_member")
    for _ in range(10):
        assert closed_door.sign_in("dsmb_member", "a wrong guess").status_code == 200
    assert closed_door.sign_in("dsmb_member").status_code == 200
    with django_as("unblinded"):
        ClosedAccount.objects.update(locked_until="2026-01-01T00:00Z")
    assert closed_door.sign_in("dsmb_member").status_code == 302


def test_a_form_without_its_token_is_refused(closed_door: ClosedDoor, study: Study):
    closed_door.account(study, "pharmacist")
    closed_door.sign_in("pharmacist")
    with django_as("unblinded"):
        assert closed_door.client.post("/kits/", {"label": "K1"}).status_code == 403


def test_a_stranger_is_sent_to_the_sign_in_and_gets_a_problem_from_the_api(closed_door: ClosedDoor):
    for path in PAGES:
        assert closed_door.get(path)["Location"] == f"/login/?next={path}"
    for path in API:
        for headers in ({}, {"Authorization": "Token made-up"}):
            answer = closed_door.get(path, headers=headers)
            assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")


@pytest.mark.parametrize("role", ["dsmb_member", "unblinded_statistician"])
def test_those_who_may_read_results_read_what_was_sealed(closed_door: ClosedDoor, look: Look, role: str):
    closed_door.account(look.study, role)
    closed_door.sign_in(role)
    assert b"Read the closed report" in closed_door.get("/looks/").content
    page = closed_door.get("/looks/1/")
    assert page.content == REPORT.html
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert "no-store" in page["Cache-Control"]
    assert closed_door.get("/looks/1/report.pdf").content == REPORT.pdf
    assert closed_door.get("/looks/1/result.json").content == RESULT
    assert closed_door.trail()[-3:] == [
        (role, "look 1: report read"),
        (role, "look 1: PDF read"),
        (role, "look 1: result read"),
    ]


def test_the_api_hands_out_the_sealed_bytes_with_their_hash(closed_door: ClosedDoor, look: Look):
    token = closed_door.token(closed_door.account(look.study, "dsmb_member"))
    [row] = closed_door.get("/api/v1/looks/", headers=token).json()["results"]
    assert (row["number"], row["status"], row["cut"]) == (1, "reported", look.cut.name)
    answer = closed_door.get("/api/v1/looks/1/result/", headers=token)
    assert answer.content == RESULT
    assert answer["X-Content-SHA256"] == hashlib.sha256(RESULT).hexdigest()
    assert closed_door.get("/api/v1/looks/1/report.pdf/", headers=token).content == REPORT.pdf
    assert [what for _, what in closed_door.trail()] == ["look 1: result read", "look 1: PDF read"]


def test_a_session_opens_the_api_too(closed_door: ClosedDoor, look: Look):
    closed_door.account(look.study, "dsmb_member")
    closed_door.sign_in("dsmb_member")
    assert closed_door.get("/api/v1/looks/1/result/").content == RESULT


def test_a_pharmacist_reads_no_results(closed_door: ClosedDoor, look: Look, unblinded_cut: str):
    token = closed_door.token(closed_door.account(look.study, "pharmacist"))
    closed_door.sign_in("pharmacist")
    files = f"/cuts/{unblinded_cut}/arm.parquet"
    for path in (*PAGES[1:-1], files):
        answer = closed_door.get(path)
        assert answer.status_code == 403, path
        assert b"Your role does not allow you to" in answer.content
    for path in (*API, f"/api/v1/cuts/{unblinded_cut}/files/arm.parquet/"):
        answer = closed_door.get(path, headers=token)
        assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json"), path
    assert closed_door.trail() == [("pharmacist", "signed in")]


def test_an_account_of_another_study_finds_nothing(closed_door: ClosedDoor, look: Look, unblinded_cut: str):
    with acting(PERSON, "set up"), transaction.atomic():
        other = Study.objects.create(code="OTHER", title="Another study")
    token = closed_door.token(closed_door.account(other, "dsmb_member"))
    assert closed_door.get("/api/v1/looks/", headers=token).json() == {"results": []}
    assert closed_door.get("/api/v1/cuts/", headers=token).json() == {"results": []}
    for path in ("looks/1/result/", "looks/1/report.pdf/", f"cuts/{unblinded_cut}/files/arm.parquet/"):
        assert closed_door.get(f"/api/v1/{path}", headers=token).status_code == 404


def test_a_look_that_is_not_sealed_is_not_there_yet(closed_door: ClosedDoor, look: Look):
    closed_door.account(look.study, "dsmb_member")
    closed_door.sign_in("dsmb_member")
    answer = closed_door.get("/looks/2/")
    assert answer.status_code == 404
    assert b"or not yet" in answer.content


def test_the_page_of_looks_refreshes_itself_while_work_goes_on(closed_door: ClosedDoor, look: Look):
    with acting(PERSON, "set up"), transaction.atomic():
        Look.objects.update(closed_status="ordered")
    Job.objects.filter(kind="closed_cut").update(status="running", done_steps=3, all_steps=7)
    closed_door.account(look.study, "dsmb_member")
    closed_door.sign_in("dsmb_member")
    content = closed_door.get("/looks/").content.decode()
    assert 'data-refresh="/looks/"' in content
    assert '<progress max="7" value="3"' in content


def test_only_the_unblinded_statistician_reads_why_a_job_failed(closed_door: ClosedDoor, look: Look):
    with django_as("unblinded"):
        closed_store.note_detail(Job.objects.get(kind="closed_report").pk, "ValueError: no <MDZ> left")
    for role, status in (("dsmb_member", 403), ("unblinded_statistician", 200)):
        closed_door.account(look.study, role)
        closed_door.sign_in(role)
        answer = closed_door.get("/looks/1/failures/")
        assert answer.status_code == status
        assert (b"no &lt;MDZ&gt; left" in answer.content) == (status == 200)
        closed_door.post("/logout/")
    assert ("unblinded_statistician", "look 1: failures read") in closed_door.trail()


def test_files_of_an_unblinded_cut_are_listed_and_read(closed_door: ClosedDoor, look: Look, unblinded_cut: str):
    token = closed_door.token(closed_door.account(look.study, "unblinded_statistician"))
    [row] = closed_door.get("/api/v1/cuts/", headers=token).json()["results"]
    assert row["files"] == ["arm.parquet", "manifest.json"]
    answer = closed_door.get(f"/api/v1/cuts/{unblinded_cut}/files/arm.parquet/", headers=token)
    assert b"".join(answer.streaming_content) == b"PAR1"
    assert closed_door.trail()[-1] == ("unblinded_statistician", f"cut {unblinded_cut}: arm.parquet read")
    closed_door.sign_in("unblinded_statistician")
    assert f"/cuts/{unblinded_cut}/arm.parquet".encode() in closed_door.get("/cuts/").content


CLIMBING = (
    "{cut}/notes.txt",
    "{cut}/..%2Fmanifest.json",
    "{cut}/../manifest.json",
    "{cut}/%2e%2e%2fmanifest.json",
    "{cut}/arm.parquet%00",
    "..%2F..%2Fclosed%2Fcuts/manifest.json",
    "{cut}/..",
    "./manifest.json",
    "../manifest.json",
)


def test_no_path_climbs_out_of_a_cut(closed_door: ClosedDoor, look: Look, unblinded_cut: str):
    token = closed_door.token(closed_door.account(look.study, "unblinded_statistician"))
    for path in CLIMBING:
        for address in (f"/api/v1/cuts/{path}/", f"/api/v1/cuts/{path.replace('/', '/files/', 1)}/"):
            answer = closed_door.get(address.format(cut=unblinded_cut), headers=token)
            # A NUL is refused before anything looks at the address.
            assert answer.status_code == (400 if "%00" in path else 404), address
    assert closed_door.trail() == []


def test_a_damaged_cut_says_so_instead_of_failing(closed_door: ClosedDoor, look: Look, unblinded_cut: str):
    (unblinded_folder(unblinded_cut) / "manifest.json").write_text("{")
    closed_door.account(look.study, "dsmb_member")
    closed_door.sign_in("dsmb_member")
    answer = closed_door.get("/cuts/")
    assert answer.status_code == 409
    assert b"is damaged" in answer.content


# The process and its commands --------------------------------------------------------------------------


def test_the_process_lives_without_a_sign_in(closed_door: ClosedDoor):
    assert closed_door.get("/healthz").content == b"ok"


def test_an_address_that_leads_nowhere_says_so(closed_door: ClosedDoor, study: Study):
    assert b"There is nothing at this address" in closed_door.get("/admin/").content
    closed_door.account(study, "dsmb_member")
    closed_door.sign_in("dsmb_member")
    answer = closed_door.get("/participants/")
    assert answer.status_code == 404
    assert b"Sign out" in answer.content


def test_the_deployment_checks_of_this_door_pass():
    production = {"TRIALSITE_PRODUCTION": "1", "TRIALSITE_HOSTS": "closed.example.org", "TRIALSITE_SECRET_KEY": SECRET}
    environment = os.environ | {"DB_ROLE": "unblinded", "TRIALSITE_DOOR": "closed"} | production
    environment.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)  # what browser tests of the same process need
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, env=environment, cwd=current.BASE_DIR, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_api_describes_itself_to_those_who_signed_in(closed_door: ClosedDoor, study: Study):
    assert closed_door.get("/api/v1/openapi.json").status_code == 401
    token = closed_door.token(closed_door.account(study, "dsmb_member"))
    described = closed_door.get("/api/v1/openapi.json", headers=token).content
    assert b"/api/v1/looks/{number}/result/" in described


def test_accounts_and_tokens_come_from_the_command_line(closed_door: ClosedDoor, study: Study, capsys: Any):
    with django_as("unblinded"):
        call_command("closed_account", "KALM", "dora", "dsmb_member", "--name", "Dora Falk", "--password", PASSWORD)
        call_command("closed_token", "dora")
    said, token = capsys.readouterr().out.splitlines()
    assert said == "dora: DSMB member of KALM"
    assert closed_door.sign_in("dora").status_code == 302
    assert closed_door.get("/api/v1/looks/", headers={"Authorization": f"Token {token}"}).status_code == 200


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["closed_account", "NONE", "dora", "dsmb_member", "--password", PASSWORD], "There is no study NONE"),
        (["closed_account", "KALM", "dora", "dsmb_member", "--password", "short"], "too short"),
        (["closed_token", "dora"], "There is no account dora"),
    ],
)
def test_what_a_command_cannot_do_it_says(study: Study, command: list[str], said: str):
    with django_as("unblinded"), pytest.raises(CommandError, match=said):
        call_command(*command)


@pytest.mark.parametrize(
    "command", [["closed_account", "KALM", "dora", "dsmb_member", "--password", PASSWORD], ["closed_token", "dora"]]
)
def test_the_open_side_makes_no_accounts_of_the_closed_one(study: Study, command: list[str]):
    with pytest.raises(CommandError, match="set DB_ROLE=unblinded"):
        call_command(*command)
    with pytest.raises(Exception, match="permission denied"), connection.cursor() as cursor:
        cursor.execute("INSERT INTO concealed.account (username) VALUES ('dora')")
