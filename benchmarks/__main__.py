"""`make bench`: what the README says about speed, each with its peer in the same run.

    python -m trialsite.services run -- python -m benchmarks

Medians; our way and its peer in turn. Exit 1 when a limit is not kept. On a folder in memory commits do not wait
for a disk, for either side, which makes the ratio of saving a form the harder one to keep.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
from collections.abc import Iterator

import django

from benchmarks.measuring import Line
from benchmarks.trial import make_trial


def main() -> int:
    """Make the trial, measure, print; the exit code."""
    make_trial()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trialsite.settings")
    django.setup()
    logging.disable(logging.WARNING)
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} processors")
    broken = 0
    for line in lines():
        broken += not line.holds
        print(describe(line), flush=True)
    print(f"bench: {broken} limits NOT KEPT" if broken else "bench: all limits kept")
    return 1 if broken else 0


def lines() -> Iterator[Line]:
    """Everything that is measured, one after the other."""
    from benchmarks import export, forms, pages, scoring, statistics  # noqa: PLC0415 - models need a set-up Django

    yield forms.measure()
    yield from pages.measure()
    yield export.measure()
    yield from scoring.measure()
    yield from statistics.measure()


def describe(line: Line) -> str:
    """One line: what, how long, against what, and whether the limit is kept."""
    told = f"{line.what:<48} {line.seconds * 1000:>9.1f} ms"
    if line.ratio is not None and line.peer_seconds is not None:
        told += f"   {line.ratio:.1f} x {line.peer} ({line.peer_seconds * 1000:.1f} ms)"
    if line.ratio_limit is not None:
        told += f"   limit {line.ratio_limit:g} x: {kept(line)}"
    if line.seconds_limit is not None:
        told += f"   limit {line.seconds_limit * 1000:g} ms: {kept(line)}"
    return told


def kept(line: Line) -> str:
    return "kept" if line.holds else "NOT KEPT"


if __name__ == "__main__":
    sys.exit(main())
