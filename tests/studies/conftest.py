from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from studies.models import Participant, ProtocolVersion, Site, User
from tests import factories
from tests.conftest import django_as, empty_tables
from tests.studies.intruder import BlindTrial, begin_trial, ruin_every_row


@pytest.fixture
def version(db: None) -> ProtocolVersion:
    return factories.kalm()


@pytest.fixture
def site(version: ProtocolVersion) -> Site:
    return version.study.sites.get(code="BER")


@pytest.fixture
def coordinator(version: ProtocolVersion, site: Site) -> User:
    return factories.person("cora", version.study, "coordinator", site)


@pytest.fixture
def investigator(version: ProtocolVersion, site: Site) -> User:
    return factories.person("ivan", version.study, "investigator", site)


@pytest.fixture
def participants(version: ProtocolVersion, investigator: User) -> factories.Participants:
    return factories.Participants(version, investigator)


@pytest.fixture
def randomisation_list(version: ProtocolVersion) -> None:
    factories.make_list(version.study, django_as)


@pytest.fixture(scope="module")
def committed_trial(django_db_setup: None, django_db_blocker: Any) -> Iterator[BlindTrial]:
    """Two participants with a kit and one who waits, with their visits; committed once, what a test does rolls back."""
    with django_db_blocker.unblock():
        begun = begin_trial(allocated=2, waiting=1)
        for participant in Participant.objects.all():
            factories.with_visits(participant)
    yield begun
    with django_db_blocker.unblock():
        empty_tables()


@pytest.fixture
def randomised(committed_trial: BlindTrial, db: None) -> Participant:
    return _fresh(committed_trial.allocated[0])


@pytest.fixture
def unallocated(committed_trial: BlindTrial, db: None) -> Participant:
    """Found eligible, and not randomised yet."""
    return _fresh(committed_trial.waiting[0])


def _fresh(key: int) -> Participant:
    return Participant.objects.select_related("site", "study", "protocol_version").get(pk=key)


@pytest.fixture(scope="module", params=["as it stands", "after app changed every row that it can write"])
def attacked(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> Iterator[BlindTrial]:
    with django_db_blocker.unblock():
        begun = begin_trial(allocated=12)
        if request.param != "as it stands":
            with begun.connect() as app:
                ruin_every_row(app)
    yield begun
    with django_db_blocker.unblock():
        empty_tables()


@pytest.fixture
def app(attacked: BlindTrial) -> Iterator[psycopg.Connection]:
    with attacked.connect() as connection:
        yield connection
