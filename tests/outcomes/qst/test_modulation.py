"""Conditioned pain modulation and temporal summation. Oracle: tests/data/oracles/domain_arithmetic.json."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from outcomes.qst import conditioned_pain_modulation, temporal_summation
from tests.outcomes.qst.oracle import CPM_CASES


@pytest.mark.parametrize("case", CPM_CASES, ids=lambda case: case["id"])
def test_conditioned_pain_modulation_is_that_of_the_oracle(case: dict[str, Any]):
    measure: Literal["threshold", "rating"] = "rating" if "NRS" in case["test"] else "threshold"
    found = conditioned_pain_modulation(case["before"], case["during"], measure=measure)
    told = (found.before, found.conditioned, found.raw_change, found.effect, found.percent)
    names = ("before", "conditioned", "raw_change", "cpm_effect", "cpm_percent")
    assert told == pytest.approx(tuple(case["expected"][name] for name in names))
    assert found.kind == case["expected"]["class"]


def test_a_threshold_that_rises_and_a_rating_that_falls_are_both_inhibition_and_negative():
    assert conditioned_pain_modulation([300], [360], measure="threshold").effect == -60
    assert conditioned_pain_modulation([60], [45], measure="rating").effect == -15


def test_nothing_before_gives_no_percentage_and_no_change_is_neither():
    found = conditioned_pain_modulation([0], [0], measure="rating")
    assert (found.percent, found.kind) == (None, "none")


def test_a_stimulus_without_readings_is_refused():
    with pytest.raises(ValueError, match="at least one reading"):
        conditioned_pain_modulation([], [1], measure="rating")


def test_temporal_summation_tells_how_it_was_counted():
    ratings = [10, 20, 60, 40]
    assert temporal_summation(ratings, method="last_minus_first").delta == 30
    highest = temporal_summation(ratings, method="highest_minus_first")
    assert (highest.delta, highest.method) == (50, "highest_minus_first")
    with pytest.raises(ValueError, match="at least two ratings; there is 1"):
        temporal_summation([10], method="last_minus_first")
