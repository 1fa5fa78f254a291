"""What whoever holds `app` can do to the audit trail, and what not (docs/adr/0003).

He names who acts, since the application does. He cannot write a line himself, nor one of yesterday, nor let a
change pass without one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from outcomes import instrument_versions
from studies.models import Participant, record_kinds
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def participant(participants: factories.Participants, site) -> Participant:
    return participants.ready(site)


@pytest.fixture
def intruder(participant: Participant, as_role) -> psycopg.Connection:
    """A connection as app, in one transaction, acting as mallory for a reason."""
    app: psycopg.Connection = as_role("app")
    act(app, actor="mallory", reason="because")
    return app


def act(app: psycopg.Connection, **names: str) -> None:
    for name, value in names.items():
        app.execute("SELECT set_config(%s, %s, false)", [f"trialsite.{name}", value])


def trail(app: psycopg.Connection, kind: str) -> list[tuple]:
    """What this transaction left in the trail about a kind of record."""
    return app.execute(
        "SELECT actor, reason, operation, database_role, at, simulated_at, old, new, record FROM audit.event"
        " WHERE kind = %s AND transaction = pg_current_xact_id()::text::bigint ORDER BY id",
        [kind],
    ).fetchall()


CHANGE = "UPDATE studies_participant SET sex = 'M'"


def test_a_change_by_raw_sql_is_in_the_trail_with_the_clock_of_the_database(intruder: psycopg.Connection):
    intruder.execute(CHANGE)
    (actor, reason, operation, role, at, simulated_at, old, new, _), *_ = trail(intruder, "participant")
    assert (actor, reason, operation, role) == ("mallory", "because", "update", "app")
    assert (old, new, simulated_at) == ({"sex": "F"}, {"sex": "M"}, None)
    assert abs(at - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_role_that_wrote_is_told_by_the_session_and_not_by_the_writer(intruder: psycopg.Connection):
    """He may call himself by the name of somebody of the closed door; the line says that `app` wrote it."""
    act(intruder, actor="dsmb")
    intruder.execute("SET application_name = 'trialsite-unblinded'")
    intruder.execute(CHANGE)
    assert {line[:4] for line in trail(intruder, "participant")} == {("dsmb", "because", "update", "app")}


@pytest.mark.parametrize("blank", ["", " ", "\t", "\n \r\n"])
def test_nobody_acts_under_a_blank_name(intruder: psycopg.Connection, blank: str):
    act(intruder, actor=blank)
    with pytest.raises(psycopg.Error, match="names no actor") as refusal:
        intruder.execute(CHANGE)
    assert refusal.value.sqlstate == "TS001"


@pytest.mark.parametrize("blank", ["", " ", "\t", "\n \r\n"])
def test_a_blank_is_no_reason(intruder: psycopg.Connection, blank: str):
    act(intruder, reason=blank)
    with pytest.raises(psycopg.Error, match="without a reason") as refusal:
        intruder.execute(CHANGE)
    assert refusal.value.sqlstate == "TS002"


WRITING = {
    "by an update": CHANGE,
    "by an update that was prepared before": f"PREPARE p AS {CHANGE}; EXECUTE p",
    "by an update inside a query": f"WITH u AS ({CHANGE} RETURNING id) SELECT * FROM u",
    "by procedural code": f"DO $$ BEGIN {CHANGE}; END $$",
    "by an insert that meets a row": (
        "INSERT INTO studies_participant SELECT p.* FROM studies_participant p ON CONFLICT (id) DO UPDATE SET sex = 'M'"
    ),
    "by a merge": (
        "MERGE INTO studies_participant p USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET sex = 'M'"
    ),
    "through a cursor": (
        "DECLARE c CURSOR FOR SELECT * FROM studies_participant FOR UPDATE; FETCH 1 FROM c;"
        " UPDATE studies_participant SET sex = 'M' WHERE CURRENT OF c"
    ),
}


@pytest.mark.parametrize("statement", WRITING.values(), ids=WRITING)
def test_nothing_is_changed_silently(intruder: psycopg.Connection, statement: str):
    intruder.execute(statement)
    assert [(line[2], line[7]) for line in trail(intruder, "participant")] == [("update", {"sex": "M"})]


def test_rows_that_are_copied_in_are_in_the_trail(intruder: psycopg.Connection, participant: Participant):
    columns = "participant_id, criterion, result, comment"
    with intruder.cursor() as cursor, cursor.copy(f"COPY studies_criterionresult ({columns}) FROM STDIN") as copy:
        copy.write_row((participant.pk, "I1", "met", ""))
    assert [line[:3] for line in trail(intruder, "criterionresult")] == [("mallory", "because", "insert")]


SILENCING = {
    "by disabling its trigger": "ALTER TABLE studies_participant DISABLE TRIGGER record",
    "by disabling all triggers": "ALTER TABLE studies_participant DISABLE TRIGGER ALL",
    "by dropping its trigger": "DROP TRIGGER record ON studies_participant",
    "by replacing its function": (
        "CREATE OR REPLACE FUNCTION audit.record() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    ),
    "by another trigger before it": (
        "CREATE TRIGGER a BEFORE UPDATE ON studies_participant EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "by a rule instead": "CREATE RULE r AS ON INSERT TO audit.event DO INSTEAD NOTHING",
    "by being a replica": "SET session_replication_role = replica",
    "by emptying the trail": "TRUNCATE audit.event",
    "by deleting from it": "DELETE FROM audit.event",
    "by changing it": "UPDATE audit.event SET actor = 'cora', at = at - interval '1 year'",
    "by merging into it": "MERGE INTO audit.event USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
    "by writing to it": (
        "INSERT INTO audit.event (actor, reason, operation, kind, record) VALUES ('cora', 'x', 'update', 'study', 1)"
    ),
    "by copying to it": "COPY audit.event (actor, reason, operation, kind, record) FROM STDIN",
    "by moving its numbers": "SELECT setval('audit.event_id_seq', 1)",
    "by moving the numbers of changes": "SELECT setval('audit.change_no', 1)",
    "by locking it away": "LOCK TABLE audit.event IN ACCESS EXCLUSIVE MODE",
    "by inventing a read of an arm": ("INSERT INTO audit.arm_read (actor, purpose, study_id) VALUES ('dsmb', 'x', 1)"),
    "by forgetting a read of an arm": "DELETE FROM audit.arm_read",
    "by removing a clinical record": "DELETE FROM studies_participant",
    "by emptying a clinical table": "TRUNCATE studies_criterionresult",
    "by removing a person, whose name could be given again": "DELETE FROM studies_user",
    "by changing an open report": "UPDATE analysis_openreport SET sha256 = 'x'",
    "by removing an open report": "DELETE FROM analysis_openreport",
    "by unwriting a safety event": "UPDATE studies_safetyevent SET minute = 0",
    "by rewriting a protocol": "UPDATE studies_protocolversion SET source = source",
    "by giving another protocol the number of one": "UPDATE studies_protocolversion SET version = '9'",
    "by removing a protocol": "DELETE FROM studies_protocolversion",
}


@pytest.mark.parametrize("statement", SILENCING.values(), ids=SILENCING)
def test_the_trail_is_not_falsified(intruder: psycopg.Connection, statement: str):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        intruder.execute(statement)


def test_answers_do_not_slip_in_before_their_form(intruder: psycopg.Connection, participant: Participant):
    """Foreign keys are checked at the end of a transaction: the form could follow, and the answers be untold."""
    with pytest.raises(psycopg.Error, match="comes before what it answers"):
        intruder.execute(
            "INSERT INTO outcomes_responseitem (response_id, item, value) SELECT last_value + 1, 'average', 3"
            " FROM outcomes_response_id_seq"
        )


def test_answers_after_their_form_are_told_with_it(intruder: psycopg.Connection, participant: Participant):
    version, *_ = instrument_versions.load_instruments(factories.SETTING_UP)
    key = intruder.execute(
        "INSERT INTO outcomes_response (participant_id, instrument_id, day, respondent, status, not_done_reason,"
        " source, completed_at, proxy, language, wording_version)"
        " VALUES (%s, %s, '2026-03-01', '', 'partial', '', 'staff', now(), '', '', '') RETURNING id",
        [participant.pk, version.pk],
    ).fetchone()
    intruder.execute("INSERT INTO outcomes_responseitem (response_id, item, value) VALUES (%s, 'average', 3)", key)
    (line,) = trail(intruder, "responseitem")
    assert (line[7], line[8]) == ({"average": 3}, (key or (0,))[0])


@pytest.mark.parametrize("stamp", ["entered_at", "changed_at"])
def test_a_row_is_not_dated_back(intruder: psycopg.Connection, participant: Participant, stamp: str):
    act(intruder, entered_at="2020-01-01T00:00:00+00:00")
    intruder.execute(f"UPDATE studies_participant SET sex = 'M', {stamp} = '2020-01-01', simulated = true")
    written = intruder.execute(f"SELECT {stamp}, simulated FROM studies_participant").fetchone()
    assert written
    assert written[0].year > 2020
    assert written[1] is False
    assert {(line[4].year > 2020, line[5]) for line in trail(intruder, "participant")} == {(True, None)}


def test_the_clock_of_a_long_transaction_goes_on(intruder: psycopg.Connection):
    """`now()` stands still in a transaction; whoever keeps one open overnight would write yesterday's lines."""
    intruder.execute(CHANGE)
    intruder.execute("SELECT pg_sleep(0.05)")
    intruder.execute("UPDATE studies_participant SET sex = 'F'")
    first, second = (line[4] for line in trail(intruder, "participant"))
    assert second - first >= timedelta(milliseconds=50)


