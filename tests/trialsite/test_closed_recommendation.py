"""What the DSMB recommends: recorded by its chair with grounds, and released in one of three wordings, for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import ProgrammingError, connection, transaction
from django.test import Client

from analysis import recommendations
from analysis.looks import order_look
from analysis.models import Look, Recommendation
from studies.acting import Program, acting
from studies.closed_door import create_account
from studies.models import Study
from tests import factories
from tests.analysis.signing import signed_plan
from tests.conftest import django_as
from tests.trialsite.closed_door import PASSWORD, ClosedDoor
from trialsite.services.connection import database_url

pytestmark = pytest.mark.django_db(transaction=True)
PERSON = Program("test")
GROUNDS = "Drowsiness is commoner under midazolam; nothing else."
ADDRESS = "/looks/1/recommendation/"
Connect = Callable[[str], psycopg.Connection]


@pytest.fixture
def look(study: Study, version: Any, monkeypatch: pytest.MonkeyPatch, folders: Any) -> Look:
    monkeypatch.setattr("analysis.job_queue.push", lambda job_id, side: None)
    signed_plan(version)
    return order_look(PERSON, study=study, number=1)


def reported(look: Look) -> None:
    with acting(PERSON, "sealed"), transaction.atomic():
        Look.objects.filter(pk=look.pk).update(closed_status=Look.Status.REPORTED)


def open_pages(study: Study) -> str:
    """What a coordinator and the API say of the looks."""
    client = Client()
    person = factories.person("coordinator", study, "coordinator", study.sites.get(code="BER"))
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client.get("/admin/reports/").content.decode() + client.get("/api/v1/looks/").content.decode()


def concealed(name: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url("owner", connection.settings_dict["NAME"])) as owner:
        owner.execute("SET ROLE concealer")
        return owner.execute(f"SELECT * FROM concealed.{name} ORDER BY id").fetchall()


def test_the_chair_records_with_grounds_and_releases_with_the_password_for_ever(
    closed_door: ClosedDoor, study: Study, look: Look
):
    closed_door.account(study, "dsmb_chair")
    closed_door.sign_in("dsmb_chair")
    early = closed_door.post(ADDRESS, {"says": "continue", "grounds": GROUNDS})
    assert (early.status_code, "no closed report yet" in early.content.decode()) == (409, True)
    reported(look)
    for wrong in ({"says": "perhaps", "grounds": GROUNDS}, {"says": "stop", "grounds": " "}):
        assert closed_door.post(ADDRESS, wrong).status_code == 422
    assert closed_door.post(ADDRESS, {"says": "stop", "grounds": "a slip of the pen"}).status_code == 302
    assert closed_door.post(ADDRESS, {"says": "continue", "grounds": GROUNDS}).status_code == 302
    page = closed_door.get(ADDRESS).content.decode()
    assert GROUNDS in page
    assert "earlier version" in page
    assert closed_door.post(ADDRESS, {"release": "1", "password": "a guess"}).status_code == 422
    assert not Recommendation.objects.exists()

    assert closed_door.post(ADDRESS, {"release": "1", "password": PASSWORD}).status_code == 302
    [released] = Recommendation.objects.all()
    assert released.entered_by == "DSMB chair", "the committee speaks, not a person"
    assert [row[4] for row in concealed("recommendation")] == ["stop", "continue"]
    trail = [(row[2], row[3]) for row in concealed("event")]
    assert ("dsmb_chair", "look 1: recommendation released") in trail
    assert not [what for _, what in trail if "continue" in what or "stop" in what]
    again = closed_door.post(ADDRESS, {"says": "stop", "grounds": "second thoughts"})
    assert (again.status_code, "was released" in again.content.decode()) == (409, True)


def test_the_open_side_reads_the_wording_once_it_is_released_and_no_grounds(study: Study, look: Look):
    reported(look)
    assert "has released no recommendation yet" in open_pages(study)
    with django_as("unblinded"):
        chair = create_account(study=study, username="chair", name="C", role="dsmb_chair", password=PASSWORD)
        with pytest.raises(recommendations.NothingToRecommend, match="record the recommendation first"):
            recommendations.release(chair, study=study, number=1)
        recommendations.record(chair, study=study, number=1, says="continue", grounds=GROUNDS)
    before = open_pages(study)
    with django_as("unblinded"):
        recommendations.release(chair, study=study, number=1)
    after = open_pages(study)
    for word in ("The DSMB recommends: continue as planned", '"dsmb_recommends":"continue"'):
        assert (word in before, word in after) == (False, True)
    assert GROUNDS not in before + after


def test_members_and_the_unblinded_statistician_read_it_and_say_nothing(
    closed_door: ClosedDoor, study: Study, look: Look
):
    reported(look)
    for role, reads in (("dsmb_member", 200), ("unblinded_statistician", 200), ("pharmacist", 403)):
        closed_door.account(study, role)
        closed_door.sign_in(role)
        assert closed_door.get(ADDRESS).status_code == reads
        for body in ({"says": "stop", "grounds": "x"}, {"release": "1", "password": PASSWORD}):
            assert closed_door.post(ADDRESS, body).status_code == 403
        closed_door.post("/logout/", {})
    assert concealed("recommendation") == []


def test_the_open_side_can_neither_write_a_recommendation_nor_read_its_grounds(
    study: Study, look: Look, as_role: Connect
):
    with pytest.raises(ProgrammingError, match="permission denied"), acting(PERSON, "forged"), transaction.atomic():
        Recommendation.objects.create(look=look, says="continue")
    for role in ("app", "auditor"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_role(role).execute("SELECT * FROM concealed.recommendation")
    unblinded = as_role("unblinded")
    for statement in (
        "UPDATE concealed.recommendation SET says = 'stop'",
        "DELETE FROM concealed.recommendation",
        "UPDATE analysis_recommendation SET says = 'stop'",
        "DELETE FROM analysis_recommendation",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), unblinded.transaction():
            unblinded.execute(statement)
