"""Intercurrent events: dated records after randomisation, by their numbers in the protocol."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from studies.acting import acting
from studies.errors import Contradiction, InvalidEntries, InvalidEntry, NotAllowed
from studies.intercurrent_events import IntercurrentEventEntry, correct, record, recordable_events
from studies.models import AuditEvent, IntercurrentEvent
from studies.visits import site_day
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def rescue(randomised) -> IntercurrentEventEntry:
    return IntercurrentEventEntry("ICE-2", site_day(randomised, timezone.now()), "Paracetamol 4 g", "participant")


def test_an_event_is_recorded_and_its_correction_tells_why(coordinator, randomised, rescue):
    event = record(coordinator, participant=randomised, entry=rescue)
    event.refresh_from_db()
    assert (event.event, event.entered_by) == ("ICE-2", "cora")
    correct(coordinator, event=event, reason="read off the pack", changes={"description": "Paracetamol 5 g"})
    changed = AuditEvent.objects.get(kind="intercurrentevent", operation="update")
    assert (changed.reason, changed.new) == ("read off the pack", {"description": "Paracetamol 5 g"})
    with pytest.raises(InvalidEntry, match="reason"):
        correct(coordinator, event=event, reason="", changes={"description": "Paracetamol 6 g"})


def test_the_events_that_are_recorded_are_those_that_no_other_record_tells(randomised):
    assert [plan.id for plan in recordable_events(randomised)] == ["ICE-2", "ICE-3", "ICE-4", "ICE-6"]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"event": "ICE-5"}, ["event"]),
        ({"event": "ICE-9", "source": "rumour", "description": " "}, ["event", "source", "description"]),
        ({"started_on": date(2026, 1, 6)}, ["started_on"]),
        ({"started_on": date(2999, 1, 1)}, ["started_on"]),
        ({"ended_on": date(2026, 1, 6)}, ["ended_on"]),
    ],
)
def test_an_event_that_cannot_be_is_refused_with_every_mistake_at_once(
    coordinator, randomised, rescue, changes, fields
):
    with pytest.raises(InvalidEntries) as refused:
        record(coordinator, participant=randomised, entry=replace(rescue, **changes))
    assert [problem.field for problem in refused.value.problems] == fields
    assert not IntercurrentEvent.objects.exists()
    assert record(coordinator, participant=randomised, entry=rescue)


def test_before_randomisation_there_is_no_intercurrent_event(coordinator, unallocated, rescue):
    with pytest.raises(InvalidEntries, match="has not been randomised"):
        record(coordinator, participant=unallocated, entry=rescue)


def test_an_event_is_recorded_once_for_its_first_day(coordinator, randomised, rescue):
    record(coordinator, participant=randomised, entry=rescue)
    with pytest.raises(Contradiction, match="already"):
        record(coordinator, participant=randomised, entry=rescue)


def test_a_rater_records_no_event(version, site, randomised, rescue):
    with pytest.raises(NotAllowed):
        record(factories.person("rita", version.study, "efficacy_rater", site), participant=randomised, entry=rescue)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("ended_on = started_on - 1", "intercurrent_event_ends_after_it_starts"),
        ("description = ''", "intercurrent_event_is_described"),
    ],
)
def test_the_database_refuses_half_an_event(coordinator, randomised, rescue, change, constraint):
    event = record(coordinator, participant=randomised, entry=replace(rescue, ended_on=rescue.started_on))
    statement = "UPDATE studies_intercurrentevent SET {} WHERE id = %s"
    with acting(coordinator, "plain SQL"):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement.format(change), [event.pk])
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement.format("ended_on = started_on + 1"), [event.pk])
    event.refresh_from_db()
    assert event.ended_on == rescue.started_on + timedelta(days=1)
