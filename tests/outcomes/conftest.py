from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outcomes import instrument_versions
from outcomes.instrument_versions import load_instruments
from outcomes.scoring import library
from studies.models import Participant, Site, User
from tests import factories
from tests.outcomes.diary_keeper import Keeper, make_keeper


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


@pytest.fixture
def site_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Puts an instrument of the site's own into its folder, which is looked into until the test is over."""
    folder = tmp_path / "instruments"
    monkeypatch.setattr(library, "_folders", [library.DIRECTORY])

    def put(text: str, *, name: str = "rest3.yaml") -> Path:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
        library.use_folder(folder)
        library.forget_files()
        instrument_versions.forget()
        return folder

    yield put
    monkeypatch.undo()
    library.forget_files()


@pytest.fixture
def keeper(db: None) -> Keeper:
    """A participant of Berlin who keeps the diary."""
    return make_keeper()
