"""Accounts and roles: given and ended by the administrator, and nothing disappears."""

from __future__ import annotations

import pytest

from studies.enrolment import enrol
from studies.errors import AlreadyDone, InvalidEntry, NotAllowed
from studies.models import AuditEvent, User
from studies.people import end_role, give_address, give_role, make_account
from studies.permissions import visible_participants
from tests import factories

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough sentence"


@pytest.fixture
def administrator(version) -> User:
    return factories.person("adam", version.study, "administrator")


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def test_a_role_opens_the_site_and_its_end_closes_it(administrator, version, site):
    person = make_account(administrator, study=version.study, username="nina", name="Nina N", password=PASSWORD)
    with pytest.raises(NotAllowed):
        enrol(fresh(person), site=site, sex="F", birth="1974")
    member = give_role(administrator, person=person, study=version.study, site=site, role="coordinator")
    enrol(fresh(person), site=site, sex="F", birth="1974")
    end_role(administrator, membership=member, reason="left the hospital")
    assert not visible_participants(fresh(person)).exists()
    assert AuditEvent.objects.get(kind="membership", operation="update").reason == "left the hospital"


def test_an_administrator_manages_people_and_sees_no_data(administrator, version, site, coordinator):
    enrol(coordinator, site=site, sex="F", birth="1974")
    with pytest.raises(NotAllowed, match="to yourself"):
        give_role(administrator, person=fresh(administrator), study=version.study, site=None, role="data_manager")
    assert not visible_participants(fresh(administrator)).exists()


def test_a_coordinator_gives_no_roles(coordinator, version, site):
    with pytest.raises(NotAllowed):
        give_role(coordinator, person=coordinator, study=version.study, site=site, role="investigator")


def test_a_user_name_is_never_used_again(administrator, version):
    make_account(administrator, study=version.study, username="nina", name="Nina", password=PASSWORD)
    with pytest.raises(AlreadyDone):
        make_account(administrator, study=version.study, username="Nina", name="Another", password=PASSWORD)


def test_an_address_is_given_by_the_administrator_of_a_study_that_the_person_works_in(
    administrator, version, coordinator
):
    assert give_address(administrator, person=coordinator, email="cora@example.org").email == "cora@example.org"
    with pytest.raises(InvalidEntry, match="no e-mail address") as refused:
        give_address(administrator, person=coordinator, email="cora at home")
    assert refused.value.field == "email"
    stranger = make_account(
        administrator, study=version.study, username="nina", name="", password=PASSWORD, email="nina@example.org"
    )
    assert stranger.email == "nina@example.org"
    for who, whom in ((administrator, stranger), (coordinator, administrator)):
        with pytest.raises(NotAllowed):
            give_address(who, person=whom, email="other@example.org")


def test_a_weak_password_is_refused_by_name(administrator, version):
    with pytest.raises(InvalidEntry) as refused:
        make_account(administrator, study=version.study, username="nina", name="Nina", password="short")
    assert refused.value.field == "password"


def test_a_role_does_not_end_without_a_reason(administrator, version, coordinator):
    with pytest.raises(InvalidEntry):
        end_role(administrator, membership=coordinator.memberships.get(), reason=" ")
