"""Timing two ways of doing the same thing in turn, so that a busy moment meets both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One measured thing: its median, what it is compared with, and the limit it is held to (None: only told)."""

    what: str
    seconds: float
    peer: str = ""
    peer_seconds: float | None = None
    ratio_limit: float | None = None
    seconds_limit: float | None = None

    @property
    def ratio(self) -> float | None:
        return None if self.peer_seconds is None else self.seconds / self.peer_seconds

    @property
    def holds(self) -> bool:
        """Whether it stays within its limits."""
        within = self.seconds_limit is None or self.seconds <= self.seconds_limit
        return within and (self.ratio_limit is None or (self.ratio or 0) <= self.ratio_limit)


def in_turn(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int) -> tuple[float, float]:
    """The median seconds of two calls, made in turn `rounds` times; the first tenth warms up and does not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, taken in zip((ours, theirs), times, strict=True):
            began = time.perf_counter()
            call()
            taken.append(time.perf_counter() - began)
    skipped = rounds // 10
    return statistics.median(times[0][skipped:]), statistics.median(times[1][skipped:])


def alone(call: Callable[[], object], *, rounds: int) -> float:
    """The median seconds of a call; the first one warms up and does not count."""
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])
