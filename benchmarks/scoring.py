"""Scoring 1,000,000 responses against bare sums of the same array; and the forms of simulated trials, shared out."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd

from benchmarks.measuring import Line, best, in_turn
from outcomes.scoring import load_instrument, score_frame

RESPONSES = 1_000_000
MISSING = 0.02
SEED = 20261124
# A simulated trial of the demo's size: each of these forms at each visit.
PARTICIPANTS, VISITS, TRIALS = 168, 8, 40
FORMS = ("phq9", "bpi_sf", "sf_mpq_2", "pcs", "madrs")
WORKERS = (1, 2, 4)


def measure(rounds: int = 3) -> Iterator[Line]:
    """Each instrument once, a sum with bands and a form of several scales; then simulated trials over workers."""
    for key in ("phq9", "bpi_sf"):
        frame = _answers(key, RESPONSES, SEED)
        values = frame.to_numpy()
        ours, theirs = in_turn(
            lambda key=key, frame=frame: score_frame(key, frame),
            lambda values=values: np.nansum(values, axis=1),
            rounds=rounds,
        )
        yield Line(f"score {RESPONSES:,} responses: {key}", ours, "one nansum over all items", theirs)
    yield from _shared_out()


def _shared_out() -> Iterator[Line]:
    forms, first = TRIALS * PARTICIPANTS * VISITS * len(FORMS), None
    for workers in WORKERS:
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            list(pool.map(_score_trial, range(2 * workers)))
            seconds = best(lambda pool=pool: list(pool.map(_score_trial, range(TRIALS))), rounds=2)
        first = first or seconds
        yield Line(
            f"score {forms:,} forms of {TRIALS} simulated trials over {workers} worker{'s' if workers > 1 else ''}",
            seconds,
            told=f"{forms / seconds:,.0f} forms a second, {first / seconds:.2f} times one worker",
        )


def _score_trial(trial: int) -> None:
    for place, key in enumerate(FORMS):
        score_frame(key, _answers(key, PARTICIPANTS * VISITS, SEED + trial * len(FORMS) + place))


def _answers(key: str, responses: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {}
    for name, item in load_instrument(key).items.items():
        allowed = np.arange(item.min, item.max + 1, item.step or 1)
        answers = rng.choice(allowed, size=responses).astype(float)
        answers[rng.random(responses) < MISSING] = np.nan
        columns[name] = answers
    return pd.DataFrame(columns)
