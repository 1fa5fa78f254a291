"""Consent: what may be collected follows from the one in force."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from studies.consents import require_collection, sign_consent, withdraw_consent
from studies.enrolment import enrol
from studies.errors import AlreadyDone, ConsentMissing, InvalidEntry, NotAllowed
from studies.models import Participant
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def enrolled(coordinator, site) -> Participant:
    return enrol(coordinator, site=site, sex="F", birth="1974-05")


def an_hour_ago():
    return timezone.now() - timedelta(hours=1)


def test_enrolment_gives_a_number_and_every_planned_visit(enrolled):
    assert enrolled.identifier == "KALM-BER-0001"
    assert list(enrolled.visits.values_list("code", flat=True))[:3] == ["SCR", "BL", "D0"]


def test_a_coordinator_of_another_site_cannot_enrol_here(version, site):
    elsewhere = version.study.sites.exclude(pk=site.pk).first()
    with pytest.raises(NotAllowed):
        enrol(factories.person("stella", version.study, "coordinator", elsewhere), site=site, sex="F", birth="1974")


def test_nothing_is_collected_before_consent(coordinator, enrolled):
    with pytest.raises(ConsentMissing):
        require_collection(enrolled)
    sign_consent(coordinator, participant=enrolled, version="1.0", signed_at=an_hour_ago())
    require_collection(enrolled, "phq9", "qst", "infusion")


def test_the_age_is_counted_on_the_day_of_consent(coordinator, enrolled):
    sign_consent(coordinator, participant=enrolled, version="1.0", signed_at=an_hour_ago())
    enrolled.refresh_from_db()
    assert enrolled.age_years in (51, 52)


def test_only_the_version_in_force_can_be_signed(coordinator, enrolled):
    with pytest.raises(InvalidEntry, match="not the one in force") as refused:
        sign_consent(coordinator, participant=enrolled, version="0.9", signed_at=an_hour_ago())
    assert refused.value.field == "version"


def test_consent_is_not_signed_in_the_future_nor_twice(coordinator, enrolled):
    with pytest.raises(InvalidEntry, match="future"):
        sign_consent(coordinator, participant=enrolled, version="1.0", signed_at=timezone.now() + timedelta(hours=1))
    sign_consent(coordinator, participant=enrolled, version="1.0", signed_at=an_hour_ago())
    with pytest.raises(AlreadyDone):
        sign_consent(coordinator, participant=enrolled, version="1.0", signed_at=an_hour_ago())


def test_withdrawing_the_treatment_leaves_data_but_no_infusion(coordinator, enrolled):
    consent = sign_consent(coordinator, participant=enrolled, version="1.0", signed_at=an_hour_ago())
    withdraw_consent(coordinator, consent=consent, scope="treatment", withdrawn_at=timezone.now(), reason="not given")
    require_collection(enrolled, "phq9")
    with pytest.raises(ConsentMissing, match="infusion"):
        require_collection(enrolled, "infusion")


def test_withdrawing_everything_ends_collection_and_keeps_what_there_is(coordinator, enrolled):
    consent = sign_consent(coordinator, participant=enrolled, version="1.0", signed_at=an_hour_ago())
    with pytest.raises(InvalidEntry, match="reason"):
        withdraw_consent(coordinator, consent=consent, scope="collection", withdrawn_at=timezone.now(), reason=" ")
    withdraw_consent(coordinator, consent=consent, scope="collection", withdrawn_at=timezone.now(), reason="moved")
    enrolled.refresh_from_db()
    assert enrolled.status == Participant.Status.WITHDRAWN
    assert enrolled.visits.exists()
    with pytest.raises(ConsentMissing):
        require_collection(enrolled)


def test_an_age_that_the_birth_leaves_open_is_asked_for(coordinator, site):
    this_month = timezone.now().date().replace(year=1974)
    participant = enrol(coordinator, site=site, sex="F", birth=f"{this_month:%Y-%m}")
    with pytest.raises(InvalidEntry, match="does not fit the birth"):
        sign_consent(coordinator, participant=participant, version="1.0", signed_at=an_hour_ago(), age_years=40)
    assert participant.age_years is None
    youngest = timezone.now().year - 1975
    sign_consent(coordinator, participant=participant, version="1.0", signed_at=an_hour_ago(), age_years=youngest)
    participant.refresh_from_db()
    assert participant.age_years == youngest


def test_refusals_travel_between_processes():
    import pickle

    from studies.errors import InvalidEntries

    refusal = pickle.loads(pickle.dumps(InvalidEntries([InvalidEntry("too high", field="sbp")])))  # noqa: S301
    assert (refusal.problems[0].message, refusal.problems[0].field) == ("too high", "sbp")
