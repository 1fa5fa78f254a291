"""A changed answer is told in the trail of its form and of its participant, under its own name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, transaction

from outcomes.models import QSTTrial, ResponseItem
from outcomes.qst_corrections import correct_session
from outcomes.qst_sessions import SessionEntry, TrialEntry, save_session
from outcomes.responses import ResponseEntry, correct_response, save_response
from studies.acting import acting
from studies.models import AuditEvent

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)


@pytest.fixture
def saved(coordinator, participant):
    items = {str(n): 1.0 for n in range(1, 10)}
    entry = ResponseEntry(participant, "phq9", items, AT, visit=participant.visits.get(code="BL"))
    return save_response(coordinator, entry=entry)


@pytest.fixture
def session(coordinator, participant):
    trials = [TrialEntry("test", "HPT", trial, 44.0) for trial in (1, 2, 3)]
    visit = participant.visits.get(code="BL")
    return save_session(coordinator, entry=SessionEntry(participant, visit, AT, "cora", "foot", trials))


def test_a_corrected_answer_is_an_event_of_its_form_and_participant(coordinator, participant, saved):
    correct_response(coordinator, response=saved, items={"1": 3.0, "2": None}, reason="misread")
    changes = AuditEvent.objects.filter(participant=participant, kind="responseitem", record=saved.pk)
    told = {(next(iter(e.old)), *e.old.values(), *e.new.values()) for e in changes.filter(operation="update")}
    assert told == {("1", 1, 3), ("2", 1, "not_answered")}


def test_a_corrected_qst_trial_is_an_event_of_its_session(coordinator, participant, session):
    changed = TrialEntry("test", "HPT", 2, 50.0, cutoff=True)
    correct_session(coordinator, session=session, trials=[changed], reason="limit reached")
    event = AuditEvent.objects.get(kind="qsttrial", operation="update")
    assert (event.record, event.participant_id) == (session.pk, participant.pk)
    assert event.old == {"test HPT 2": 44, "test HPT 2 cutoff": False}
    assert event.new == {"test HPT 2": 50, "test HPT 2 cutoff": True}


def test_a_save_that_changes_no_answer_leaves_no_trace(coordinator, saved, session):
    before = AuditEvent.objects.count()
    with acting(coordinator, "again"), transaction.atomic():
        ResponseItem.objects.filter(response=saved, item="1").update(value=1)
        QSTTrial.objects.filter(session=session).update(value=44)
    assert AuditEvent.objects.count() == before


def test_an_answer_is_not_changed_without_a_reason(coordinator, saved):
    with pytest.raises(DatabaseError, match="without a reason"), acting(coordinator), transaction.atomic():
        ResponseItem.objects.filter(response=saved, item="1").update(value=2)
