"""Medians of repeated runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median


def seconds(work: Callable[[], object], *, times: int) -> float:
    """The median of so many runs, after one that warms up."""
    work()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return median(taken)


def alternately(works: dict[str, Callable[[], object]], *, times: int) -> dict[str, float]:
    """Medians of several pieces of work, run in turn so that a busy moment meets all of them."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for round_ in range(times + 1):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            if round_:
                taken[name].append(time.perf_counter() - begun)
    return {name: median(each) for name, each in taken.items()}
