"""Masked reports at the closed door: who reads them, and who learns which arm is A."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from analysis import closed_store, masking, plans
from analysis.closed_store import Report
from analysis.looks import order_look
from analysis.models import Look
from studies.acting import Program, acting
from studies.models import Study
from tests import factories
from tests.analysis.kalm_cut import KALM
from tests.analysis.signing import signed
from tests.conftest import django_as
from tests.trialsite.closed_door import ClosedDoor

pytestmark = pytest.mark.django_db(transaction=True)
PERSON = Program("test")
NAMED = Report(b'{"kind":"closed","arm":"KET"}', b"<p>Ketamine</p>", b"%PDF named")
MASKED = Report(b'{"kind":"masked"}', b"<p>Arm A and Arm B</p>", b"%PDF masked")
PAGES = {"/looks/1/masked/": MASKED.html, "/looks/1/masked.pdf": MASKED.pdf, "/looks/1/masked.json": MASKED.result}


MASKING = KALM[KALM.index("analysis:\n") :].replace('  version: "1.0"', '  version: "1.1"\n  dsmb_arms: masked', 1)


@pytest.fixture
def look(study: Study, version: Any, monkeypatch: pytest.MonkeyPatch, folders: Any) -> Look:
    """The first look under a plan that masks the arms for the DSMB."""
    monkeypatch.setattr("analysis.job_queue.push", lambda job_id, side: None)
    signed(plans.freeze_plan(PERSON, protocol_version=version, text=MASKING))
    look = order_look(PERSON, study=study, number=1)
    with django_as("unblinded"):
        closed_store.seal(look, cut_manifest_sha256="c" * 64, report=NAMED)
        closed_store.seal_masked(look, report=MASKED)
        masking.labels_of(PERSON, study=study, purpose="masked report of look 1")
    with acting(PERSON, "sealed"), transaction.atomic():
        Look.objects.filter(pk=look.pk).update(closed_status=Look.Status.REPORTED)
    return look


def test_a_member_of_the_dsmb_reads_a_and_b_and_nothing_that_names_them(
    closed_door: ClosedDoor, study: Study, look: Look
):
    closed_door.account(study, "dsmb_member")
    closed_door.sign_in("dsmb_member")
    shown = closed_door.get("/looks/").content.decode()
    assert "Read the report with masked arms" in shown
    assert "Read the closed report" not in shown
    assert "Which arm is A" not in shown
    for path, content in PAGES.items():
        assert closed_door.get(path).content == content
    for path in ("/looks/1/", "/looks/1/report.pdf", "/looks/1/result.json", "/cuts/", "/masking/"):
        answer = closed_door.get(path)
        assert answer.status_code == 403
        assert b"KET" not in answer.content
    assert ("dsmb_member", "look 1: masked report read") in closed_door.trail()


def test_the_unblinded_statistician_reads_both_and_says_for_what_the_labels_are_read(
    closed_door: ClosedDoor, study: Study, look: Look
):
    closed_door.account(study, "unblinded_statistician")
    closed_door.sign_in("unblinded_statistician")
    shown = closed_door.get("/looks/").content.decode()
    assert "Read the closed report" in shown
    assert "Read the report with masked arms" in shown
    assert closed_door.get("/looks/1/").content == NAMED.html
    page = closed_door.get("/masking/")
    assert b"KET" not in page.content
    assert closed_door.post("/masking/", {"purpose": ""}).status_code == 422
    told = closed_door.post("/masking/", {"purpose": "the DSMB asked to unmask"}).content.decode()
    assert "KET" in told
    assert "MDZ" in told


def test_a_pharmacist_reads_neither(closed_door: ClosedDoor, study: Study, look: Look):
    closed_door.account(study, "pharmacist")
    closed_door.sign_in("pharmacist")
    for path in (*PAGES, "/masking/"):
        assert closed_door.get(path).status_code == 403


def test_a_look_without_a_masked_report_has_no_page_of_it(closed_door: ClosedDoor, study: Study, look: Look):
    closed_door.account(study, "dsmb_member")
    closed_door.sign_in("dsmb_member")
    assert closed_door.get("/looks/2/masked/").status_code == 404


def test_arms_are_masked_from_the_plan_on_and_not_from_its_first_look(
    closed_door: ClosedDoor, study: Study, version: Any, folders: Any
):
    """A cut is taken before its look: who read the arms in it then would know A and B for ever."""
    factories.make_list(study, django_as)
    closed_door.account(study, "dsmb_member")
    closed_door.sign_in("dsmb_member")
    paths = ("/cuts/", "/api/v1/cuts/", "/api/v1/cuts/KALM-cut-1/timeline/", "/cuts/KALM-cut-1/arm.parquet")
    assert closed_door.get("/cuts/").status_code == 200
    plan = signed(plans.freeze_plan(PERSON, protocol_version=version, text=MASKING))
    with django_as("unblinded"):
        closed_store.register_plan(PERSON, plan=plan)
    assert [closed_door.get(path).status_code for path in paths] == [403] * len(paths)
