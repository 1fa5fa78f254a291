"""Scoring 1,000,000 responses, with checks and missing answers, against bare sums of the same array."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.measuring import Line, in_turn
from outcomes.scoring import load_instrument, score_frame

RESPONSES = 1_000_000
MISSING = 0.02
SEED = 20261124


def measure(rounds: int = 3) -> Iterator[Line]:
    """Each instrument once: a sum with bands, and a form of several scales."""
    for key in ("phq9", "bpi_sf"):
        frame = _answers(key)
        values = frame.to_numpy()
        ours, theirs = in_turn(
            lambda key=key, frame=frame: score_frame(key, frame),
            lambda values=values: np.nansum(values, axis=1),
            rounds=rounds,
        )
        yield Line(f"score {RESPONSES:,} responses: {key}", ours, "one nansum over all items", theirs)


def _answers(key: str) -> pd.DataFrame:
    rng = np.random.default_rng(SEED)
    columns = {}
    for name, item in load_instrument(key).items.items():
        allowed = np.arange(item.min, item.max + 1, item.step or 1)
        answers = rng.choice(allowed, size=RESPONSES)
        answers[rng.random(RESPONSES) < MISSING] = np.nan
        columns[name] = answers
    return pd.DataFrame(columns)
