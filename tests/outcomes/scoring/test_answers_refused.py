"""Answers that cannot be scored are refused with item, value and what is allowed; never clipped, rounded or guessed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from outcomes.scoring import AnswersInvalid, load_instrument, score, score_frame

WRONG: list[tuple[str, str, Any, str]] = [
    ("phq9", "9", 4, r"phq9 item 9: Self-harm thoughts is 4; allowed is 0 to 3 \(whole numbers\)"),
    ("phq9", "1", -1, "is -1; allowed is 0 to 3"),
    ("phq9", "1", 1.5, "is 1.5; allowed is 0 to 3"),
    ("phq9", "1", "2", "is '2'; a number is needed"),
    ("phq9", "1", "zwei", "is 'zwei'; a number is needed"),
    ("phq9", "1", "2,5", "is '2,5'; a number is needed"),
    ("phq9", "1", True, "is True; a number is needed"),
    ("phq9", "1", float("inf"), "is inf; allowed is 0 to 3"),
    ("vas100", "1", 100.5, "is 100.5; allowed is 0 to 100"),
    ("bpi_sf", "8", 35, r"is 35; allowed is 0 to 100 \(in steps of 10\)"),
    ("bpi_sf", "8", 3, r"is 3; allowed is 0 to 100 \(in steps of 10\)"),
    ("eq5d5l", "MO", 0, "Mobility is 0; allowed is 1 to 5"),
    ("paindetect", "pattern", 5, "Course pattern is 5; allowed is 1 to 4"),
    ("bprs_positive", "4", 0, "is 0; allowed is 1 to 7"),  # anchors 0-6 are another version
    ("treatment_guess", "guess", 4, "Treatment guessed is 4; allowed is 1 to 3"),
]


@pytest.mark.parametrize(("key", "item", "value", "says"), WRONG)
def test_an_answer_that_is_not_allowed_is_refused(key, item, value, says):
    with pytest.raises(AnswersInvalid, match=says):
        score(key, {item: value})


@pytest.mark.parametrize(("key", "item", "value", "says"), WRONG)
def test_a_frame_with_such_an_answer_is_refused_with_its_row(key, item, value, says):
    frame = pd.DataFrame({item: pd.Series([None, value], dtype=object, index=["P1", "P2"])})
    with pytest.raises(AnswersInvalid, match=r"in row 'P2'.*" + says.split(": ")[-1]):
        score_frame(key, frame)


def test_an_item_that_the_instrument_does_not_have_is_refused_with_those_it_has():
    with pytest.raises(AnswersInvalid, match="gad7 has no item 8; its items are 1, 2, 3, 4, 5, 6, 7"):
        score("gad7", {"8": 1})
    with pytest.raises(AnswersInvalid, match="gad7 has no item participant"):
        score_frame("gad7", pd.DataFrame({"1": [1], "participant": ["P1"]}))


def test_not_a_number_is_no_answer_in_a_frame_and_refused_in_one_response():
    assert score_frame("nrs_avg24", pd.DataFrame({"1": [np.nan]}))["value"].isna().all()
    with pytest.raises(AnswersInvalid, match="is nan; allowed is 0 to 10"):
        score("nrs_avg24", {"1": float("nan")})


@pytest.mark.parametrize("dtype", ["int64", "float64", "Int64", "Float64", "int8", object])
def test_a_frame_may_hold_its_answers_in_any_type_of_number(dtype):
    frame = pd.DataFrame({str(i): pd.Series([1, 2], dtype=dtype) for i in range(1, 8)})
    assert list(score_frame("gad7", frame)["total"]) == [7.0, 14.0]


@pytest.mark.parametrize("value", [np.int64(2), np.float64(2.0), np.int8(2)])
def test_one_response_may_hold_numbers_of_numpy(value):
    assert score("nrs_avg24", {"1": value}).values == {"value": 2.0}


def test_no_answer_is_changed_by_scoring():
    frame = pd.DataFrame({"1": [4.0], "20": [2.0], "2": [None]}, dtype=object)
    before = frame.copy(deep=True)
    score_frame("rand36", frame)
    pd.testing.assert_frame_equal(frame, before)


def test_the_problem_of_an_answer_is_told_without_scoring():
    item = load_instrument("nrs_avg24").items["1"]
    assert item.problem(10) is None
    assert item.problem(11) == "Average pain is 11; allowed is 0 to 10 (whole numbers)."
