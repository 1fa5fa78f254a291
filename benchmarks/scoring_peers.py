"""Scoring 1,000,000 responses of 20 items: ours, plain pandas, and row by row in Python, in the same run.

All three give the two sums of the PANAS (10 items each, at least 8 answered, prorated). Ours also refuses what is not
allowed, tells row and item, and orders bands; the peers only compute.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.measuring import Line, in_turn
from outcomes.scoring import score, score_frame

RESPONSES = 1_000_000
BY_ROW = 20_000  # row by row takes minutes for a million: so many are timed, and counted up
MISSING = 0.02
SEED = 20261124
LIMIT = 5.0  # seconds
SCALES = {
    "positive": [str(item) for item in (1, 3, 5, 9, 10, 12, 14, 16, 17, 19)],
    "negative": [str(item) for item in (2, 4, 6, 7, 8, 11, 13, 15, 18, 20)],
}
NEEDED = 8


def measure(rounds: int = 3) -> Iterator[Line]:
    """Our frame against plain pandas and against a loop over the rows; and one response at entry."""
    frame = _answers()
    few = frame.iloc[:BY_ROW]
    rows = [{str(name): value for name, value in row.items()} for row in few.replace({np.nan: None}).to_dict("records")]
    _refuse_disagreement(few, rows)
    ours, pandas_ = in_turn(lambda: score_frame("panas", frame), lambda: with_pandas(frame), rounds=rounds)
    _, looped = in_turn(lambda: None, lambda: by_row(rows), rounds=rounds)
    by_million = looped * RESPONSES / BY_ROW
    what = f"score {RESPONSES:,} responses of 20 items"
    told = f"{RESPONSES / ours:,.0f} responses a second"
    yield Line(what, ours, "plain pandas", pandas_, seconds_limit=LIMIT, told=told)
    yield Line(what, ours, f"row by row in Python, {BY_ROW:,} rows counted up", by_million)
    entry, loop = in_turn(
        lambda: [score("panas", row) for row in rows[:1000]], lambda: by_row(rows[:1000]), rounds=rounds
    )
    yield Line("score 1,000 responses one at a time, as at entry", entry, "row by row in Python", loop)


def with_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    """The same two scores as anybody writes them with pandas."""
    scores = {}
    for name, items in SCALES.items():
        answers = frame[items]
        scores[name] = (answers.mean(axis=1) * len(items)).where(answers.count(axis=1) >= NEEDED)
    return pd.DataFrame(scores)


def by_row(rows: list[dict[str, float | None]]) -> list[dict[str, float | None]]:
    """The same two scores in a loop over dictionaries."""
    scored = []
    for row in rows:
        scores: dict[str, float | None] = {}
        for name, items in SCALES.items():
            answered = [answer for item in items if (answer := row[item]) is not None]
            enough = len(answered) >= NEEDED
            scores[name] = sum(answered) / len(answered) * len(items) if enough else None
        scored.append(scores)
    return scored


def _answers() -> pd.DataFrame:
    rng = np.random.default_rng(SEED)
    answers = rng.integers(1, 6, (RESPONSES, 20)).astype(float)
    answers[rng.random(answers.shape) < MISSING] = np.nan
    return pd.DataFrame(answers, columns=[str(item) for item in range(1, 21)])


def _refuse_disagreement(few: pd.DataFrame, rows: list[dict[str, float | None]]) -> None:
    """What is timed must compute the same."""
    ours = score_frame("panas", few)[list(SCALES)].to_numpy()
    looped = pd.DataFrame(by_row(rows)).to_numpy(dtype=float)
    if not (np.allclose(ours, with_pandas(few), equal_nan=True) and np.allclose(ours, looped, equal_nan=True)):
        raise RuntimeError("The three ways of scoring do not agree.")
