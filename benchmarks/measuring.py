"""Timing a thing and its peer in the same run, so that a busy moment meets both; and its memory, in a process apart."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Line:
    """One measured thing: its time, what it is compared with, and what it is held to (None: only told).

    ratio_limit: at most so many times the peer's time. faster_goal: at least so many times faster than the peer.
    memory_mb: peak of the whole process. told: whatever else there is to say of it.
    """

    what: str
    seconds: float
    peer: str = ""
    peer_seconds: float | None = None
    ratio_limit: float | None = None
    faster_goal: float | None = None
    seconds_limit: float | None = None
    memory_mb: float | None = None
    memory_limit_mb: float | None = None
    told: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.peer_seconds is None else self.seconds / self.peer_seconds

    @property
    def times_faster(self) -> float | None:
        return None if self.peer_seconds is None else self.peer_seconds / self.seconds

    @property
    def held(self) -> bool:
        """Whether it is held to anything."""
        return any(
            limit is not None
            for limit in (self.ratio_limit, self.faster_goal, self.seconds_limit, self.memory_limit_mb)
        )

    @property
    def holds(self) -> bool:
        """Whether it stays within its limits and reaches its goal."""
        kept = [
            self.seconds_limit is None or self.seconds <= self.seconds_limit,
            self.ratio_limit is None or (self.ratio or 0) <= self.ratio_limit,
            self.faster_goal is None or (self.times_faster or 0) >= self.faster_goal,
            self.memory_limit_mb is None or (self.memory_mb or 0) <= self.memory_limit_mb,
        ]
        return all(kept)


def in_turn(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int) -> tuple[float, float]:
    """The median seconds of two calls, made in turn `rounds` times; the first tenth warms up and does not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, taken in zip((ours, theirs), times, strict=True):
            taken.append(timed(call))
    skipped = rounds // 10
    return statistics.median(times[0][skipped:]), statistics.median(times[1][skipped:])


def alone(call: Callable[[], object], *, rounds: int) -> float:
    """The median seconds of a call; the first one warms up and does not count."""
    call()
    return statistics.median(timed(call) for _ in range(rounds))


def best(call: Callable[[], object], *, rounds: int) -> float:
    """The least seconds of a call: on a busy machine the one that was disturbed least."""
    return min(timed(call) for _ in range(rounds))


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


@dataclass(frozen=True)
class Apart:
    """What a call took in a process of its own: seconds on the clock, seconds of processor, peak memory in MB."""

    seconds: float
    processor: float
    mb: float


def apart(target: str, *, rounds: int, **arguments: Any) -> Apart:
    """The least of a call in a process of its own.

    target: "module:function", which takes the arguments and returns the call to be timed.
    """
    command = (sys.executable, "-m", "benchmarks.apart", target, str(rounds), json.dumps(arguments))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{target} failed:\n{done.stderr}")
    return Apart(**json.loads(done.stdout.splitlines()[-1]))
