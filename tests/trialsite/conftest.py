from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from outcomes import instrument_versions
from outcomes.models import Invitation
from studies.models import ProtocolVersion, Study
from tests import factories
from tests.conftest import empty_tables
from tests.outcomes.diary_keeper import Keeper, make_keeper
from tests.trialsite.busy_site import BusySite, make_busy_site
from tests.trialsite.closed_door import ClosedDoor, opened
from tests.trialsite.door_phone import path_of


@pytest.fixture
def closed_door(settings: Any, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[ClosedDoor]:
    with opened(settings, monkeypatch) as door:
        yield door


@pytest.fixture
def folders(settings: Any, tmp_path: Path) -> Path:
    """Cuts and closed files of this test alone."""
    settings.CUTS_DIR = tmp_path / "cuts"
    settings.CLOSED_DIR = tmp_path / "closed"
    return tmp_path


@pytest.fixture
def version(transactional_db: None) -> ProtocolVersion:
    return factories.kalm()


@pytest.fixture
def study(version: ProtocolVersion) -> Study:
    return version.study


@pytest.fixture(scope="module")
def committed_site(django_db_setup: None, django_db_blocker: Any) -> Iterator[BusySite]:
    """A busy site, committed once for the tests of a module, which roll back what they do themselves."""
    with django_db_blocker.unblock():
        yield make_busy_site()
        empty_tables()
        instrument_versions.forget()


@pytest.fixture
def busy(committed_site: BusySite, db: None) -> BusySite:
    """A busy site that one test may change: what it adds is rolled back."""
    return replace(committed_site, participants=list(committed_site.participants))


@pytest.fixture
def keeper(db: None) -> Keeper:
    """A participant of Berlin who keeps the diary."""
    return make_keeper()


@pytest.fixture
def asked(keeper: Keeper) -> Invitation:
    """Today's diary, asked for."""
    return keeper.invited()


@pytest.fixture
def phone(keeper: Keeper, asked: Invitation) -> Client:
    """A phone on which the form is open, in English."""
    client = Client()
    client.cookies["trialsite_p_language"] = "en"
    assert client.post(path_of(keeper, asked)).status_code == 302
    return client
