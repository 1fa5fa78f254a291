"""Telling somebody who waits what goes on, with the seconds it took."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_EVERY = 15.0  # seconds, where the output is not a terminal


@contextmanager
def step(label: str, detail: Callable[[], str] = str) -> Iterator[None]:
    """Print `label`, count the seconds while the block runs, and how many it took in the end.

    `detail` gives the latest word about the work, shown beside the seconds on a terminal.
    """
    begun = time.monotonic()
    done = threading.Event()
    ticker = threading.Thread(target=_tick, args=(label, begun, done, detail), daemon=True)
    ticker.start()
    mark = "failed"
    try:
        yield
        mark = ""
    finally:
        done.set()
        ticker.join()
        _write(f"{_clear()}  {label:<58}{time.monotonic() - begun:6.1f} s  {mark}".rstrip() + "\n")


def _tick(label: str, begun: float, done: threading.Event, detail: Callable[[], str]) -> None:
    terminal = sys.stdout.isatty()
    while not done.wait(1.0 if terminal else LINE_EVERY):
        seconds = time.monotonic() - begun
        if terminal:
            _write(f"{_clear()}  {label:<58}{seconds:6.0f} s  {detail()[:40]}")
        else:
            _write(f"  {label} ... {seconds:.0f} s {detail()[:60]}".rstrip() + "\n")


def _clear() -> str:
    return "\r\x1b[K" if sys.stdout.isatty() else ""


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
