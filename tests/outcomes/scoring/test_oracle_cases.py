"""The vectors of tests/data/oracles/instrument_scoring.json, worked out apart from this engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from outcomes.scoring import score, score_frame

ORACLE = json.loads((Path(__file__).parents[2] / "data/oracles/instrument_scoring.json").read_text())
CASES = [pytest.param(case, id=f"{case['instrument']}-{case['case']}") for case in ORACLE["cases"]]


def as_expected(value: Any) -> Any:
    return pytest.approx(value, abs=ORACLE["tolerance"]) if isinstance(value, int | float) else value


@pytest.mark.parametrize("case", CASES)
def test_a_response_gets_the_scores_and_alerts_of_the_oracle(case):
    scores = score(case["instrument"], case["items"])
    assert {name: scores.values[name] for name in case["expected"]} == {
        name: as_expected(value) for name, value in case["expected"].items()
    }
    assert scores.alerts == case["alerts"]


@pytest.mark.parametrize("case", CASES)
def test_no_score_is_computed_that_the_oracle_does_not_name(case):
    assert set(score(case["instrument"], case["items"]).values) == set(case["expected"])


@pytest.mark.parametrize("case", CASES)
def test_a_frame_gets_the_scores_of_the_oracle(case):
    frame = score_frame(case["instrument"], pd.DataFrame([case["items"]], dtype=object))
    row = {name: frame[name].iloc[0] for name in case["expected"]}
    for name, expected in case["expected"].items():
        if expected is None:
            assert pd.isna(row[name]), name
        else:
            assert row[name] == as_expected(expected), name
