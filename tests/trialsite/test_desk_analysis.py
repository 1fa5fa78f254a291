"""The pages Data, Reports and Study: what is shown to whom, what the data manager orders there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from analysis.canonical import canonical_json, sha256_of
from analysis.cuts import blinded_folder
from analysis.looks import order_look
from analysis.models import DataCut, Job, Look, OpenReport
from studies.acting import Program, acting
from studies.models import ClosedAccount, Membership, ProtocolVersion, Study
from tests import factories
from tests.analysis.signing import signed_plan
from tests.conftest import django_as

pytestmark = pytest.mark.django_db(transaction=True)
PERSON = Program("test")
SignIn = Callable[[str], Client]


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch, folders: Path) -> None:
    for module in ("job_queue", "jobs"):
        monkeypatch.setattr(f"analysis.{module}.push", lambda job_id, side: None)


@pytest.fixture
def as_(version: ProtocolVersion) -> SignIn:
    """A browser signed in as somebody with a role, at Berlin for those who work at a site."""

    def sign_in(role: str) -> Client:
        site = version.study.sites.get(code="BER") if role in ("coordinator", "infusion_nurse") else None
        client = Client()
        person = factories.person(role, version.study, role, site)
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def look(study: Study, version: ProtocolVersion) -> Look:
    signed_plan(version)
    return order_look(PERSON, study=study, number=1)


def finish(look: Look) -> OpenReport:
    """The open report of a look, made, and its cut, taken."""
    folder = blinded_folder(look.cut.name)
    folder.mkdir(parents=True)
    (folder / "participant.parquet").write_bytes(b"PAR1")
    entry = {"kind": "participant", "rows": 1, "cells": 9, "sha256": "a" * 64}
    manifest = canonical_json({"files": {"participant.parquet": entry}})
    (folder / "manifest.json").write_bytes(manifest)
    now = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
    with acting(PERSON, "report made"), transaction.atomic():
        DataCut.objects.filter(pk=look.cut_id).update(
            status="taken", taken_at=now, manifest_sha256=sha256_of(manifest), rows=1, cells=9
        )
        Look.objects.filter(pk=look.pk).update(status="reported")
        report = OpenReport.objects.create(
            look=look, result=b"{}", sha256="e" * 64, html=b"<h1>Pooled</h1>", pdf=b"%PDF-1.7", made_at=now
        )
    Job.objects.update(status="done")
    return report


def text(answer: Any) -> str:
    content: str = answer.content.decode()
    return content


# Data --------------------------------------------------------------------------------------------------


def test_a_data_manager_orders_a_cut_and_watches_it(as_: SignIn, study: Study):
    manager = as_("data_manager")
    assert manager.post("/admin/data/", {"study": study.pk})["Location"] == "/admin/data/"
    shown = text(manager.get("/admin/data/"))
    assert "Cut KALM-cut-1 ordered." in shown
    assert 'data-refresh="/admin/data/"' in shown
    Job.objects.update(status="done", done_steps=4, all_steps=4)
    shown = text(manager.get("/admin/data/"))
    assert "data-refresh" not in shown
    assert '<progress max="4" value="4"' in shown


def test_a_failed_job_says_why_in_fixed_words_and_is_ordered_again(as_: SignIn, look: Look):
    Job.objects.filter(kind="closed_cut").update(status="failed", failure="worker_lost")
    job = Job.objects.get(kind="closed_cut")
    assert "The worker died too often" in text(as_("statistician").get("/admin/data/"))
    assert "Order again" not in text(as_("statistician").get("/admin/data/"))
    manager = as_("data_manager")
    assert f'name="retry" value="{job.pk}"' in text(manager.get("/admin/data/"))
    assert manager.post("/admin/data/", {"retry": job.pk}).status_code == 302
    job.refresh_from_db()
    assert job.status == "queued"
    refused = manager.post("/admin/data/", {"retry": job.pk})
    assert (refused.status_code, "Only a job that has failed" in text(refused)) == (422, True)


def test_nobody_else_orders_a_cut_or_a_job(as_: SignIn, study: Study, look: Look):
    job = Job.objects.first()
    assert job is not None
    for role in ("coordinator", "monitor", "statistician", "auditor"):
        person = as_(role)
        assert "Order a cut" not in text(person.get("/admin/data/"))
        for body in ({"study": study.pk}, {"retry": job.pk}):
            assert person.post("/admin/data/", body).status_code == 403, role
    assert DataCut.objects.count() == 1


def test_a_cut_shows_its_files_to_those_with_the_whole_study_only(as_: SignIn, look: Look):
    finish(look)
    page = as_("statistician").get("/admin/data/cuts/KALM-cut-1/")
    assert "/api/v1/cuts/KALM-cut-1/files/participant.parquet/" in text(page)
    assert "2 Nov 2026 10:30 (Europe/Berlin)" in text(page)
    coordinator = as_("coordinator")
    assert coordinator.get("/admin/data/cuts/KALM-cut-1/").status_code == 404
    assert "They are for the data manager" in text(coordinator.get("/admin/data/"))


def test_a_damaged_cut_says_so_instead_of_failing(as_: SignIn, look: Look):
    finish(look)
    (blinded_folder(look.cut.name) / "manifest.json").write_text("{")
    answer = as_("statistician").get("/admin/data/cuts/KALM-cut-1/")
    assert (answer.status_code, "is damaged" in text(answer)) == (409, True)


# Reports -----------------------------------------------------------------------------------------------


def test_everybody_with_the_study_reads_open_reports(as_: SignIn, look: Look):
    report = finish(look)
    for role in ("coordinator", "infusion_nurse", "monitor", "statistician", "auditor", "data_manager"):
        person = as_(role)
        assert "/admin/reports/KALM/1/" in text(person.get("/admin/reports/"))
        page = person.get("/admin/reports/KALM/1/")
        assert page.content == report.html
        assert "default-src 'self'" in page["Content-Security-Policy"]
        assert person.get("/admin/reports/KALM/1/report.pdf").content == report.pdf
        assert person.get("/admin/reports/KALM/2/").status_code == 404


def test_a_person_without_a_role_sees_no_report(as_: SignIn, look: Look):
    finish(look)
    stranger = as_("administrator")
    assert stranger.get("/admin/reports/KALM/1/").status_code == 404
    assert "You have no role" in text(stranger.get("/admin/reports/"))
    assert "/admin/login/" in Client().get("/admin/reports/KALM/1/")["Location"]


def test_the_next_look_of_the_plan_is_ordered_on_a_new_cut(as_: SignIn, look: Look):
    manager = as_("data_manager")
    assert "Look 2 of" in text(manager.get("/admin/reports/KALM/order/"))
    assert manager.post("/admin/reports/KALM/order/", {"look": "2"})["Location"] == "/admin/reports/"
    second = Look.objects.get(number=2)
    assert (second.planned, second.cut.name, second.ordered_by) == (True, "KALM-cut-2", "data_manager")
    assert "data-refresh" in text(manager.get("/admin/reports/"))


def test_an_unplanned_look_needs_its_reason(as_: SignIn, look: Look):
    manager = as_("data_manager")
    refused = manager.post("/admin/reports/KALM/order/", {"look": "unplanned", "reason": " "})
    assert (refused.status_code, "Say why this look was not planned." in text(refused)) == (422, True)
    manager.post("/admin/reports/KALM/order/", {"look": "unplanned", "reason": "The DSMB asked"})
    unplanned = Look.objects.get(planned=False)
    assert unplanned.unplanned_reason == "The DSMB asked"
    assert "The DSMB asked" in text(manager.get("/admin/reports/"))


def test_a_look_may_be_ordered_on_a_cut_that_no_look_has(as_: SignIn, look: Look, study: Study):
    manager = as_("data_manager")
    manager.post("/admin/data/", {"study": study.pk})
    free = DataCut.objects.get(name="KALM-cut-2")
    assert manager.post("/admin/reports/KALM/order/", {"look": "2", "cut": look.cut_id}).status_code == 422
    assert manager.post("/admin/reports/KALM/order/", {"look": "2", "cut": free.pk}).status_code == 302
    assert Look.objects.get(number=2).cut == free


def test_without_a_frozen_plan_the_page_says_what_to_do(as_: SignIn):
    answer = as_("data_manager").get("/admin/reports/KALM/order/")
    assert (answer.status_code, "Freeze one at Study, Analysis plan" in text(answer)) == (422, True)


def test_only_the_data_manager_orders_a_look(as_: SignIn, look: Look):
    for role in ("coordinator", "monitor", "statistician"):
        person = as_(role)
        assert person.get("/admin/reports/KALM/order/").status_code == 403
        assert person.post("/admin/reports/KALM/order/", {"look": "2"}).status_code == 403
    assert Look.objects.count() == 1


def test_nothing_of_a_closed_report_has_an_address_here(as_: SignIn, look: Look):
    manager = as_("data_manager")
    for path in ("reports/KALM/1/closed/", "reports/KALM/1/closed.pdf", "looks/1/", "looks/1/report.pdf"):
        assert manager.get(f"/admin/{path}").status_code == 404


def test_pages_take_the_same_number_of_queries_however_many_looks_there_are(as_: SignIn, look: Look, study: Study):
    manager = as_("data_manager")

    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert manager.get(path).status_code == 200
        return len(captured)

    few = {path: queries(path) for path in ("/admin/data/", "/admin/reports/", "/admin/study/")}
    for number in range(4):
        order_look(PERSON, study=study, number=0, unplanned_reason=f"reason {number}")
    assert {path: queries(path) for path in few} == few
    assert max(few.values()) <= 16


# Study -------------------------------------------------------------------------------------------------


def test_the_study_page_shows_a_site_its_own_people_and_those_of_the_study(as_: SignIn, study: Study):
    factories.person("elsewhere", study, "coordinator", study.sites.get(code="EDI"))
    factories.person("everywhere", study, "monitor")
    seen = text(as_("coordinator").get("/admin/study/"))
    assert "everywhere" in seen
    assert "elsewhere" not in seen
    assert "EDI Edinburgh" not in seen
    assert "elsewhere" in text(as_("monitor").get("/admin/study/"))


def test_a_protocol_version_is_read_as_it_was_loaded(as_: SignIn, version: ProtocolVersion):
    answer = as_("monitor").get("/admin/study/KALM/protocol/1.0/")
    assert text(answer) == version.source
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert as_("administrator").get("/admin/study/KALM/protocol/1.0/").status_code == 404


# People of a demonstration -----------------------------------------------------------------------------


def test_a_demonstration_gets_one_person_per_role_at_both_doors(demonstration: None, study: Study, capsys: Any):
    call_command("demo_accounts")
    call_command("demo_accounts")
    with django_as("unblinded"):
        call_command("demo_closed_accounts")
        assert set(ClosedAccount.objects.values_list("username", flat=True)) == {
            "dsmb", "chair", "unblinded", "pharmacist",
        }  # fmt: skip
    said = capsys.readouterr().out
    assert "coordinator     Study coordinator        KALM, Berlin Pain Centre (fictional)" in said
    assert "Closed door, password for all: calm river in winter" in said
    roles = set(Membership.objects.values_list("role", flat=True))
    assert roles == {value for value, _ in Membership._meta.get_field("role").choices or []}
    assert Membership.objects.count() == 10
    client = Client()
    signed_in = client.post("/admin/login/", {"username": "datamanager", "password": "calm river in winter"})
    assert signed_in.status_code == 302
    assert get_user_model().objects.filter(is_superuser=True).get().username == "administrator"


def test_outside_a_demonstration_no_such_person_is_made(study: Study):
    with pytest.raises(CommandError, match="not a demonstration"):
        call_command("demo_accounts")
    with django_as("unblinded"), pytest.raises(CommandError, match="not a demonstration"):
        call_command("demo_closed_accounts")
    with pytest.raises(CommandError, match="DB_ROLE=unblinded"):
        call_command("demo_closed_accounts")


def test_a_finished_trial_gets_only_those_who_read(demonstration: None, study: Study):
    with acting(PERSON, "set up"), transaction.atomic():
        finished = Study.objects.create(code="ASHAR2022", title="Finished", origin="imported")
    call_command("demo_accounts")
    with django_as("unblinded"):
        call_command("demo_closed_accounts")
        closed = ClosedAccount.objects.filter(study_id=finished.pk)
        assert {each.username for each in closed} == {"dsmb.ashar2022", "unblinded.ashar2022"}
    people = Membership.objects.filter(study=finished).values_list("user__username", flat=True)
    assert set(people) == {"datamanager", "statistician", "auditor"}
