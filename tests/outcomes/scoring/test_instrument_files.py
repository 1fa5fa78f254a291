"""Every instrument file: its own worked examples, and what all of them must have in common."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from outcomes.scoring import UnknownInstrument, alerts_of, instrument_keys, load_instrument, score, score_frame

EXAMPLES = [
    pytest.param(key, example, id=f"{key}-{example.says}")
    for key in instrument_keys()
    for example in load_instrument(key).examples
]
every_instrument = pytest.mark.parametrize("key", instrument_keys())


def nearly(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return pytest.approx(value, abs=1e-12) if number else value


@pytest.mark.parametrize(("key", "example"), EXAMPLES)
def test_a_worked_example_of_a_file_comes_out_as_it_says(key, example):
    scores = score(key, example.items)
    assert {name: scores.values[name] for name in example.scores} == {
        name: nearly(value) for name, value in example.scores.items()
    }
    assert alerts_of(key, example.items, example.earlier) == list(example.alerts)


@every_instrument
def test_an_empty_form_has_no_score_and_every_asked_item_is_open(key):
    instrument = load_instrument(key)
    values = score(key, {}).values.values()
    assert all(value is None or (isinstance(value, list) and set(value) == {None}) for value in values)
    asked = [name for name, item in instrument.items.items() if item.required and not item.asked_when]
    assert instrument.open_items({}) == asked


@every_instrument
def test_labels_are_one_to_three_words_so_that_no_wording_is_shipped(key):
    labels = [item.label for item in load_instrument(key).items.values()]
    assert [label for label in labels if len(label.split()) > 3] == []
    assert len(set(labels)) == len(labels)


@every_instrument
def test_an_answer_out_of_range_is_refused_and_never_clipped(key):
    for name, item in load_instrument(key).items.items():
        for wrong in (item.min - 1, item.max + 1):
            with pytest.raises(ValueError, match=rf"{key} item {name}: .* is {wrong:g}; allowed is {item.min:g} to"):
                score(key, {name: wrong})


@every_instrument
def test_an_item_of_a_frame_out_of_range_is_refused_with_its_row(key):
    name, item = next(iter(load_instrument(key).items.items()))
    frame = pd.DataFrame({name: [item.min, item.max + 1]}, index=["first", "second"])
    with pytest.raises(ValueError, match=rf"{key} item {name} in row 'second': .* is {item.max + 1:g}"):
        score_frame(key, frame)


def test_the_instruments_that_reveal_the_arm_are_marked():
    revealing = {key for key in instrument_keys() if load_instrument(key).arm_revealing}
    assert revealing == {"cadss23", "bprs_positive"}


def test_an_unknown_instrument_is_refused_with_the_known_ones():
    with pytest.raises(UnknownInstrument, match=r"no instrument 'phq8'; there is .*phq9"):
        score("phq8", {"1": 0})


def test_the_two_versions_of_the_pain_questionnaire_differ_in_recall_only():
    week, day = load_instrument("sf_mpq_2"), load_instrument("sf_mpq_2_24h")
    assert (week.items, week.scores) == (day.items, day.scores)
    assert (week.recall, day.recall) == ("past 7 days", "past 24 hours")


def test_codes_that_count_downwards_mean_the_opposite_of_their_score():
    rand36 = load_instrument("rand36")
    assert rand36.direction_of_item("1") == "worse"  # 1 counts 100, 5 counts 0
    assert rand36.direction_of_item("3") == "better"  # 1 counts 0, 3 counts 100
    assert load_instrument("promis29_v21").direction_of_item("1") == "better"
    assert load_instrument("phq9").direction_of_item("1") == "worse"
