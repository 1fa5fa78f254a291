"""A whole look, from order to sealed report: what is left for the open door to see does not depend on the arms.

The holder of `app` may change every outcome before he orders a look, and so put questions to the unblinded
worker ("are these two in one arm?"). Whatever he asks, the worker's answer in public is the same: done.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as current
from django.db import connection

from analysis import closed_store, jobs
from analysis.canonical import sha256_of_file
from analysis.looks import order_look
from analysis.models import Job, Look
from outcomes import instrument_versions
from outcomes.concentrations.taking import take_file
from studies.acting import Program
from studies.closed_door import create_account
from studies.models import Allocation
from tests.analysis.signing import signed_plan
from tests.conftest import django_as, empty_tables
from tests.outcomes.concentrations.infused import laboratory_csv, profile
from tests.studies.intruder import arm_in, readable_by
from tests.trialsite.busy_site import BusySite, make_busy_site
from trialsite.services.connection import database_url

PARTICIPANTS = 5
PERSON = Program("test")
# Which stand nowhere else.
LEVEL, LABORATORY = "7654.3", "Laboratory of Nowhere"
# Every way in which the arms of a few participants can fall out, as far as a model may care.
ARMS = {
    "both arms": "CASE id % 2 WHEN 0 THEN 'KET' ELSE 'MDZ' END",
    "the arms the other way round": "CASE id % 2 WHEN 1 THEN 'KET' ELSE 'MDZ' END",
    "nobody under midazolam": "'KET'",
    "nobody under ketamine": "'MDZ'",
    "one alone under ketamine": (
        "CASE WHEN id = (SELECT min(list_row_id) FROM concealed.allocation) THEN 'KET' ELSE 'MDZ' END"
    ),
    "one alone under midazolam": (
        "CASE WHEN id = (SELECT max(list_row_id) FROM concealed.allocation) THEN 'MDZ' ELSE 'KET' END"
    ),
}


@pytest.fixture(scope="module")
def site(django_db_setup: None, django_db_blocker: Any) -> Iterator[BusySite]:
    with django_db_blocker.unblock():
        busy = make_busy_site(PARTICIPANTS)
        plan = signed_plan(busy.version)
        with django_as("unblinded"):
            closed_store.register_plan(PERSON, plan=plan)
            by = create_account(study=busy.study, username="phil", name="Phil", role="pharmacist", password="x")
            levels = laboratory_csv(profile(busy.first.identifier, {15: "95.2", 40: LEVEL, 60: "BLQ"}))
            take_file(by, study=busy.study, content=levels, name="pk-1.csv", laboratory=LABORATORY)
        yield busy
        empty_tables()
        instrument_versions.forget()


@pytest.fixture
def allow_database(django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    settings.CUTS_DIR, settings.CLOSED_DIR = tmp_path / "cuts", tmp_path / "closed"
    for module in ("job_queue", "jobs"):
        monkeypatch.setattr(f"analysis.{module}.push", lambda job_id, side: None)


def concealed(statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url("owner", connection.settings_dict["NAME"]), autocommit=True) as owner:
        owner.execute("SET ROLE concealer")
        cursor = owner.execute(statement)
        return cursor.fetchall() if cursor.description else []


CLOSED_WORK = ("cut", "app"), ("closed_cut", "unblinded"), ("closed_report", "unblinded")
ALL_WORK = (*CLOSED_WORK, ("open_report", "app"))


def take_look(site: BusySite, work: tuple[tuple[str, str], ...] = ALL_WORK) -> Look:
    """Order a look and let both workers do their parts of it."""
    reason = "asked by the intruder" if Look.objects.exists() else ""
    look = order_look(PERSON, study=site.study, number=1, unplanned_reason=reason)
    for kind, role in work:
        with django_as(role):
            jobs.run(Job.objects.get(kind=kind, cut=look.cut).pk)
    look.refresh_from_db()
    return look


def public_traces(look: Look) -> list[tuple[Any, ...]]:
    """What the open door can read of the look's jobs, but for times and names."""
    found = Job.objects.filter(cut=look.cut).order_by("kind")
    fields = ("kind", "side", "status", "failure", "attempt", "done_steps", "all_steps")
    return [*found.values_list(*fields), (look.status, look.closed_status)]


@pytest.mark.parametrize("arms", ARMS.values(), ids=ARMS)
def test_the_open_door_sees_the_same_whoever_is_in_which_arm(allow_database: None, site: BusySite, arms: str):
    concealed(f"UPDATE concealed.list_row SET arm = {arms}")
    look = take_look(site)
    assert [trace[2:4] for trace in public_traces(look)[:-1]] == [("done", "")] * 4
    assert public_traces(look)[-1] == ("reported", "reported")
    assert concealed(f"SELECT 1 FROM concealed.look_result WHERE look_id = {look.pk}"), "it is sealed"


CHOSEN = {
    "nobody has an outcome": "UPDATE outcomes_responseitem SET value = NULL, missing_reason = 'not_done'",
    "two participants alone have outcomes": (
        "UPDATE outcomes_responseitem i SET value = NULL, missing_reason = 'not_done' FROM outcomes_response r"
        " WHERE r.id = i.response_id AND r.participant_id NOT IN ({first}, {second})"
    ),
    "one outcome is beyond all measure": "UPDATE outcomes_responseitem SET value = 1e300 WHERE value > 5",
    "everybody has the same outcome": "UPDATE outcomes_responseitem SET value = 4, missing_reason = NULL",
    "everybody has withdrawn": (
        "UPDATE studies_participant SET status = 'withdrawn', ended_on = '2026-11-20', end_reason = 'x'"
    ),
    "kits were exchanged": (
        "UPDATE studies_infusion i SET kit_number = (SELECT kit_number FROM studies_allocation a"
        " WHERE a.participant_id <> i.participant_id LIMIT 1)"
    ),
}


