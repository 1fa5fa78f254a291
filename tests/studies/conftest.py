from __future__ import annotations

import pytest

from studies.models import ProtocolVersion, Site, User
from tests import factories
from tests.conftest import django_as


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
