"""A participant fills in a form: each answer once, as it came; one response when it is closed, edited by nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outcomes.invitations import askable, diary_span, invite, revoke
from outcomes.models import OwnAnswer, Response, ResponseItem
from outcomes.responses import ResponseEntry, correct_response, save_response
from outcomes.self_completion import (
    FormClosed,
    GivenAnswer,
    answers_so_far,
    as_participant,
    close_expired,
    save_answers,
    submit,
)
from studies.acting import Program, acting
from studies.consents import withdraw_consent
from studies.errors import AlreadyDone, ConsentMissing, InvalidEntries, InvalidEntry, NotAllowed, OwnAnswersKept
from studies.models import AuditEvent, SafetyAlert

pytestmark = pytest.mark.django_db


def values(response: Response | None) -> dict[str, float | None]:
    assert response is not None
    return {item.item: item.value for item in response.items.all()}


def test_what_a_participant_answers_becomes_one_response_under_a_pseudonym(keeper):
    asked = keeper.enter(keeper.invited())
    keeper.say(asked, average=6, worst=8)
    assert not Response.objects.exists(), "nothing is a response before it is sent"
    sent = keeper.send(asked)
    response = Response.objects.get()
    assert sent.response == response
    assert (response.source, response.status, response.day) == ("participant", "partial", keeper.today)
    assert values(response) == {"average": 6, "worst": 8, "least": None, "sleep": None, "rescue_doses": None}
    assert response.entered_by == f"participant {keeper.participant.identifier}"
    assert AuditEvent.objects.filter(kind="response", actor=response.entered_by).count() == 1


def test_every_question_answered_makes_the_form_complete(keeper):
    asked = keeper.enter(keeper.invited())
    keeper.say(asked, average=6, worst=8, least=2, sleep=4, rescue_doses=0)
    assert keeper.send(asked).response.status == "complete"


def test_the_last_answer_counts_and_the_others_stay_in_the_log(keeper):
    asked = keeper.enter(keeper.invited())
    keeper.say(asked, average=6)
    keeper.say(asked, average=7)
    assert answers_so_far(asked)["average"].value == 7
    assert list(asked.answers.order_by("id").values_list("value", flat=True)) == [6, 7]


def test_an_answer_that_waited_longer_does_not_replace_a_later_one(keeper):
    asked = keeper.enter(keeper.invited())
    device = datetime(2019, 1, 1, 12, 0, tzinfo=UTC)  # its clock is wrong by years: only the wait matters
    waited = GivenAnswer(uuid4(), "average", 3, None, device, device + timedelta(minutes=10), 60)
    later = timezone.now() + timedelta(minutes=20)
    keeper.say(asked, at=later - timedelta(minutes=5), average=8)
    save_answers(as_participant(keeper.participant), invitation=asked, given=[waited], at=later)
    assert answers_so_far(asked)["average"].value == 8
    kept = OwnAnswer.objects.get(value=3)
    assert (kept.device_at, kept.device_offset_minutes) == (device, 60)
    assert kept.received_at == later
    assert kept.answered_at == later - timedelta(minutes=10)


def test_a_repeated_key_changes_nothing_and_is_answered_as_the_first_time(keeper):
    asked = keeper.enter(keeper.invited())
    who = as_participant(keeper.participant)
    given = GivenAnswer(uuid4(), "average", 6)
    first = save_answers(who, invitation=asked, given=[given], at=timezone.now())
    again = save_answers(who, invitation=asked, given=[given], at=timezone.now() + timedelta(minutes=1))
    assert [row.pk for row in first] == [row.pk for row in again]
    keeper.send(asked)
    assert save_answers(who, invitation=asked, given=[given], at=timezone.now()) == first, "also when it is closed"
    with pytest.raises(FormClosed):
        save_answers(who, invitation=asked, given=[GivenAnswer(uuid4(), "average", 9)], at=timezone.now())


def test_sending_twice_sends_once(keeper):
    asked = keeper.enter(keeper.invited())
    keeper.say(asked, average=6)
    first, second = keeper.send(asked), keeper.send(asked)
    assert first.submitted_at == second.submitted_at
    assert Response.objects.count() == 1


def test_device_time_receipt_and_submission_are_kept_apart(keeper):
    asked = keeper.enter(keeper.invited())
    keeper.say(asked, average=6)
    device = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)
    at = timezone.now()
    who = as_participant(keeper.participant)
    sent = submit(who, invitation=asked, at=at, device_at=device, offset_minutes=480)
    assert (sent.submitted_at, sent.submitted_device_at, sent.submitted_offset_minutes) == (at, device, 480)


@pytest.mark.parametrize(
    ("item", "value", "said"),
    [("average", 11, "allowed is 0 to 10"), ("average", 2.5, "whole numbers"), ("mood", 1, "no question mood")],
)
def test_an_answer_that_cannot_be_is_refused_and_nothing_of_its_batch_is_saved(keeper, item, value, said):
    asked = keeper.enter(keeper.invited())
    given = [GivenAnswer(uuid4(), "worst", 7), GivenAnswer(uuid4(), item, value)]
    with pytest.raises(InvalidEntries, match=said):
        save_answers(as_participant(keeper.participant), invitation=asked, given=given, at=timezone.now())
    assert not OwnAnswer.objects.exists()


def test_an_empty_form_is_not_sent(keeper):
    asked = keeper.enter(keeper.invited())
    with pytest.raises(InvalidEntry, match="at least one"):
        keeper.send(asked)


def test_an_abandoned_form_is_kept_as_partial_when_its_time_is_over(keeper):
    asked = keeper.enter(keeper.invited())
    keeper.say(asked, average=6, worst=8, least=2, sleep=4, rescue_doses=0)
    untouched = keeper.invited(keeper.diary(back=1))
    over = asked.expires_at
    assert close_expired(at=over - timedelta(seconds=1)) == 1, "yesterday's only"
    assert close_expired(at=over) == 1
    assert close_expired(at=over) == 0
    asked.refresh_from_db()
    untouched.refresh_from_db()
    assert (asked.closed_because, asked.response.status, asked.submitted_at) == ("expired", "partial", None)
    assert (untouched.closed_because, untouched.response) == ("expired", None)
    with pytest.raises(FormClosed):
        keeper.say(asked, average=7)


def test_what_is_taken_back_keeps_the_answers_that_came(keeper):
    asked = keeper.enter(keeper.invited())
    keeper.say(asked, average=6)
    with pytest.raises(InvalidEntry, match="why"):
        revoke(keeper.coordinator, invitation=asked, reason=" ")
    revoke(keeper.coordinator, invitation=asked, reason="wrong day")
    asked.refresh_from_db()
    assert (asked.closed_because, asked.response.status) == ("revoked", "partial")
    with pytest.raises(AlreadyDone, match="closed"):
        keeper.link(asked)


def test_a_form_that_the_site_entered_meanwhile_stays_as_the_site_entered_it(keeper):
    asked = keeper.enter(keeper.invited())
    keeper.say(asked, average=6)
    entry = ResponseEntry(keeper.participant, "diary_daily", {"average": 4}, timezone.now(), day=keeper.today)
    save_response(keeper.coordinator, entry=entry)
    sent = keeper.send(asked)
    assert (sent.closed_because, sent.response) == ("entered", None)
    assert values(Response.objects.get())["average"] == 4


def test_after_consent_is_withdrawn_nothing_more_is_taken(keeper):
    asked = keeper.enter(keeper.invited())
    keeper.say(asked, average=6)
    consent = keeper.participant.consents.get()
    now = timezone.now()
    withdraw_consent(keeper.coordinator, consent=consent, scope="collection", withdrawn_at=now, reason="wish")
    with pytest.raises(ConsentMissing):
        keeper.say(asked, worst=7)
    with pytest.raises(ConsentMissing):
        keeper.send(asked)


def test_only_what_is_due_and_a_participants_own_may_be_asked_for(keeper):
    offered = {form.instrument for form in askable(keeper.participant, now=timezone.now())}
    assert {"diary_daily", "phq9", "paindetect"} <= offered
    assert not offered & {"madrs", "cssrs", "cadss23", "dn4"}
    days = [form.day for form in askable(keeper.participant, now=timezone.now()) if form.day]
    assert days == [keeper.today, keeper.today - timedelta(days=1)]


def test_a_diary_day_may_be_filled_in_until_a_day_after_its_end(keeper):
    opens, closes = diary_span(keeper.participant, keeper.today)
    assert closes - opens in (timedelta(hours=47), timedelta(hours=48), timedelta(hours=49))
    assert opens.date() == keeper.today
    assert opens.tzinfo.key == "Europe/Berlin"


def test_asking_needs_a_role_at_the_site(keeper):
    with pytest.raises(NotAllowed):
        invite(keeper.people["monitor"], participant=keeper.participant, form=keeper.diary())


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_however_answers_arrive_nothing_is_lost_or_doubled_and_the_last_one_said_counts(keeper, data):
    """Sent one by one or together, twice, late, in any order: the log holds each once, and the form the latest."""
    said = data.draw(
        st.lists(st.tuples(st.sampled_from(("average", "worst")), st.integers(0, 10)), min_size=1, max_size=6)
    )
    start = timezone.now()
    given_at = [start + timedelta(seconds=10 * place) for place in range(len(said))]
    keys = [uuid4() for _ in said]
    order = data.draw(st.permutations([*range(len(said)), *data.draw(st.lists(st.sampled_from(range(len(said)))))]))
    cuts = data.draw(st.sets(st.integers(1, len(order))))
    with transaction.atomic():
        asked = keeper.enter(keeper.invited())
        sent_at = start + timedelta(minutes=5)
        for first, last in pairwise(sorted({0, *cuts, len(order)})):
            batch = [
                GivenAnswer(keys[n], said[n][0], said[n][1], None, given_at[n], sent_at, 60) for n in order[first:last]
            ]
            sent_at += timedelta(seconds=1)
            who = as_participant(keeper.participant)
            late = [replace(answer, sent_at=sent_at) for answer in batch]
            save_answers(who, invitation=asked, given=late, at=sent_at)
        assert OwnAnswer.objects.filter(invitation=asked).count() == len(said)
        assert {i: a.value for i, a in answers_so_far(asked).items()} == dict(said)
        transaction.set_rollback(True)


# What a participant entered is edited by nobody ---------------------------------------------------------


@pytest.fixture
def own(keeper) -> Response:
    asked = keeper.enter(keeper.invited())
    keeper.say(asked, average=6, worst=8)
    response = keeper.send(asked).response
    assert response is not None
    return response


def test_staff_do_not_correct_a_participants_own_answers(keeper, own):
    with pytest.raises(InvalidEntry, match="note beside them|clarification"):
        correct_response(keeper.coordinator, response=own, items={"average": 5}, reason="misread")


EDITS = {
    "an answer": "UPDATE outcomes_responseitem SET value = 1 WHERE item = 'average'",
    "an answer taken away": "DELETE FROM outcomes_responseitem WHERE item = 'worst'",
    "the form": "UPDATE outcomes_response SET status = 'complete'",
    "where it came from": "UPDATE outcomes_response SET source = 'staff'",
    "an answer as it came": "UPDATE outcomes_ownanswer SET value = 1",
    "the log": "DELETE FROM outcomes_ownanswer",
}


@pytest.mark.parametrize("edit", EDITS)
def test_the_database_refuses_every_edit_whoever_tries(keeper, own, edit, as_role):
    with acting(Program("editor"), "because I can"):
        with pytest.raises(Exception, match="own answers are not changed|kept as it came|permission denied"):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(EDITS[edit])
    kept = values(Response.objects.get())
    assert (kept["average"], kept["worst"]) == (6, 8)
    assert OwnAnswer.objects.count() == 2


def test_nobody_turns_an_entry_of_the_site_into_a_participants(keeper):
    entry = ResponseEntry(keeper.participant, "diary_daily", {"average": 4}, timezone.now(), day=keeper.today)
    save_response(keeper.coordinator, entry=entry)
    with acting(Program("forger"), "forgery"), pytest.raises(Exception, match="own answers"):
        Response.objects.update(source="participant")


def test_the_refusal_has_a_name_for_people(keeper, own):
    from studies.errors import database_refusals

    with acting(Program("editor"), "because I can"), pytest.raises(OwnAnswersKept, match="clarification"):
        with database_refusals(), transaction.atomic():
            ResponseItem.objects.filter(item="average").update(value=1)


# Safety -------------------------------------------------------------------------------------------------


def test_an_answer_that_points_to_suicidality_raises_its_alert_at_once_and_once(keeper):
    asked = keeper.enter(keeper.invited(keeper.form("phq9")))
    keeper.say(asked, q1=1, q2=1)
    assert not SafetyAlert.objects.exists()
    keeper.say(asked, q9=1)
    alert = SafetyAlert.objects.get()
    assert (alert.code, alert.source_kind, alert.source_record) == ("SUICIDALITY_ALERT_24H", "invitation", asked.pk)
    assert alert.due_at - alert.raised_at == timedelta(hours=24)
    keeper.say(asked, q9=2)
    keeper.say(asked, q9=0)
    keeper.send(asked)
    assert SafetyAlert.objects.count() == 1, "taking it back takes no alert back, and sending raises none anew"


def test_an_abandoned_form_calls_the_physician_too(keeper):
    asked = keeper.enter(keeper.invited(keeper.form("phq9")))
    keeper.say(asked, q9=3)
    assert SafetyAlert.objects.get().code == "SUICIDALITY_ALERT_24H"
    close_expired(at=asked.expires_at)
    assert SafetyAlert.objects.count() == 1


def test_an_open_question_on_suicidality_is_asked_for_when_the_form_is_closed_not_before(keeper):
    asked = keeper.enter(keeper.invited(keeper.form("phq9")))
    keeper.say(asked, q1=1, q2=0, q3=0, q4=0, q5=0, q6=0, q7=0)
    assert not SafetyAlert.objects.exists()
    keeper.say(asked, q9=None)
    keeper.send(asked)
    alert = SafetyAlert.objects.get()
    assert (alert.code, alert.source_kind) == ("SUICIDE_ITEM_MISSING", "response")


def test_a_silent_trail_is_no_trail(keeper, own, as_role):
    """Every answer names the participant's pseudonym; one without an actor is refused."""
    assert set(OwnAnswer.objects.values_list("entered_by", flat=True)) == {own.entered_by}
    with pytest.raises(psycopg.Error, match="names no actor"):
        as_role("app").execute(
            "INSERT INTO outcomes_ownanswer (invitation_id, participant_id, key, item, value, answered_at, received_at,"
            " simulated) VALUES (1, 1, gen_random_uuid(), 'average', 1, now(), now(), false)"
        )
