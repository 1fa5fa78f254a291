"""Simulating a protocol file on this machine's processors, without a database: the same result, byte for byte."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from analysis.design_simulation.results import result_bytes
from analysis.statistics import simulation as statistics
from studies.protocol import cached_definition

FloatArray = NDArray[np.float64]
Task = tuple[str, str, int, int, int]


def simulate_here(
    text: str,
    *,
    scenarios: Sequence[str],
    trials: int,
    seed: int,
    processes: int,
    progress: Callable[[int, int], object] | None = None,
) -> bytes:
    """The result of a simulation as canonical JSON. text: of the protocol file; processes: 1 or more.

    progress is told how many trials are done, of how many. Raises ValueError as `operating_characteristics` does.
    """
    statistics.require_size(trials, seed)
    definition = cached_definition(text)
    chosen = statistics.several(scenarios)
    models = [statistics.trial_model(definition, each) for each in chosen]
    size = statistics.BLOCK
    tasks = [
        (text, each.label, seed, first, min(size, trials - first))
        for each in chosen
        for first in range(0, trials, size)
    ]
    found: list[FloatArray] = []
    with _workers(processes) as share_out:
        for rows in share_out(_simulated, tasks):
            found.append(rows)
            if progress:
                progress(sum(map(len, found)), trials * len(chosen))
    each_has = len(found) // len(chosen)
    rows_of = [np.concatenate(found[place * each_has : (place + 1) * each_has]) for place in range(len(chosen))]
    return result_bytes(definition, models, rows_of, seed=seed)


@contextmanager
def _workers(processes: int) -> Iterator[Callable[..., Iterator[FloatArray]]]:
    """A `map` over so many processes; one of them is this one."""
    if processes == 1:
        yield map
        return
    # Not forked: threads of the parent's numerical libraries would not survive it.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool.map


def _simulated(task: Task) -> FloatArray:
    text, label, seed, first, count = task
    model = statistics.trial_model(cached_definition(text), statistics.scenario(label))
    return statistics.simulate(model, seed=seed, first=first, count=count)
