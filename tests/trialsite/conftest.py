from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studies.models import ProtocolVersion, Study
from tests import factories
from tests.trialsite.closed_door import ClosedDoor, opened


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
