"""What holds for every instrument and every response, whatever the answers."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outcomes.scoring import Instrument, Item, Scorer, instrument_keys, load_instrument, score, score_frame
from outcomes.scoring.consistency import score_names

every_instrument = pytest.mark.parametrize("key", instrument_keys())
# Few examples of each of 32 instruments are many of the rules that they share.
few_examples = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


def answers_to(item: Item) -> st.SearchStrategy[float | None]:
    codes = st.sampled_from(sorted(item.counts)) if item.integer else st.floats(item.min, item.max)
    return st.none() | codes | codes  # a third of the answers is missing


@cache
def responses_to(key: str) -> st.SearchStrategy[dict[str, float | None]]:
    return st.fixed_dictionaries({name: answers_to(item) for name, item in load_instrument(key).items.items()})


def as_frame(responses: list[dict[str, float | None]]) -> pd.DataFrame:
    return pd.DataFrame(responses).astype(float)


def plain(value: object) -> object:
    """A cell of a score frame as `score` gives it."""
    if isinstance(value, list):
        return value
    if value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


@every_instrument
@few_examples
@given(data=st.data())
def test_one_response_and_a_frame_are_scored_alike_to_the_last_bit(key, data):
    responses = data.draw(st.lists(responses_to(key), min_size=1, max_size=8))
    frame = score_frame(key, as_frame(responses))
    for row, response in zip(frame.to_dict("records"), responses, strict=True):
        assert {name: plain(value) for name, value in row.items()} == score(key, response).values


@every_instrument
@few_examples
@given(data=st.data())
def test_scores_prorated_or_not_stay_in_the_range_of_the_file(key, data):
    values = score(key, data.draw(responses_to(key))).values
    for name, rule in load_instrument(key).reported_scores().items():
        value = values[name]
        if rule.range is not None and value is not None:
            assert isinstance(value, float)
            assert rule.range[0] - 1e-9 <= value <= rule.range[1] + 1e-9


@every_instrument
@few_examples
@given(data=st.data())
def test_the_order_of_rows_and_columns_does_not_matter(key, data):
    responses = data.draw(st.lists(responses_to(key), min_size=2, max_size=6))
    order = data.draw(st.permutations(range(len(responses))))
    frame = as_frame(responses)
    shuffled = frame.iloc[list(order)][frame.columns[::-1]]
    pd.testing.assert_frame_equal(score_frame(key, shuffled), score_frame(key, frame).iloc[list(order)])


@every_instrument
@few_examples
@given(data=st.data())
def test_an_answer_more_never_silences_an_alert_on_another(key, data):
    response = data.draw(responses_to(key))
    alone = {code for name, value in response.items() for code in score(key, {name: value}).alerts}
    assert {code for code in alone if code != "SUICIDE_ITEM_MISSING"} <= set(score(key, response).alerts)


@every_instrument
def test_every_stored_score_is_a_column_and_a_value(key):
    names = score_names(load_instrument(key).scores)
    assert list(score(key, {}).values) == names
    assert list(score_frame(key, pd.DataFrame({name: [] for name in load_instrument(key).items})).columns) == names


@given(st.integers(-5, 5), st.integers(1, 10), st.data())
def test_reversing_an_item_twice_is_the_identity(low, width, data):
    item = Item(label="Reversed", min=low, max=low + width, reverse=True)
    code = float(data.draw(st.integers(low, low + width)))
    assert item.counted(item.counted(code)) == code


def test_a_frame_longer_than_a_block_keeps_its_rows_and_index():
    rng = np.random.default_rng(3)
    index = np.arange(70_000)[::-1]
    frame = pd.DataFrame({str(i): rng.integers(0, 4, 70_000) for i in range(1, 10)}, index=index)
    scored = score_frame("phq9", frame)
    assert list(scored.index) == list(index)
    assert scored["total"].to_numpy() == pytest.approx(frame.sum(axis=1).to_numpy(dtype=float))


@st.composite
def any_sum(draw: st.DrawFn) -> tuple[Instrument, int, dict[str, float | None]]:
    """An instrument that nobody has written: a sum of items, some reversed, that needs some of them; and answers."""
    size, low, width = draw(st.integers(1, 12)), draw(st.integers(-3, 3)), draw(st.integers(1, 6))
    needed = draw(st.integers(1, size))
    items = {
        str(n): {"label": f"Item {n}", "min": low, "max": low + width, "reverse": draw(st.booleans())}
        for n in range(1, size + 1)
    }
    span = [size * low, size * (low + width)]
    total = {"rule": "sum", "of": list(items), "missing": f"{needed}/{size}", "range": span}
    about: dict[str, Any] = {"key": "any", "version": "1", "scoring_version": "1", "name": "Any", "dimension": "F"}
    about |= {"higher_is": "worse", "recall": "now", "licence": {"class": "PD", "source": "this test"}}
    source = {"says": "everything", "cite": "this test", "evidence": "decision"}
    example = {"says": "nothing", "items": {}, "scores": {}}
    made = Instrument.model_validate(
        about | {"items": items, "scores": {"total": total}, "sources": [source], "examples": [example]}
    )
    return made, needed, {name: draw(answers_to(item)) for name, item in made.items.items()}


@given(any_sum())
@settings(max_examples=60, deadline=None)
def test_prorating_never_leaves_the_range_and_is_the_mean_of_the_answered_times_the_items(case):
    instrument, needed, answers = case
    counted = [
        item.min + item.max - answer if item.reverse else answer
        for name, item in instrument.items.items()
        if (answer := answers[name]) is not None
    ]
    total = Scorer(instrument).score(answers).values["total"]
    if len(counted) < needed:
        assert total is None
        return
    low, high = instrument.scores["total"].range
    assert total == pytest.approx(sum(counted) / len(counted) * len(answers))
    assert low - 1e-9 <= total <= high + 1e-9
