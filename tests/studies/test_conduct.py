"""The steps of a participation: what is refused at each, with what to do instead."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from studies import adverse_events
from studies.acting import acting
from studies.consents import require_collection, sign_consent, withdraw_consent
from studies.eligibility import decide
from studies.enrolment import enrol
from studies.errors import AlreadyDone, ConsentMissing, InvalidEntries, InvalidEntry
from studies.infusions import start_infusion
from studies.models import Allocation, Consent, Participant, Study
from studies.participation import withdraw
from studies.randomisation_desk import randomise
from studies.visits import schedule_infusion, start_visit
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def enrolled(coordinator, site) -> Participant:
    return enrol(coordinator, site=site, sex="F", birth="1974-05")


@pytest.fixture
def consented(coordinator, enrolled) -> Participant:
    sign_consent(coordinator, participant=enrolled, version="1.0", signed_at=timezone.now() - timedelta(hours=2))
    enrolled.refresh_from_db()
    return enrolled


@pytest.mark.parametrize("birth", ["", "74", "19x4", "1974-13", "1974-05-17", "1850", "2999", "1974-5"])
def test_a_birth_that_cannot_be_is_refused_with_what_is_expected(coordinator, site, birth):
    with pytest.raises(InvalidEntries, match="a year and month") as refused:
        enrol(coordinator, site=site, sex="F", birth=birth)
    assert [problem.field for problem in refused.value.problems] == ["birth"]
    assert not Participant.objects.exists()


def test_nobody_is_enrolled_in_a_study_that_was_finished_elsewhere(coordinator, site):
    with acting(coordinator, "imported"):
        Study.objects.update(origin=Study.Origin.IMPORTED, import_attestation="As published.")
    with pytest.raises(InvalidEntry, match="finished elsewhere") as refused:
        enrol(coordinator, site=site, sex="F", birth="1974")
    assert refused.value.field == "site"


def test_who_signed_two_versions_withdraws_from_both(coordinator, consented):
    older = consented.consents.get()
    with acting(coordinator, "an older paper"):
        Consent.objects.create(
            participant=consented, version="0.9", signed_at=factories.LONG_AGO, obtained_by=coordinator
        )
    withdraw_consent(coordinator, consent=older, scope="collection", withdrawn_at=timezone.now(), reason="moved")
    with pytest.raises(ConsentMissing):
        require_collection(consented)


def test_who_withdrew_the_treatment_may_withdraw_the_rest_later(coordinator, consented):
    consent = consented.consents.get()
    now = timezone.now()
    withdraw_consent(coordinator, consent=consent, scope="treatment", withdrawn_at=now, reason="side effects")
    with pytest.raises(AlreadyDone):
        withdraw_consent(coordinator, consent=consent, scope="treatment", withdrawn_at=now, reason="again")
    withdraw_consent(coordinator, consent=consent, scope="collection", withdrawn_at=now, reason="moved")
    with pytest.raises(ConsentMissing):
        require_collection(consented)


def test_a_withdrawal_ends_the_participation_on_the_day_it_is_at_the_site(coordinator, consented):
    late = datetime.combine(timezone.now().date(), datetime.min.time(), UTC) - timedelta(minutes=30)
    with acting(coordinator, "earlier"):
        Consent.objects.update(signed_at=late - timedelta(days=1))
    withdraw_consent(
        coordinator, consent=consented.consents.get(), scope="collection", withdrawn_at=late, reason="moved"
    )
    consented.refresh_from_db()
    # Half past eleven at night in Greenwich is the next day in Berlin.
    assert consented.ended_on == late.date() + timedelta(days=1)


def test_a_withdrawal_lies_neither_before_the_signature_nor_ahead(coordinator, consented):
    consent = consented.consents.get()
    for days, said in ((-1, "before the signature"), (1, "in the future")):
        at = timezone.now() + timedelta(days=days)
        with pytest.raises(InvalidEntry, match=said):
            withdraw_consent(coordinator, consent=consent, scope="treatment", withdrawn_at=at, reason="moved")


def test_nothing_is_decided_about_a_participant_who_has_left(coordinator, investigator, consented):
    withdraw(coordinator, participant=consented, on=date(2026, 11, 1), reason="moved")
    with pytest.raises(AlreadyDone, match="withdrawn"):
        decide(investigator, participant=consented, included=False, decided_at=timezone.now(), reason="left")
    consented.refresh_from_db()
    assert consented.end_reason == "moved"


def test_no_visit_starts_after_the_day_on_which_a_participant_left(coordinator, consented):
    schedule_infusion(coordinator, participant=consented, on=timezone.now().date())
    left = timezone.now() - timedelta(days=3)
    withdraw(coordinator, participant=consented, on=left.date(), reason="moved")
    consented.refresh_from_db()
    visit = consented.visits.get(code="SCR")
    visit.participant = consented
    with pytest.raises(InvalidEntry, match="left the study"):
        start_visit(coordinator, visit=visit, started_at=timezone.now())
    assert start_visit(coordinator, visit=visit, started_at=left - timedelta(days=1)).started_at


@pytest.mark.django_db(transaction=True)
def test_nothing_is_infused_into_who_has_left(coordinator, investigator, participants, site, randomisation_list):
    participant = participants.ready(site)
    factories.with_visits(participant)
    randomise(coordinator, participant=participant)
    kit = Allocation.objects.get(participant=participant).kit_number
    given = {"participant": participant, "weight_kg": Decimal("70"), "started_at": timezone.now()}
    with pytest.raises(InvalidEntry, match="Fetch that kit"):
        start_infusion(investigator, kit_number="K-XXXX", **given)
    withdraw(coordinator, participant=participant, on=timezone.now().date(), reason="moved")
    participant.refresh_from_db()
    with pytest.raises(InvalidEntry, match="nothing is infused"):
        start_infusion(investigator, kit_number=kit, **given)


def entered(**changes):
    said = {"term": "Nausea", "started_on": "2026-11", "grade": 1, "relatedness": "possible", "outcome": "ongoing"}
    return adverse_events.AdverseEventEntry(**said | changes)


def test_an_event_keeps_the_date_as_it_was_told(coordinator, consented):
    event = adverse_events.report(coordinator, participant=consented, entry=entered())
    assert event.started_on == "2026-11"


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"started_on": "last week"}, ["started_on"]),
        ({"started_on": "2026-02-30"}, ["started_on"]),
        ({"started_on": "2999-01"}, ["started_on"]),
        ({"started_on": "2026-11-03", "ended_on": "2026-11-02"}, ["ended_on"]),
        ({"serious": True}, ["seriousness"]),
        ({"grade": 6, "term": " "}, ["term", "grade"]),
    ],
)
def test_an_event_that_cannot_be_is_refused_with_every_mistake_at_once(coordinator, consented, changes, fields):
    with pytest.raises(InvalidEntries) as refused:
        adverse_events.report(coordinator, participant=consented, entry=entered(**changes))
    assert [problem.field for problem in refused.value.problems] == fields
    assert not consented.adverse_events.exists()
