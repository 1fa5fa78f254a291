"""Drug levels at the closed side: taken whole or not at all, once, by who may, and corrected with a reason."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from outcomes.concentrations.reading import laboratory_files, read_file, read_samples
from outcomes.concentrations.taking import Taken, take_file
from outcomes.imports.refusals import ImportRefused
from studies.acting import Program
from studies.errors import InvalidEntry, NotAllowed
from studies.models import ClosedAccount
from tests.conftest import django_as, empty_tables
from tests.outcomes.concentrations.infused import PROFILE, InfusedTrial, infused_trial, laboratory_csv, profile
from trialsite.services.connection import database_url

READER = Program("test")


@pytest.fixture(scope="module")
def trial(django_db_setup: None, django_db_blocker: Any) -> Iterator[InfusedTrial]:
    with django_db_blocker.unblock():
        yield infused_trial(3)
        empty_tables()


@pytest.fixture
def accounts(trial: InfusedTrial, django_db_blocker: Any) -> Iterator[dict[str, ClosedAccount]]:
    """One account per role; the test acts as `unblinded`, and what it stored is rolled back."""
    with django_db_blocker.unblock(), django_as("unblinded"), transaction.atomic():
        yield {role: account(trial, role) for role in ("pharmacist", "unblinded_statistician", "dsmb_member")}
        transaction.set_rollback(True)


def account(trial: InfusedTrial, role: str, *, study: int = 0) -> ClosedAccount:
    """An account that nobody can sign in to: hashing a password takes its time."""
    return ClosedAccount.objects.create(
        username=f"{role}{study or ''}", name=role, role=role, study_id=study or trial.study.pk, password="!"
    )


def take(by: ClosedAccount, trial: InfusedTrial, content: bytes, **more: Any) -> Taken:
    return take_file(by, study=trial.study, content=content, name="lab.csv", laboratory="Lab One", **more)


def stored(trial: InfusedTrial) -> list[Any]:
    return read_samples(READER, study=trial.study, until=timezone.now(), purpose="test")


def test_a_file_is_stored_whole_with_its_origin_and_a_second_time_nothing_happens(trial, accounts):
    one, two = trial.people[:2]
    content = laboratory_csv(profile(one.identifier), profile(two.identifier, analyte="NK"))
    done = take(accounts["pharmacist"], trial, content, batch="B7")
    assert (done.new, done.entered, done.corrected, done.known) == (True, 14, 0, 0)
    assert (done.participants, done.below_limit, done.queries) == (2, 4, ())
    found = stored(trial)
    assert {each.participant_id for each in found} == {one.pk, two.pk}
    assert [each.value for each in found if each.analyte == "ketamine"] == [None, 95.2, 201.0, 140.5, 88.1, 50.4, None]
    peak = next(each for each in found if each.value == 201.0)
    assert (peak.nominal_minute, peak.actual_minute, peak.lloq, peak.unit) == (40, 41.0, 1.0, "ng/mL")
    assert (peak.laboratory, peak.batch, peak.file_row, peak.repeat) == ("Lab One", "B7", 4, 0)
    again = take(accounts["unblinded_statistician"], trial, content)
    assert (again.new, again.file.taken_by, again.entered) == (False, "pharmacist", 0)
    [file] = laboratory_files(accounts["pharmacist"], study=trial.study)
    assert (file.samples, file.corrections, file.sha256) == (14, 0, peak.file_sha256)
    assert read_file(accounts["pharmacist"], study=trial.study, sha256=file.sha256) == (file, content)
    assert read_file(accounts["pharmacist"], study=trial.study, sha256="0" * 64) is None


def test_one_row_that_cannot_be_taken_keeps_all_of_the_file_out(trial, accounts):
    stranger = laboratory_csv(profile(trial.people[0].identifier), profile("KALM-XXX-1"))
    with pytest.raises(ImportRefused) as refusal:
        take(accounts["pharmacist"], trial, stranger.replace(b"201.0", b"-1", 1))
    assert [(each.row, each.column) for each in refusal.value.refusals] == [
        (4, "concentration"),
        *((row, "participant") for row in range(9, 16)),
    ]
    assert stored(trial) == []
    with pytest.raises(InvalidEntry, match="which laboratory"):
        take_file(accounts["pharmacist"], study=trial.study, content=b"", name="x", laboratory=" ")


def test_another_value_of_a_stored_sample_needs_a_reason_and_the_first_is_kept(trial, accounts):
    name, by = trial.people[0].identifier, accounts["unblinded_statistician"]
    take(by, trial, laboratory_csv(profile(name)))
    before = timezone.now()
    other = laboratory_csv(profile(name, {**PROFILE, 60: "144.0"}))
    with pytest.raises(ImportRefused, match=r"row 5, column concentration.*140\.5 at 61 min") as refusal:
        take(by, trial, other)
    assert len(refusal.value.refusals) == 1
    done = take(by, trial, other, reason="Re-assayed: dilution error")
    assert (done.entered, done.corrected, done.known) == (0, 1, 6)
    assert [each.value for each in stored(trial) if each.nominal_minute == 60] == [144.0]
    then = read_samples(READER, study=trial.study, until=before, purpose="test")
    assert [each.value for each in then if each.nominal_minute == 60] == [140.5]
    assert read_samples(READER, study=trial.study, until=before - timedelta(days=1), purpose="test") == []


def test_what_looks_exchanged_or_late_is_asked_about_and_taken(trial, accounts):
    odd = {**PROFILE, -15: "12.0", 240: "50.4"}
    lines = [line.replace(",240,241,", ",240,300,") for line in profile(trial.people[0].identifier, odd)]
    done = take(accounts["pharmacist"], trial, laboratory_csv(lines))
    assert [query.row for query in done.queries] == [2, 7]
    assert "6 % of the peak" in done.queries[0].question
    assert "taken 300 min, planned 240 min" in done.queries[1].question


def test_only_the_pharmacist_and_the_unblinded_statistician_of_the_study_take_and_read_files(trial, accounts):
    content = laboratory_csv(profile(trial.people[0].identifier))
    stranger = account(trial, "pharmacist", study=trial.study.pk + 1)
    for each in (accounts["dsmb_member"], stranger):
        with pytest.raises(NotAllowed):
            take(each, trial, content)
        with pytest.raises(NotAllowed):
            read_file(each, study=trial.study, sha256="0" * 64)


def test_reading_values_is_on_record_as_reading_arms_is_and_needs_a_purpose(trial, accounts):
    stored(trial)
    with connection.cursor() as cursor:
        cursor.execute("SELECT actor, purpose FROM audit.arm_read ORDER BY id DESC LIMIT 1")
        assert cursor.fetchone() == ("test", "concentrations: test")
    with pytest.raises(Exception, match="for a purpose"), transaction.atomic():
        read_samples(READER, study=trial.study, until=timezone.now(), purpose=" ")


# What the database itself refuses -----------------------------------------------------------------------------

ROW = {"row": 2, "analyte": "ketamine", "nominal": 60, "actual": 61, "value": 9.0, "lloq": 1.0, "unit": "ng/mL"}
WRONG = {
    "a value below the limit": {"value": 0.5},
    "an infinite value": {"value": "Infinity"},
    "a limit of nothing": {"lloq": 0},
    "another unit": {"unit": "ug/mL"},
    "another analyte": {"analyte": "midazolam"},
    "a sample before the start": {"actual": -1},
    "a correction of nothing": {"repeat": -1},
    "a participant of nowhere": {"participant": 10**9},
    "no participant": {"participant": None},
    "a filler": {"participant": -5},
}


def store(cursor: Any, study: int, rows: list[dict[str, Any]], content: bytes = b"x", **about: Any) -> None:
    told = {"name": "x", "laboratory": "L", "batch": "", "columns": {}, "reason": "", "length": len(content)}
    told |= {"sha256": hashlib.sha256(content).hexdigest(), **about}
    padded = content + bytes(-len(content) % 1_048_576)
    values = [study, json.dumps(told), padded, json.dumps(rows)]
    cursor.execute("SELECT concealed.store_concentrations(%s, %s, %s, %s)", values)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_the_database_refuses_whoever_writes(trial, accounts, wrong: dict[str, Any]):
    row = {**ROW, "participant": trial.people[0].pk, "repeat": 0, **wrong}
    with connection.cursor() as cursor, pytest.raises(Exception) as refusal, transaction.atomic():
        cursor.execute("SELECT set_config('trialsite.actor', 'x', true)")
        store(cursor, trial.study.pk, [row])
    told = str(refusal.value)
    assert "nothing was stored" in told or "no infusion in this study" in told
    assert "Failing row" not in told


def test_the_database_refuses_a_file_that_is_not_its_hash_a_bare_one_and_a_sample_twice(trial, accounts):
    rows = [{**ROW, "participant": trial.people[0].pk, "repeat": 0}]
    with connection.cursor() as cursor:
        for wrong in ({"sha256": "0" * 64}, {"length": 0}, {"laboratory": " "}):
            with pytest.raises(Exception, match="nothing was stored"), transaction.atomic():
                cursor.execute("SELECT set_config('trialsite.actor', 'x', true)")
                store(cursor, trial.study.pk, rows, **wrong)
        with pytest.raises(Exception, match="nothing was stored"), transaction.atomic():
            cursor.execute("SELECT set_config('trialsite.actor', 'x', true)")
            store(cursor, trial.study.pk, rows * 2)
        with pytest.raises(Exception, match="stored by somebody"), transaction.atomic():
            cursor.execute("SELECT set_config('trialsite.actor', '', true)")
            store(cursor, trial.study.pk, rows)


@pytest.mark.parametrize("role", ["unblinded", "app", "auditor"])
def test_no_role_that_can_log_in_reads_or_changes_the_tables_themselves(trial, role, django_db_blocker):
    with django_db_blocker.unblock(), django_as(role), connection.cursor() as cursor:
        for table in ("concentration", "laboratory_file"):
            for statement in ("SELECT * FROM {}", "UPDATE {} SET study_id = 1", "DELETE FROM {}", "TRUNCATE {}"):
                with pytest.raises(Exception, match="permission denied"), transaction.atomic():
                    cursor.execute(statement.format(f"concealed.{table}"))


def test_the_command_takes_a_file_and_tells_what_is_wrong_with_another(trial, accounts, tmp_path: Path, capsys):
    file = tmp_path / "lab.csv"
    file.write_bytes(laboratory_csv(profile(trial.people[0].identifier, {**PROFILE, -15: "40"})).replace(b"unit", b"U"))
    options = {"account": "pharmacist", "laboratory": "Lab One", "column": ["unit=U"]}
    call_command("import_concentrations", "KALM", file, **options)
    told = capsys.readouterr().out
    assert "7 results entered, 0 corrected" in told
    assert "row 2" in told
    call_command("import_concentrations", "KALM", file, **options)
    assert "by pharmacist. Nothing was changed" in capsys.readouterr().out
    file.write_bytes(laboratory_csv(profile("nobody")))
    for wrong, why in (
        ({"account": "mallory"}, "no account mallory"),
        ({"account": "dsmb_member"}, "take concentrations"),
        ({"column": ["dose=x"]}, "WHAT one of"),
        ({"column": []}, "row 2, column participant"),
    ):
        with pytest.raises(CommandError, match=why):
            call_command("import_concentrations", "KALM", file, **{**options, **wrong})
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_concentrations", "KALM", tmp_path / "other.csv", **options)


# What the open side could see ---------------------------------------------------------------------------------


COUNTED = """
SELECT c.relname, s.n_tup_ins, s.n_tup_upd, s.n_tup_del FROM pg_class c JOIN pg_stat_all_tables s ON s.relid = c.oid
JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_class t ON t.reltoastrelid = c.oid
WHERE n.nspname = 'concealed' AND c.relname IN ('concentration', 'laboratory_file') OR t.relname = 'laboratory_file'
ORDER BY c.relname
"""
LOG = "SELECT pg_current_wal_insert_lsn() - '0/0'"


def test_what_the_server_counts_is_the_same_whatever_was_measured(trial, django_db_blocker):
    """As `app`: a file of one participant with levels, of one without any, and of two."""
    none = dict.fromkeys(PROFILE, "BLQ")
    one, two, three = (person.identifier for person in trial.people)
    files = [
        laboratory_csv(profile(one)),
        laboratory_csv(profile(two, none)),
        laboratory_csv(profile(three, none), profile(one, analyte="NK")),
    ]
    counts, lengths = [], []
    with django_db_blocker.unblock():
        with django_as("unblinded"):
            by = account(trial, "pharmacist")
        with psycopg.connect(database_url("app", connection.settings_dict["NAME"]), autocommit=True) as app:
            counts.append(app.execute(COUNTED).fetchall())
            for content in files:
                lengths.append(-int(_one(app, LOG)))
                with django_as("unblinded"), connection.cursor() as cursor:
                    assert take(by, trial, content).new
                    cursor.execute("SELECT pg_stat_force_next_flush()")
                lengths[-1] += int(_one(app, LOG))
                app.execute("SELECT pg_stat_clear_snapshot()")
                counts.append(app.execute(COUNTED).fetchall())
    steps = [_grown(*pair) for pair in itertools.pairwise(counts)]
    assert [row[0] for row in counts[0]][:2] == ["concentration", "laboratory_file"]
    assert steps[0][0] == (4096, 0, 0)
    assert steps[0] == steps[1] == steps[2]
    # The fillers of the second file find the pages of the first: that is the order of files, not what is in them.
    assert abs(lengths[1] - lengths[2]) < 0.02 * lengths[1], lengths


def _one(app: psycopg.Connection, query: str) -> Any:
    row = app.execute(query).fetchone()
    assert row
    return row[0]


def _grown(before: list[Any], after: list[Any]) -> list[tuple[int, ...]]:
    return [tuple(b - a for a, b in zip(x[1:], y[1:], strict=True)) for x, y in zip(before, after, strict=True)]
