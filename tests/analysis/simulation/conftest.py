import json
from pathlib import Path

import pytest

from analysis.simulation.parameters import load_parameters
from analysis.simulation.trial import Trial

from .kalm import kalm_design


@pytest.fixture(scope="session")
def parameters():
    return load_parameters()


@pytest.fixture(scope="session")
def truth():
    path = Path(__file__).parents[2] / "data" / "oracles" / "simulation_truth.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def design():
    return kalm_design()


@pytest.fixture(scope="session")
def trial(design):
    return Trial(design, seed=11)
