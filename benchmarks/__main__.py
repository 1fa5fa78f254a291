"""`make bench`: what the README says about speed, each with its peer in the same run.

    python -m trialsite.services run -- python -m benchmarks [PART ...] [--write docs/speed.md]

Parts: models, designs, look, scoring (no trial is needed), site (forms, pages, export, on the demo trial). Exit 1
when a limit is not kept. On a folder in memory commits do not wait for a disk, for either side, which makes the ratio
of saving a form the harder one to keep.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import django

from benchmarks.measuring import Line
from benchmarks.report import describe, machine, markdown


def main() -> int:
    """Measure, print; the exit code."""
    arguments = _arguments()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trialsite.settings")
    print(machine())
    lines = []
    for part in arguments.parts or PARTS:
        for line in PARTS[part]():
            lines.append(line)
            print(describe(line), flush=True)
    if arguments.write:
        arguments.write.write_text(markdown(lines, arguments.parts), encoding="utf-8")
    broken = sum(not line.holds for line in lines)
    print(f"bench: {broken} limits NOT KEPT" if broken else "bench: all limits kept")
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all of them without any")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table as Markdown")
    found = parser.parse_args()
    if unknown := set(found.parts) - set(PARTS):
        parser.error(f"There is no part {', '.join(sorted(unknown))}; choose of {', '.join(PARTS)}.")
    return found


def _models() -> Iterator[Line]:
    from benchmarks import repeated_measures  # noqa: PLC0415 - SciPy, only where it is measured

    yield from repeated_measures.measure()


def _designs() -> Iterator[Line]:
    from benchmarks import designs  # noqa: PLC0415 - SciPy, only where it is measured

    yield from designs.measure()


def _look() -> Iterator[Line]:
    django.setup()
    from benchmarks import look  # noqa: PLC0415 - models need a set-up Django

    yield from look.measure()


def _scoring() -> Iterator[Line]:
    from benchmarks import scoring, scoring_peers  # noqa: PLC0415 - only where it is measured

    yield from scoring_peers.measure()
    yield from scoring.measure()


def _site() -> Iterator[Line]:
    from benchmarks.trial import make_trial  # noqa: PLC0415 - only where it is measured

    make_trial()
    django.setup()
    logging.disable(logging.WARNING)
    from benchmarks import export, forms, pages  # noqa: PLC0415 - models need a set-up Django

    yield forms.measure()
    yield from pages.measure()
    yield export.measure()


PARTS: dict[str, Callable[[], Iterator[Line]]] = {
    "models": _models,
    "designs": _designs,
    "look": _look,
    "scoring": _scoring,
    "site": _site,
}

if __name__ == "__main__":
    sys.exit(main())
