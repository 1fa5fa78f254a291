"""A simulated course is entered as people would: what the model draws, through the verbs, when it would be known."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from analysis.simulated_entry.course import enter_intercurrent_event
from analysis.simulated_entry.forms import Entering
from analysis.simulation.records import IntercurrentEvent
from studies.models import Participant
from tests import factories
from tests.studies.intruder import begin_trial

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("kind", "days_later", "recorded"), [("ICE-2", 2, ["ICE-2"]), ("ICE-2", 0, []), ("ICE-1", 2, [])]
)
def test_rescue_is_recorded_when_its_days_are_over_and_an_infusion_that_was_held_tells_itself(
    kind: Any, days_later: int, recorded: list[str]
):
    site = begin_trial(allocated=1).site
    participant = Participant.objects.select_related("site", "study", "protocol_version").get()
    staff: Any = SimpleNamespace(coordinator=factories.person("cora", site.study, "coordinator", site))
    now = timezone.now()
    course: Any = SimpleNamespace(infusion=SimpleNamespace(started_at=now))
    entering = Entering(participant, staff, until=now + timedelta(days=days_later))
    enter_intercurrent_event(entering, course, IntercurrentEvent(kind, 0, 0))
    assert [event.event for event in participant.intercurrent_events.all()] == recorded
    assert {event.entered_by for event in participant.intercurrent_events.all()} <= {"cora"}
