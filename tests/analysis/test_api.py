"""The analysis in the API of the open door: ordering, progress, files; and nothing by arm, whoever asks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from analysis import closed_store, cuts, jobs
from analysis.closed_store import Report
from analysis.looks import order_look
from analysis.models import DataCut, Job, Look, OpenReport, Plan
from studies.acting import Program
from studies.models import User
from tests import factories
from tests.analysis.conftest import Calculations
from tests.analysis.small_trial import SmallTrial
from tests.conftest import django_as

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folders", "pushed")]
SignIn = Callable[..., Client]
EVERYBODY = ("coordinator", "infusion_nurse", "data_manager", "monitor", "statistician", "auditor", "administrator")


@pytest.fixture
def as_(trial: SmallTrial, monkeypatch: pytest.MonkeyPatch) -> SignIn:
    """A client of the API signed in as somebody with a role, at the site for those who work there."""

    def sign_in(role: str, *, superuser: bool = False) -> Client:
        site = trial.site if role in ("coordinator", "infusion_nurse") else None
        person = factories.person(role, trial.study, role, site)
        if superuser:
            User.objects.filter(pk=person.pk).update(is_superuser=True)
        client = Client()
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def cut(trial: SmallTrial) -> DataCut:
    """A cut of the small trial, taken."""
    cut = cuts.order_cut(Program("test"), study=trial.study)
    jobs.run(Job.objects.get().pk)
    cut.refresh_from_db()
    return cut


@pytest.fixture
def look(trial: SmallTrial, plan: Plan, cut: DataCut, calculations: Calculations) -> Look:
    """The first look, its open report made."""
    look = order_look(Program("test"), study=trial.study, number=1, cut=cut)
    jobs.run(Job.objects.get(kind="open_report").pk)
    return look


def post(client: Client, path: str, body: dict[str, Any] | None = None) -> Any:
    return client.post(f"/api/v1/{path}", body or {}, content_type="application/json")


def test_a_data_manager_orders_a_cut_and_sees_it_taken(as_: SignIn, trial: SmallTrial):
    manager = as_("data_manager")
    ordered = post(manager, "cuts/", {"study": "SMALL"})
    assert (ordered.status_code, ordered.json()["status"]) == (201, "ordered")
    [job] = manager.get("/api/v1/jobs/").json()["results"]
    assert (job["kind"], job["status"], job["cut"], job["done_steps"]) == ("cut", "queued", "SMALL-cut-1", 0)
    jobs.run(job["id"])
    job = manager.get(f"/api/v1/jobs/{job['id']}/").json()
    assert (job["status"], job["done_steps"]) == ("done", job["all_steps"])
    taken = manager.get("/api/v1/cuts/SMALL-cut-1/").json()
    assert (taken["status"], len(taken["manifest_sha256"])) == ("taken", 64)


def test_the_files_of_a_cut_are_those_of_its_manifest(as_: SignIn, cut: DataCut):
    statistician = as_("statistician")
    manifest = statistician.get(f"/api/v1/cuts/{cut.name}/files/manifest.json/").getvalue()
    assert hashlib.sha256(manifest).hexdigest() == cut.manifest_sha256
    for name, entry in orjson.loads(manifest)["files"].items():
        answer = statistician.get(
            f"/api/v1/cuts/{cut.name}/files/{name}/", headers={"Accept": "application/vnd.apache.parquet"}
        )
        assert hashlib.sha256(answer.getvalue()).hexdigest() == entry["sha256"]


def test_neither_the_restricted_part_nor_anything_beside_a_cut_is_a_file_of_it(
    as_: SignIn, cut: DataCut, folders: Path
):
    assert (cuts.restricted_folder(cut.name) / "reading.parquet").exists()
    (folders / "cuts" / "beside.txt").write_text("secret")
    manager = as_("data_manager", superuser=True)
    for path in (
        f"{cut.name}.restricted/files/reading.parquet/",
        f"{cut.name}.restricted/files/manifest.json/",
        f"{cut.name}/files/reading.parquet/",
        f"{cut.name}/files/..%2F{cut.name}.restricted%2Freading.parquet/",
        f"{cut.name}/files/..%2Fbeside.txt/",
        f"{cut.name}/files/%2e%2e/",
        f"..%2Fclosed/files/{cut.name}/",
    ):
        assert manager.get(f"/api/v1/cuts/{path}").status_code == 404, path


def test_a_cut_that_is_not_taken_has_no_files(as_: SignIn, trial: SmallTrial):
    cuts.order_cut(Program("test"), study=trial.study)
    assert as_("data_manager").get("/api/v1/cuts/SMALL-cut-1/files/manifest.json/").status_code == 404


def test_cuts_are_for_those_with_the_whole_study(as_: SignIn, cut: DataCut):
    for role in EVERYBODY:
        seen = as_(role).get("/api/v1/cuts/").json()["results"]
        assert bool(seen) == (role in ("data_manager", "statistician", "auditor")), role


def test_only_the_data_manager_orders(as_: SignIn, look: Look):
    Job.objects.filter(kind="closed_cut").update(status="failed", failure="worker_lost")
    job = Job.objects.get(kind="closed_cut")
    for role in ("coordinator", "monitor", "statistician", "auditor"):
        person = as_(role)
        for path, body in (
            ("cuts/", {"study": "SMALL"}),
            ("looks/", {"study": "SMALL", "number": 2}),
            (f"jobs/{job.pk}/retry/", {}),
        ):
            answer = post(person, path, body)
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:trialsite:not_allowed"), (role, path)
    assert Look.objects.count() == 1
    assert post(as_("data_manager"), f"jobs/{job.pk}/retry/").json()["status"] == "queued"


def test_a_study_out_of_sight_is_not_found(as_: SignIn, trial: SmallTrial):
    assert post(as_("data_manager"), "cuts/", {"study": "OTHER"}).status_code == 404
    assert post(as_("administrator"), "cuts/", {"study": "SMALL"}).status_code == 404
    assert Client().get("/api/v1/cuts/").status_code == 401


def test_a_look_is_ordered_once_and_an_unplanned_one_says_why(as_: SignIn, plan: Plan, cut: DataCut):
    manager = as_("data_manager")
    first = post(manager, "looks/", {"study": "SMALL", "number": 1, "cut": cut.name})
    assert (first.status_code, first.json()["cut"]) == (201, cut.name)
    again = post(manager, "looks/", {"study": "SMALL", "number": 1})
    assert (again.status_code, again.json()["type"]) == (409, "urn:trialsite:look_taken")
    wrong = post(manager, "looks/", {"study": "SMALL", "number": 9})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "number")
    unplanned = post(manager, "looks/", {"study": "SMALL", "unplanned_reason": "asked for by the DSMB"}).json()
    assert (unplanned["planned"], unplanned["unplanned_reason"]) == (False, "asked for by the DSMB")
    listed = manager.get("/api/v1/looks/?study__code=SMALL").json()["results"]
    assert [row["number"] for row in listed] == [1, unplanned["number"]]


def test_everybody_with_the_study_reads_the_open_report_in_its_kept_bytes(as_: SignIn, look: Look):
    report = OpenReport.objects.get()
    for role in EVERYBODY[:-1]:
        person = as_(role)
        answer = person.get(f"/api/v1/looks/{look.pk}/result/")
        assert (answer.content, answer["X-Content-SHA256"]) == (bytes(report.result), report.sha256)
        page = person.get(f"/api/v1/looks/{look.pk}/report.html/", headers={"Accept": "text/html"})
        assert page.content == bytes(report.html)
        pdf = person.get(f"/api/v1/looks/{look.pk}/report.pdf/", headers={"Accept": "application/pdf"})
        assert (pdf.content, pdf["Content-Type"]) == (bytes(report.pdf), "application/pdf")
    assert as_("administrator").get(f"/api/v1/looks/{look.pk}/result/").status_code == 404
    assert as_("coordinator").get(f"/api/v1/looks/{look.pk}/datasets/").status_code == 403
    statistician = as_("statistician")
    [first, *_] = statistician.get(f"/api/v1/looks/{look.pk}/datasets/").json()
    file = statistician.get(f"/api/v1/cuts/{look.cut.name}/files/{first['name']}/").getvalue()
    assert hashlib.sha256(file).hexdigest() == first["sha256"]


def test_a_look_without_its_report_has_none(as_: SignIn, trial: SmallTrial, plan: Plan):
    look = order_look(Program("test"), study=trial.study, number=1)
    manager = as_("data_manager")
    assert manager.get(f"/api/v1/looks/{look.pk}/").json()["status"] == "ordered"
    for address in (f"{look.pk}/result/", f"{look.pk}/report.pdf/", "x/result/", "0/report.html/"):
        assert manager.get(f"/api/v1/looks/{address}").status_code == 404


def test_closed_results_are_not_found_whoever_asks(as_: SignIn, look: Look):
    with django_as("unblinded"):
        closed_store.seal(look, cut_manifest_sha256="c" * 64, report=Report(b'{"arm":"KET"}', b"KET", b"KET"))
    for role in EVERYBODY:
        person = as_(role, superuser=True)
        for path in (
            f"looks/{look.pk}/closed/",
            f"looks/{look.pk}/closed-result/",
            f"looks/{look.pk}/closed_report/",
            f"looks/{look.pk}/result/closed/",
            "closed/looks/1/result/",
            "closed-results/",
            f"cuts/{look.cut.name}/files/arm.parquet/",
        ):
            assert person.get(f"/api/v1/{path}").status_code == 404, (role, path)
        for path in ("looks/", "jobs/", "cuts/"):
            assert b"KET" not in person.get(f"/api/v1/{path}").content


def test_lists_take_the_same_number_of_queries_whatever_their_length(as_: SignIn, look: Look, trial: SmallTrial):
    manager = as_("data_manager")
    few = {path: queries(manager, path) for path in ("cuts/", "looks/", "jobs/")}
    for number in range(4):
        order_look(Program("test"), study=trial.study, number=0, unplanned_reason=f"reason {number}")
    assert {path: queries(manager, path) for path in few} == few
    assert max(few.values()) <= 8


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(f"/api/v1/{path}").status_code == 200
    return len(captured)
