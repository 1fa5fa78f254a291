"""Alerts on a change from an earlier form (DOMAIN 2.5: ICSI, a rise of 4 or new urgency): whenever it becomes known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from outcomes.circumstances import correct_circumstances
from outcomes.models import Response
from outcomes.responses import ResponseEntry, correct_response, save_response
from studies.acting import acting
from studies.models import Infusion, Participant, SafetyAlert
from tests import factories

pytestmark = pytest.mark.django_db
DAY0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SOME = {"1": 1.0, "2": 1.0, "3": 1.0, "4": 1.0}
RISE = {"1": 2.0, "2": 2.0, "3": 2.0, "4": 2.0}  # exactly 4 more, urgency not new


def infuse(participant: Participant, at: datetime = DAY0) -> None:
    with acting(factories.SETTING_UP, "set up"), transaction.atomic():
        Infusion.objects.create(
            participant=participant,
            visit=participant.visits.get(code="D0"),
            kit_number="K1",
            weight_kg=Decimal(70),
            planned_volume_ml=Decimal("35"),
            planned_rate_ml_h=Decimal("52.5"),
            started_at=at,
        )


@pytest.fixture
def icsi(participant, coordinator):
    """Saves the form of a visit so many days after the infusion."""
    infuse(participant)

    def save(visit: str, day: float, **items: float | None) -> Response:
        answers = {name.removeprefix("i"): value for name, value in items.items()}
        at = DAY0 + timedelta(days=day)
        entry = ResponseEntry(participant, "icsi", answers, at, visit=participant.visits.get(code=visit))
        return save_response(coordinator, entry=entry)

    return save


def items(values: dict[str, float]) -> dict[str, float]:
    return {f"i{name}": value for name, value in values.items()}


def called_for() -> list[tuple[str, int]]:
    return list(SafetyAlert.objects.order_by("pk").values_list("code", "source_record"))


def test_a_rise_of_four_over_the_last_form_before_the_infusion_calls_once(icsi, coordinator):
    icsi("SCR", -14, **items({**SOME, "1": 5.0}))
    icsi("BL", -3, **items(SOME))
    three_more = icsi("W4", 28, **items({**RISE, "4": 1.0}))
    assert called_for() == [], "3 more than the form just before, and less than the one before that"
    at_w12 = icsi("W12", 84, **items(RISE))
    assert called_for() == [("URINARY_ALERT", at_w12.pk)]
    correct_response(coordinator, response=three_more, items={"4": 2.0}, reason="misread")
    assert called_for() == [("URINARY_ALERT", at_w12.pk), ("URINARY_ALERT", three_more.pk)]
    assert SafetyAlert.objects.first().due_at - SafetyAlert.objects.first().raised_at == timedelta(hours=24)


@pytest.mark.parametrize(("before", "calls"), [(0.0, True), (1.0, False), (None, False)])
def test_new_urgency_calls_and_urgency_that_was_there_or_was_never_asked_does_not(icsi, before, calls):
    icsi("SCR", -14, i1=before, i2=3, i3=3, i4=0)
    icsi("W4", 28, i1=2, i2=0, i3=0, i4=0)
    assert [code for code, _ in called_for()] == ["URINARY_ALERT"] * calls


def test_what_is_certain_calls_although_the_form_was_not_finished(icsi):
    icsi("SCR", -14, **items(SOME))
    unfinished = icsi("W4", 28, i2=5, i3=2, i4=None)
    assert called_for() == [], "7 of 20 so far: 3 more than 4 is certain, 4 is not"
    assert unfinished.status == "partial"
    icsi("W12", 84, i2=5, i3=3)
    assert [code for code, _ in called_for()] == ["URINARY_ALERT"]


def test_a_baseline_that_comes_late_or_is_corrected_is_compared_with_what_followed(icsi, coordinator):
    after = icsi("W4", 28, **items(RISE))
    assert called_for() == [], "nothing to compare with"
    baseline = icsi("SCR", -14, **items({**RISE, "1": 1.0}))
    assert called_for() == []
    correct_response(coordinator, response=baseline, items=dict(SOME), reason="another's form")
    assert called_for() == [("URINARY_ALERT", after.pk)]


def test_when_a_form_was_answered_decides_whether_it_is_the_baseline(icsi, coordinator):
    icsi("SCR", -14, **items(RISE))
    mistyped = icsi("BL", 1, **items(SOME))
    after = icsi("W4", 28, **items(RISE))
    assert called_for() == []
    right = {"completed_at": DAY0 - timedelta(days=1)}
    correct_circumstances(coordinator, response=mistyped, circumstances=right, reason="the wrong month")
    assert called_for() == [("URINARY_ALERT", after.pk)]


def test_an_answer_on_the_participants_own_device_calls_at_once_and_once(keeper):
    now = timezone.now()
    infuse(keeper.participant, at=now - timedelta(days=28))
    scr = keeper.participant.visits.get(code="SCR")
    entry = ResponseEntry(keeper.participant, "icsi", SOME, now - timedelta(days=40), visit=scr)
    save_response(keeper.coordinator, entry=entry)
    with acting(factories.SETTING_UP, "set up"), transaction.atomic():
        opens, closes = now - timedelta(days=1), now + timedelta(days=1)
        keeper.participant.visits.filter(code="W4").update(opens_at=opens, closes_at=closes)
    asked = keeper.enter(keeper.invited(keeper.form("icsi")))
    keeper.say(asked, q2=5)
    assert called_for() == []
    keeper.say(asked, q3=3)
    assert called_for() == [("URINARY_ALERT", asked.pk)]
    keeper.say(asked, q1=5, q4=5)
    closed = keeper.send(asked)
    assert called_for() == [("URINARY_ALERT", asked.pk)]
    correct = replace(entry, visit=keeper.participant.visits.get(code="BL"), completed_at=now - timedelta(days=35))
    save_response(keeper.coordinator, entry=correct)
    assert closed.response_id is not None
    assert called_for() == [("URINARY_ALERT", asked.pk)], "judged anew, it had called already"


def test_any_instrument_may_call_on_a_rise_or_fall_since_the_form_before(site_folder, participant, coordinator):
    """A scale of the site's own where a fall of 20 points from form to form calls; the file alone says so."""
    from outcomes.instrument_versions import load_instruments

    text = (Path(__file__).parents[2] / "outcomes" / "instruments" / "vas100.yaml").read_text()
    name = next(line for line in text.splitlines() if line.startswith("key:"))
    rule = "alerts: [{code: URINARY_ALERT, change: {of: 1, by: -20, since: previous}}]\nsources:"
    site_folder(text.replace(name, "key: own_scale").replace("sources:", rule, 1), name="own_scale.yaml")
    load_instruments(factories.SETTING_UP)
    for visit, day, value in (("SCR", -14, 80.0), ("BL", -3, 61.0), ("W1", 7, 41.0), ("W2", 14, 60.0)):
        at = DAY0 + timedelta(days=day)
        entry = ResponseEntry(participant, "own_scale", {"1": value}, at, visit=participant.visits.get(code=visit))
        saved = save_response(coordinator, entry=entry)
        if visit == "W1":
            fell = saved.pk
    assert called_for() == [("URINARY_ALERT", fell)]
