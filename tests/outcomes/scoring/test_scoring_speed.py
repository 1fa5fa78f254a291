"""Scoring keeps up with entry and with whole trials. The limits are requirements, several times what it takes."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from outcomes.scoring import score, score_frame


def test_one_response_of_20_items_costs_well_below_a_third_of_a_millisecond():
    answers = {str(i): 3 for i in range(1, 21)}
    score("panas", answers)
    times = []
    for _ in range(300):
        start = time.perf_counter()
        score("panas", answers)
        times.append(time.perf_counter() - start)
    assert sorted(times)[150] < 0.1e-3


def test_a_million_responses_of_20_items_take_less_than_five_seconds():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.integers(1, 6, (1_000_000, 20)), columns=[str(i) for i in range(1, 21)])
    start = time.perf_counter()
    scores = score_frame("panas", frame)
    assert time.perf_counter() - start < 5
    assert len(scores) == 1_000_000
