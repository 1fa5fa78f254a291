"""The database writes the audit trail itself: raw SQL, bulk statements and shells are caught too."""

from __future__ import annotations

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from studies.acting import Program, acting
from studies.models import AuditEvent, Study

pytestmark = pytest.mark.django_db

SOMEBODY = Program("ada")


@pytest.fixture
def study() -> Study:
    with acting(SOMEBODY, "set up"), transaction.atomic():
        return Study.objects.create(code="trial", title="A trial")


def test_the_suite_runs_as_app():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, session_user")
        assert cursor.fetchone() == ("app", "app")


def test_a_new_record_is_written_with_who_when_and_why(study):
    event = AuditEvent.objects.get(kind="study", record=study.pk)
    assert (event.actor, event.reason, event.operation, event.database_role) == (
        "ada",
        "set up",
        "insert",
        "app",
    )
    assert event.new["title"] == "A trial"


def test_a_bulk_update_is_audited_with_old_and_new(study):
    with acting(SOMEBODY, "spelling"), transaction.atomic():
        Study.objects.filter(pk=study.pk).update(title="The trial")
    event = AuditEvent.objects.get(kind="study", operation="update")
    assert (event.old, event.new, event.reason) == ({"title": "A trial"}, {"title": "The trial"}, "spelling")


def test_raw_sql_without_an_actor_is_refused(study):
    with pytest.raises(DatabaseError, match="names no actor"), connection.cursor() as cursor:
        cursor.execute("UPDATE studies_study SET title = 'x'")


def test_changing_a_saved_value_without_a_reason_is_refused(study):
    with pytest.raises(DatabaseError, match="without a reason"), acting(SOMEBODY), transaction.atomic():
        Study.objects.filter(pk=study.pk).update(title="x")


def test_a_save_that_changes_nothing_leaves_no_trace(study):
    before = AuditEvent.objects.count()
    stamp = Study.objects.values_list("changed_in", "change_no").get()
    with acting(SOMEBODY, "saved again"), transaction.atomic():
        study.save()
    assert AuditEvent.objects.count() == before
    assert Study.objects.values_list("changed_in", "change_no").get() == stamp


def test_the_stamps_cannot_be_forged(study):
    with acting(SOMEBODY, "forging"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE studies_study SET entered_by = 'mallory', changed_by = 'mallory', title = 'y'")
    study.refresh_from_db()
    assert (study.entered_by, study.changed_by) == ("ada", "ada")


def test_an_entry_time_is_not_honoured_outside_a_demonstration():
    from datetime import UTC, datetime

    with acting(SOMEBODY, "back-dating", entered_at=datetime(2020, 1, 1, tzinfo=UTC)), transaction.atomic():
        study = Study.objects.create(code="late", title="Late")
    study.refresh_from_db()
    assert study.entered_at.year > 2020
    assert not study.simulated


def test_the_actor_is_restored_after_a_nested_verb(study):
    with acting(SOMEBODY, "outer"), transaction.atomic():
        with acting(Program("bob"), "inner"):
            Study.objects.filter(pk=study.pk).update(title="by bob")
        Study.objects.filter(pk=study.pk).update(title="by ada")
    actors = AuditEvent.objects.filter(operation="update").order_by("id").values_list("actor", "reason")
    assert list(actors) == [("bob", "inner"), ("ada", "outer")]


def test_a_rolled_back_savepoint_takes_no_name_away(study):
    with acting(SOMEBODY, "outer"), transaction.atomic():
        try:
            with transaction.atomic(), acting(Program("bob"), "inner"):
                raise ValueError  # noqa: TRY301
        except ValueError:
            pass
        Study.objects.filter(pk=study.pk).update(title="after")
    assert AuditEvent.objects.filter(operation="update").get().actor == "ada"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO audit.event (actor, reason, operation, kind, record) VALUES ('x', 'x', 'insert', 'study', 1)",
        "UPDATE audit.event SET actor = 'x'",
        "DELETE FROM audit.event",
        "TRUNCATE audit.event",
        "ALTER TABLE studies_study DISABLE TRIGGER record",
        "DROP TRIGGER record ON studies_study",
        "SET session_replication_role = replica",
        "SELECT audit.record()",
    ],
)
def test_app_can_neither_write_nor_silence_the_trail(as_role, statement):
    with pytest.raises(psycopg.Error):
        as_role("app").execute(statement)


def test_every_record_kind_is_stamped_and_audited():
    from studies.models import record_kinds

    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal")
        triggers = set(cursor.fetchall())
    for model in record_kinds().values():
        assert {(model._meta.db_table, "stamp"), (model._meta.db_table, "record")} <= triggers


def test_a_request_leaves_nobody_to_the_next_one():
    from django.http import HttpResponse
    from django.test import RequestFactory

    from studies.acting import current
    from studies.middleware import ActingMiddleware

    class Visitor:
        is_authenticated = False

    def view_that_fails(request):
        acting(SOMEBODY, "half-way").__enter__()
        raise RuntimeError

    request = RequestFactory().get("/")
    request.user = Visitor()
    with pytest.raises(RuntimeError):
        ActingMiddleware(view_that_fails)(request)
    assert current().username == ""
    assert ActingMiddleware(lambda _: HttpResponse())(request).status_code == 200
