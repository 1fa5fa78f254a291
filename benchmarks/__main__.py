"""`make bench`: what the README says about speed, each with its peer in the same run.

    python -m trialsite.services run -- python -m benchmarks

Medians; our way and its peer in turn. Exit 1 when a limit is not kept. On a folder in memory commits do not wait
for a disk, for either side, which makes the ratio of saving a form the harder one to keep.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator

import django


def main() -> int:
    """Make the trial, measure, print; the exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trialsite.settings")
    from benchmarks.trial import make_trial

    make_trial()
    django.setup()
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} processors")
    kept = True
    for line in lines():
        kept = kept and line.holds
        print(describe(line), flush=True)
    print("bench: all limits kept" if kept else "bench: a limit was NOT kept")
    return 0 if kept else 1


def lines() -> Iterator["Line"]:
    from benchmarks import export, forms, pages, scoring

    yield forms.measure()
    yield from pages.measure()
    yield export.measure()
    yield from scoring.measure()


def describe(line: "Line") -> str:
    """One line: what, how long, against what, and whether the limit is kept."""
    told = f"{line.what:<48} {line.seconds * 1000:>9.1f} ms"
    if line.ratio is not None and line.peer_seconds is not None:
        told += f"   {line.ratio:.1f} x {line.peer} ({line.peer_seconds * 1000:.1f} ms)"
    limit = line.ratio_limit and f"{line.ratio_limit:g} x" or line.seconds_limit and f"{line.seconds_limit * 1000:g} ms"
    return told + (f"   limit {limit}: {'kept' if line.holds else 'NOT KEPT'}" if limit else "")


if __name__ == "__main__":
    sys.exit(main())
