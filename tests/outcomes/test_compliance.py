"""How a diary is kept: which days are over, answered, filled in later or from paper, and the weekly means."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from outcomes.clarifications import clarify
from outcomes.compliance import compliance_of, weekly_means
from outcomes.diary import save_diary
from outcomes.models import Response
from studies.errors import InvalidEntry, NotAllowed
from tests.outcomes.diary_keeper import Keeper

pytestmark = pytest.mark.django_db


def on_paper(keeper: Keeper, *averages: float | None) -> None:
    """The last days, the newest last."""
    days = {keeper.today - timedelta(days=len(averages) - n): {"average": a} for n, a in enumerate(averages)}
    save_diary(keeper.coordinator, participant=keeper.participant, days=days)


def kept(keeper: Keeper):
    return compliance_of([keeper.participant], now=timezone.now())[keeper.participant.pk]


def test_days_that_are_over_are_counted_and_today_is_not(keeper):
    assert (kept(keeper).due, kept(keeper).answered) == (7, 0)
    on_paper(keeper, 5, None, 6, 7)
    found = kept(keeper)
    assert (found.due, found.answered, found.on_paper, found.back_filled) == (7, 3, 3, 0)
    assert [day.number for day in found.days] == [-7, -6, -5, -4, -3, -2, -1]
    assert found.percent == 43


@pytest.mark.parametrize("hour_of_today", [0, 10])
def test_a_day_that_was_answered_after_its_end_is_marked(keeper, hour_of_today):
    morning = datetime.combine(keeper.today, time(hour_of_today, 5), ZoneInfo("Europe/Berlin"))
    with time_machine.travel(morning, tick=False):
        asked = keeper.enter(keeper.invited(keeper.diary(back=1)))
        keeper.say(asked, average=4)
        keeper.send(asked)
        found = kept(keeper)
    assert found.days[-1].back_filled
    assert (found.answered, found.back_filled, found.on_paper) == (1, 1, 0)


def test_a_day_answered_in_its_own_evening_is_not_marked(keeper):
    last_evening = datetime.combine(keeper.today - timedelta(days=1), time(23, 50), ZoneInfo("Europe/Berlin"))
    with time_machine.travel(last_evening, tick=False):
        asked = keeper.enter(keeper.invited())
        keeper.say(asked, average=4)
        keeper.send(asked)
    day = kept(keeper).days[-1]
    assert (day.number, day.answered, day.back_filled, day.on_paper) == (-1, True, False, False)


def test_a_week_has_a_mean_from_four_days_on(keeper):
    on_paper(keeper, 4, 5, 6)
    assert [(w.label, w.entries, w.mean) for w in weekly_means(keeper.participant, day0=keeper.today)] == [
        ("Baseline week", 3, None)
    ]
    on_paper(keeper, 4, 5, 6)
    save_diary(
        keeper.coordinator,
        participant=keeper.participant,
        days={keeper.today - timedelta(days=5): {"average": 9}},
    )
    week = weekly_means(keeper.participant, day0=keeper.today)[0]
    assert (week.entries, week.needed, week.mean) == (4, 4, 6.0)


def test_many_participants_take_no_more_queries_than_one(keeper):
    with CaptureQueriesContext(
        connection,
    ) as one:
        compliance_of([keeper.participant], now=timezone.now())
    with CaptureQueriesContext(connection) as many:
        compliance_of([keeper.participant] * 5, now=timezone.now())
    assert len(one) == len(many) == 3


def test_a_clarification_stands_beside_the_answers_and_changes_none(keeper):
    asked = keeper.enter(keeper.invited())
    keeper.say(asked, average=6)
    response = keeper.send(asked).response
    assert response is not None
    note = clarify(keeper.coordinator, response=response, text=" Meant the left knee. ", item="average")
    note.refresh_from_db()
    assert (note.text, note.entered_by, note.participant) == ("Meant the left knee.", "coordinator", keeper.participant)
    assert response.items.get(item="average").value == 6
    with pytest.raises(InvalidEntry, match="Write what"):
        clarify(keeper.coordinator, response=response, text=" ")
    with pytest.raises(InvalidEntry, match="no question mood"):
        clarify(keeper.coordinator, response=response, text="x", item="mood")
    with pytest.raises(NotAllowed):
        clarify(keeper.people["monitor"], response=response, text="x")


def test_what_the_site_entered_is_corrected_not_clarified(keeper):
    on_paper(keeper, 5)
    with pytest.raises(InvalidEntry, match="correct it"):
        clarify(keeper.coordinator, response=Response.objects.get(), text="x")
