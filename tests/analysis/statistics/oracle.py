"""Reads the reference numbers in tests/data/oracles; where each comes from is in tests/data/PROVENANCE.md."""

import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parents[2] / "data" / "oracles"


def cases(file: str, key: str = "cases") -> list[Any]:
    """The list of cases under a key of one oracle file."""
    return list(json.loads((FOLDER / file).read_text())[key])


def fractions(timing: list[float]) -> np.ndarray:
    """Information fractions as meant: the files print thirds and sixths to ten digits."""
    exact = np.asarray(timing, dtype=float)
    for denominator in (3, 6):
        near = np.round(exact * denominator) / denominator
        exact = np.where(np.abs(exact - near) < 1e-9, near, exact)
    return exact
