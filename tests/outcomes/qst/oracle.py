"""The worked QST session of tests/data/oracles/domain_arithmetic.json as readings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from outcomes.qst import PARAMETERS, SYNTHETIC_REFERENCE, Reading, aggregate, load_reference

_ORACLES = json.loads((Path(__file__).parents[2] / "data/oracles/domain_arithmetic.json").read_text())
CASE: dict[str, Any] = _ORACLES["qst"][0]
EXPECTED: dict[str, Any] = CASE["expected"]
CPM_CASES: list[dict[str, Any]] = _ORACLES["cpm"]
# The oracle's reference is that of SYNTH-1 for this person.
PERSON: dict[str, Any] = {"reference": load_reference(SYNTHETIC_REFERENCE), "area": "hand", "sex": "F", "age": 44}


def session_readings() -> list[Reading]:
    """All trials of the oracle's session, counted within each direction, force or brush."""
    return [
        Reading(code, trial, value, direction)
        for code, raw in CASE["raw"].items()
        for direction, values in _groups(code, raw).items()
        for trial, value in enumerate(values, 1)
    ]


def _groups(code: str, raw: Any) -> dict[str, list[float]]:
    if isinstance(raw, dict):
        return raw
    directions = PARAMETERS[code].directions
    if code == "DMA":
        return {brush: raw[5 * k : 5 * k + 5] for k, brush in enumerate(directions)}
    if isinstance(raw[0], list):
        return dict(zip(directions, raw, strict=True))
    return {"": raw}


def value_of(code: str) -> float:
    """The value of one parameter of the session."""
    value = aggregate(session_readings())[code].value
    assert value is not None
    return value
