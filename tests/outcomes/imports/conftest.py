from __future__ import annotations

import pytest

from outcomes.imports.taking import Source, import_trial
from studies.models import Study
from tests.outcomes.imports.trial_files import (
    IMPORTER,
    ClosedSideHere,
    as_csv,
    protocol_file,
    source,
    two_patients,
)


@pytest.fixture
def small() -> Source:
    """Two patients of Ashar's trial, in two arms."""
    return source(as_csv(two_patients()))


@pytest.fixture
def study(transactional_db: None, small: Source) -> Study:
    """The two patients, imported."""
    done = import_trial(
        IMPORTER, source=small, protocol_file=protocol_file("ashar2022-1.0.yaml"), closed_side=ClosedSideHere()
    )
    return done.study
