"""What was measured, as lines on the screen and as docs/speed.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.measuring import Line

_ABOUT = """# Speed

What `make bench` measured, each thing beside its peer in the same run. Generated, never typed by hand:

```
make bench BENCH_ARGS="{parts}--write docs/speed.md"
```

{machine}. Times on a shared machine are what they are; trust the ratios. A goal or limit is marked kept or NOT KEPT.

* **ours** is the least or the median of several runs, and so is the peer; `gls` is run once at 500 x 8.
* **nlme::gls** fits the same model: its log-likelihood must agree with ours to four decimals before its time counts.
  **MixedLM** can only do compound symmetry. **R's mmrm** cannot be installed from Debian: its
  times are quoted, and ours beside them are seconds of processor.
* **memory** is the peak of the whole process, Python and its libraries included (150 MB before anything is done).
* A **look** is both sides at once, from the files of the cut to the sealed bytes, without the plan's resampling
  sensitivity analyses. Its time is that of the slower side, in seconds of processor: what two free ones would take.

| what | ours | peer | ratio | goal | memory | |
|---|--:|--:|--:|---|--:|---|
"""


def machine() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}, {_processors()} processors"


def describe(line: Line) -> str:
    """One line: what, how long, against what, and whether the limit is kept."""
    told = f"{line.what:<72} {milliseconds(line.seconds):>12}"
    if line.peer_seconds is not None:
        told += f"   {_ratio(line)} {line.peer} ({milliseconds(line.peer_seconds)})"
    if line.held:
        told += f"   {_goal(line)}: {kept(line)}"
    if line.memory_mb is not None:
        told += f"   {line.memory_mb:.0f} MB"
    return told + (f"   {line.told}" if line.told else "")


def markdown(lines: Sequence[Line], parts: Sequence[str]) -> str:
    """The whole of docs/speed.md. parts: those that were asked for, none for all."""
    rows = "".join(f"| {' | '.join(_cells(line))} |\n" for line in lines)
    day = datetime.now(UTC).date()
    about = _ABOUT.format(machine=f"{machine()}, {day:%d %b %Y}", parts="".join(f"{part} " for part in parts))
    return about + rows


def kept(line: Line) -> str:
    return "kept" if line.holds else "NOT KEPT"


def milliseconds(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds >= 10 else f"{seconds * 1000:,.2f} ms"


def _cells(line: Line) -> tuple[str, ...]:
    peer = f"{line.peer}: {milliseconds(line.peer_seconds)}" if line.peer_seconds is not None else ""
    return (
        line.what,
        milliseconds(line.seconds),
        peer,
        _ratio(line) if peer else "",
        f"{_goal(line)}: {kept(line)}" if line.held else "",
        f"{line.memory_mb:.0f} MB" if line.memory_mb is not None else "",
        line.told,
    )


def _ratio(line: Line) -> str:
    """How ours stands to the peer, in the direction that its goal is told in."""
    if line.ratio is None or line.times_faster is None:
        return ""
    if line.ratio_limit is not None or line.ratio > 1:
        return f"{line.ratio:.1f} x"
    return f"{line.times_faster:,.0f} times faster than"


def _goal(line: Line) -> str:
    goals = []
    if line.faster_goal is not None:
        goals.append(f"{line.faster_goal:g} times faster")
    if line.ratio_limit is not None:
        goals.append(f"at most {line.ratio_limit:g} x")
    if line.seconds_limit is not None:
        goals.append(f"at most {milliseconds(line.seconds_limit)}")
    if line.memory_limit_mb is not None:
        goals.append(f"at most {line.memory_limit_mb:g} MB")
    return ", ".join(goals)


def _processors() -> int:
    return os.cpu_count() or 1