def test_every_kind_of_clinical_record_keeps_its_rows_from_app(intruder: psycopg.Connection):
    """But for the stretches of an infusion, which are entered anew as a whole, each removal in the trail."""
    removable = [
        kind
        for kind, model in record_kinds().items()
        if _has(intruder, model._meta.db_table, "DELETE") or _has(intruder, model._meta.db_table, "TRUNCATE")
    ]
    assert removable == ["infusionsegment"]
    assert not _has(intruder, "audit.event", "INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER, MAINTAIN")


def _has(app: psycopg.Connection, table: str, right: str) -> bool:
    row = app.execute("SELECT has_table_privilege('app', %s, %s)", [table, right]).fetchone()
    return bool(row and row[0])


def test_what_was_rolled_back_leaves_a_gap_in_the_numbers(intruder: psycopg.Connection):
    """What was tried and undone is not in the trail; that there was something, its numbers show."""
    intruder.execute(CHANGE)
    undone = intruder.execute("SELECT max(id) FROM audit.event").fetchone()
    intruder.rollback()
    act(intruder, actor="mallory", reason="because")
    intruder.execute(CHANGE)
    assert intruder.execute("SELECT max(id) - %s FROM audit.event", undone).fetchone() == (1,)
    missing = "SELECT FROM generate_series(1, %s) n WHERE NOT EXISTS (SELECT FROM audit.event WHERE id = n)"
    assert intruder.execute(missing, undone).rowcount > 0
