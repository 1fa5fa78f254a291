"""Saving a questionnaire: items, scores, findings and alerts, or nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from outcomes.models import Response, ResponseItem, Score
from outcomes.rescoring import differences, rescore
from outcomes.responses import ResponseEntry, correct_response, save_response, save_responses
from studies.acting import acting
from studies.errors import AlreadyDone, ConsentMissing, InvalidEntries, InvalidEntry, NotAllowed
from studies.models import AuditEvent, SafetyAlert
from tests import factories

pytestmark = pytest.mark.django_db
ANSWERED_AT = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)


def phq9(participant, visit="BL", **answers):
    items = {str(n): 1.0 for n in range(1, 10)} | {"9": 0.0} | {k.removeprefix("i"): v for k, v in answers.items()}
    return ResponseEntry(participant, "phq9", items, ANSWERED_AT, visit=participant.visits.get(code=visit))


def test_a_saved_form_has_its_items_and_scores(coordinator, participant):
    saved = save_response(coordinator, entry=phq9(participant))
    assert saved.status == Response.Status.COMPLETE
    assert saved.entered_by == "cora"
    assert saved.items.count() == 9 or saved.items.count() == 10
    assert saved.scores.get(name="total").number == 8
    assert saved.scores.get(name="band").text == "mild"


def test_a_form_is_audited_as_one_event_with_its_answers(coordinator, participant):
    saved = save_response(coordinator, entry=phq9(participant))
    event = AuditEvent.objects.get(kind="responseitem", record=saved.pk)
    assert event.new["1"] == 1
    assert event.participant_id == participant.pk
    assert event.actor == "cora"


def test_an_answer_out_of_range_is_refused_by_name_and_nothing_is_saved(coordinator, participant):
    with pytest.raises(InvalidEntries) as refused:
        save_response(coordinator, entry=phq9(participant, i1=7.0, i2=0.5))
    assert {problem.field for problem in refused.value.problems} == {"1", "2"}
    assert "allowed is 0 to 3" in refused.value.problems[0].message
    assert not Response.objects.exists()


def test_a_form_is_saved_once(coordinator, participant):
    save_response(coordinator, entry=phq9(participant))
    with pytest.raises(AlreadyDone):
        save_response(coordinator, entry=phq9(participant))
    assert Response.objects.count() == 1


def test_many_forms_are_saved_all_or_none(coordinator, participant):
    good, bad = phq9(participant), phq9(participant, visit="SCR", i1=9.0)
    with pytest.raises(InvalidEntries):
        save_responses(coordinator, entries=[good, bad])
    assert not Response.objects.exists()
    assert len(save_responses(coordinator, entries=[good, phq9(participant, visit="SCR")])) == 2


def test_an_abandoned_form_still_alerts(coordinator, participant):
    open_items = {f"i{n}": None for n in range(1, 9)}
    saved = save_response(coordinator, entry=phq9(participant, **open_items, i9=2.0))
    assert saved.status == Response.Status.PARTIAL
    assert saved.scores.get(name="total").missing_reason
    assert SafetyAlert.objects.get().code == "SUICIDALITY_ALERT_24H"


def test_a_missing_suicide_item_is_asked_for_today(coordinator, participant):
    save_response(coordinator, entry=phq9(participant, i9=None))
    alert = SafetyAlert.objects.get()
    assert alert.code == "SUICIDE_ITEM_MISSING"
    assert (alert.due_at - alert.raised_at).total_seconds() == 12 * 3600


def test_nothing_is_collected_without_consent(version, site, coordinator):
    participant = factories.Participants(version, coordinator).ready(site, consented=False)
    factories.with_visits(participant)
    with pytest.raises(ConsentMissing):
        save_response(coordinator, entry=phq9(participant))


def test_side_effects_are_entered_at_the_infusion_unit_only(coordinator, nurse, participant):
    entry = ResponseEntry(
        participant,
        "cadss23",
        {str(n): 0.0 for n in range(1, 24)},
        ANSWERED_AT,
        visit=participant.visits.get(code="D0"),
        minute=40,
    )
    with pytest.raises(NotAllowed):
        save_response(coordinator, entry=entry)
    assert save_response(nurse, entry=entry).minute == 40


def test_a_form_that_was_not_done_says_why(coordinator, participant):
    visit = participant.visits.get(code="BL")
    entry = ResponseEntry(participant, "phq9", {}, ANSWERED_AT, visit=visit, status="not_done")
    with pytest.raises(InvalidEntries, match="why"):
        save_response(coordinator, entry=entry)
    entry = ResponseEntry(
        participant, "phq9", {}, ANSWERED_AT, visit=visit, status="not_done", not_done_reason="Ran out of time"
    )
    assert not save_response(coordinator, entry=entry).items.exists()


def test_a_correction_needs_a_reason_rescores_and_keeps_the_old_answer(coordinator, participant):
    saved = save_response(coordinator, entry=phq9(participant))
    with pytest.raises(InvalidEntry, match="reason"):
        correct_response(coordinator, response=saved, items={"1": 3.0}, reason=" ")
    correct_response(coordinator, response=saved, items={"1": 3.0}, reason="misread")
    assert saved.scores.get(name="total").number == 10
    event = AuditEvent.objects.get(kind="responseitem", operation="update")
    assert (event.old, event.new, event.reason) == ({"1": 1}, {"1": 3}, "misread")


def test_a_value_and_a_missing_reason_never_stand_together(coordinator, participant):
    from django.db import IntegrityError

    saved = save_response(coordinator, entry=phq9(participant))
    with (
        pytest.raises(IntegrityError, match="item_value_or_missing_reason"),
        acting(coordinator, "x"),
        transaction.atomic(),
    ):
        ResponseItem.objects.filter(response=saved, item="1").update(missing_reason="refused")


def test_the_number_of_queries_does_not_grow_with_the_forms(coordinator, participant):
    def queries(count: int, start: int) -> int:
        entries = [
            ResponseEntry(
                participant,
                "nrs_avg24",
                {"1": 5.0},
                ANSWERED_AT,
                day=date.fromordinal(date(2026, 1, 1).toordinal() + start + n),
            )
            for n in range(count)
        ]
        with CaptureQueriesContext(
            connection,
        ) as captured:
            save_responses(coordinator, entries=entries)
        return len(captured)

    queries(1, 0)
    assert queries(2, 10) == queries(40, 20) <= 8


def test_stored_scores_equal_their_recomputation(coordinator, participant):
    saved = save_response(coordinator, entry=phq9(participant))
    assert list(differences()) == []
    with acting(coordinator, "x"), transaction.atomic():
        Score.objects.filter(response=saved, name="total").update(number=1)
    assert [d.name for d in differences()] == ["total"]
    assert [(d.stored, d.recomputed) for d in rescore(coordinator)] == [(1, 8)]
    assert list(differences()) == []
