from __future__ import annotations

import pytest

from outcomes.instrument_versions import load_instruments
from studies.models import Participant, Site, User
from tests import factories


@pytest.fixture
def version(db: None):
    load_instruments(factories.SETTING_UP)
    return factories.kalm()


@pytest.fixture
def site(version) -> Site:
    return version.study.sites.get(code="BER")


@pytest.fixture
def coordinator(version, site) -> User:
    return factories.person("cora", version.study, "coordinator", site)


@pytest.fixture
def nurse(version, site) -> User:
    return factories.person("nora", version.study, "infusion_nurse", site)


@pytest.fixture
def participant(version, site, coordinator) -> Participant:
    made = factories.Participants(version, coordinator).ready(site)
    factories.with_visits(made)
    return made
