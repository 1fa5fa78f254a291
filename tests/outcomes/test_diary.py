"""The diary: entered from paper a week at a time, all or none, and summarised for eligibility."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone

from outcomes.diary import note_diary_findings, save_diary
from outcomes.instrument_versions import load_instruments
from outcomes.models import Response
from studies.consents import sign_consent
from studies.enrolment import enrol
from studies.errors import ConsentMissing, InvalidEntries, NotAllowed
from studies.findings import values_of
from studies.models import AuditEvent, Participant
from studies.visits import schedule_infusion, site_day
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> Participant:
    load_instruments(factories.SETTING_UP)
    version = factories.kalm()
    site = version.study.sites.get(code="BER")
    cora = factories.person("cora", version.study, "coordinator", site)
    enrolled = enrol(cora, site=site, sex="F", birth="1974")
    signed_at = timezone.now() - timedelta(days=20)
    sign_consent(cora, participant=enrolled, version="1.0", signed_at=signed_at)
    schedule_infusion(cora, participant=enrolled, on=site_day(enrolled, timezone.now()))
    return enrolled


@pytest.fixture
def cora(person):
    return factories.person("cora", person.study, "coordinator", person.site)


def evening(person: Participant, back: int) -> date:
    return site_day(person, timezone.now()) - timedelta(days=back)


def week(person: Participant, *averages: float | None) -> dict[date, dict[str, float | None]]:
    """The last days before the infusion, the newest last."""
    return {
        evening(person, len(averages) - place): {"average": value, "worst": value and value + 2}
        for place, value in enumerate(averages)
    }


def test_a_week_is_entered_at_once_and_summarised(person, cora):
    assert save_diary(cora, participant=person, days=week(person, 5, 6, None, 6, 5, 7, 6)) == 6
    note_diary_findings(cora, participant=person)
    known = values_of(person)
    assert known["diary_entries"] == 6
    assert known["diary_mean"] == pytest.approx(35 / 6)


def test_every_mistake_of_a_week_is_named_by_day_and_nothing_is_saved(person, cora):
    wrong = week(person, 5, 11, 6, 12)
    with pytest.raises(InvalidEntries) as refused:
        save_diary(cora, participant=person, days=wrong)
    fields = {problem.field for problem in refused.value.problems}
    assert {f"{evening(person, 3)}.average", f"{evening(person, 1)}.average"} <= fields
    assert not Response.objects.exists()


def test_a_saved_day_changes_with_a_reason_only_and_the_trail_tells_it(person, cora):
    save_diary(cora, participant=person, days=week(person, 5, 6))
    changed = week(person, 5, 7)
    with pytest.raises(InvalidEntries, match="reason"):
        save_diary(cora, participant=person, days=changed)
    assert save_diary(cora, participant=person, days=changed, reason="misread") == 1
    event = AuditEvent.objects.filter(kind="responseitem", operation="update").order_by("id").last()
    assert event is not None
    assert (event.reason, event.actor) == ("misread", "cora")


@pytest.mark.parametrize(("back", "said"), [(-1, "lies ahead"), (8, "no diary")])
def test_a_day_ahead_or_without_a_diary_is_refused(person, cora, back, said):
    with pytest.raises(InvalidEntries, match=said):
        save_diary(cora, participant=person, days={evening(person, back): {"average": 5}})


def test_without_a_planned_infusion_there_is_no_day_to_count_from(person, cora):
    other = enrol(cora, site=person.site, sex="M", birth="1970")
    sign_consent(cora, participant=other, version="1.0", signed_at=timezone.now() - timedelta(days=2))
    with pytest.raises(InvalidEntries, match="Plan the infusion"):
        save_diary(cora, participant=other, days={evening(other, 1): {"average": 5}})


def test_the_diary_needs_consent_and_a_role(person, cora):
    other = enrol(cora, site=person.site, sex="M", birth="1970")
    schedule_infusion(cora, participant=other, on=evening(other, 0))
    days = {evening(other, 1): {"average": 5.0}}
    with pytest.raises(ConsentMissing):
        save_diary(cora, participant=other, days=days)
    with pytest.raises(NotAllowed):
        save_diary(factories.person("mona", person.study, "monitor"), participant=person, days=days)