@pytest.mark.parametrize("change", CHOSEN.values(), ids=CHOSEN)
def test_no_choice_of_outcomes_makes_the_unblinded_worker_answer_a_question(
    allow_database: None, site: BusySite, change: str
):
    """The same chosen outcomes under opposite arms leave the same traces in public."""
    first, second = (person.pk for person in site.participants[:2])
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(
            "SELECT set_config('trialsite.actor', 'mallory', true), set_config('trialsite.reason', 'x', true)"
        )
        cursor.execute(change.format(first=first, second=second))
        cursor.execute("COMMIT")
    traces = []
    for arms in (ARMS["both arms"], ARMS["nobody under midazolam"]):
        concealed(f"UPDATE concealed.list_row SET arm = {arms}")
        traces.append(public_traces(take_look(site, CLOSED_WORK)))
    assert traces[0] == traces[1]
    assert traces[0][-1] == ("ordered", "reported")


def test_after_a_look_nothing_that_the_open_door_holds_names_an_arm_of_anybody(
    allow_database: None, site: BusySite, caplog: pytest.LogCaptureFixture
):
    concealed(f"UPDATE concealed.list_row SET arm = {ARMS['both arms']}")
    with caplog.at_level(logging.DEBUG):
        look = take_look(site)
    assert not arm_in(_said(caplog))
    for folder in sorted(Path(current.CUTS_DIR).iterdir()):
        for file in folder.iterdir():
            assert b"KET" not in file.read_bytes(), file
    files = sorted(file.name for file in (Path(current.CLOSED_DIR) / "cuts" / look.cut.name).iterdir())
    assert files == ["arm.parquet", "concentration.parquet", "manifest.json"]


def test_no_drug_level_and_no_word_of_it_reaches_the_open_door(
    allow_database: None, site: BusySite, caplog: pytest.LogCaptureFixture
):
    concealed(f"UPDATE concealed.list_row SET arm = {ARMS['both arms']}")
    with caplog.at_level(logging.DEBUG):
        look = take_look(site)
    [sealed] = concealed(f"SELECT convert_from(result, 'UTF8') FROM concealed.look_result WHERE look_id = {look.pk}")
    assert f'"cmax":{LEVEL}' in sealed[0], "it is there to be found"
    secrets = (LEVEL, LABORATORY, "pk-1.csv", "norketamine")
    assert not [secret for secret in secrets if secret in _said(caplog)]
    places = [file for file in Path(current.CUTS_DIR).rglob("*") if file.is_file()]
    assert not [file for file in places if any(secret.encode() in file.read_bytes() for secret in secrets)]
    with psycopg.connect(database_url("app", connection.settings_dict["NAME"]), autocommit=True) as app:
        told = [(table, secret) for table in readable_by(app) for secret in secrets[:3] if _holds(app, table, secret)]
    assert told == []
    for person in ("statistician", "data_manager", "administrator", "investigator"):
        browser = site.as_(person)
        for path in (
            "/concentrations/",
            "/admin/concentrations/",
            "/api/v1/concentrations/",
            f"/api/v1/cuts/{look.cut.name}/files/concentration.parquet/",
            f"/api/v1/cuts/{look.cut.name}/files/..%2F..%2Fclosed%2Fcuts%2F{look.cut.name}%2Fconcentration.parquet/",
        ):
            assert browser.get(path).status_code in (403, 404), (person, path)


def _holds(app: psycopg.Connection, table: str, text: str) -> bool:
    return bool(app.execute(f"SELECT 1 FROM {table} t WHERE strpos(t::text, %s) > 0 LIMIT 1", [text]).fetchall())


def test_the_folder_of_an_unblinded_cut_is_entered_by_the_unblinded_worker_alone(allow_database: None, site: BusySite):
    look = take_look(site, CLOSED_WORK)
    folder = Path(current.CLOSED_DIR) / "cuts" / look.cut.name
    assert folder.stat().st_mode & 0o777 == 0o500
    assert {file.stat().st_mode & 0o077 for file in folder.iterdir()} == {0}


def test_the_hash_of_an_unblinded_cut_is_nowhere_in_public(allow_database: None, site: BusySite):
    """Two guesses would do to find one arm from the hash of a file that holds it."""
    look = take_look(site, CLOSED_WORK)
    hashes = [name for (name,) in concealed("SELECT sha256 FROM concealed.look_result")]
    hashes += [sha256_of_file(file) for file in (Path(current.CLOSED_DIR) / "cuts" / look.cut.name).iterdir()]
    with psycopg.connect(database_url("app", connection.settings_dict["NAME"])) as app:
        tables = app.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'audit')"
        ).fetchall()
        rows = [row for (table,) in tables for (row,) in app.execute(f"SELECT t::text FROM {table} t").fetchall()]
    assert any(look.cut.manifest_sha256 in row for row in rows), "that of the blinded cut is"
    assert [found for found in hashes if any(found in row for row in rows)] == []
    assert Allocation.objects.count() == PARTICIPANTS


def _said(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(logging.Formatter().format(record) for record in caplog.records)
