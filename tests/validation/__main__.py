"""`make validate`: compare every reference number, run every simulation in two processes, write docs/validation.md.

Exits with 1 when something is not met.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.validation import simulations, simulations_dissociation, simulations_mediation
from tests.validation.finding import Finding, Simulation
from tests.validation.oracles import BOOKS
from tests.validation.printed import figures
from tests.validation.reference import Book
from tests.validation.report import verdict, written

FILE = Path(__file__).parents[2] / "docs" / "validation.md"
# Those that take longest begin first, so that both processes end together.
ALL: tuple[Simulation, ...] = (
    *simulations_dissociation.SIMULATIONS,
    *simulations.SIMULATIONS,
    *simulations_mediation.SIMULATIONS,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all, or with --only the simulations whose names hold a word; those write no file."""
    parser = argparse.ArgumentParser(prog="make validate", description=__doc__)
    parser.add_argument("--processes", type=int, default=2, help="processes for the simulations (2)")
    parser.add_argument("--only", default="", help="simulations whose names hold this, shown and not written")
    asked = parser.parse_args(arguments)
    begun = time.monotonic()
    chosen = [each for each in ALL if asked.only in _name(each)]
    books = [] if asked.only else compared(begun)
    findings = simulated(chosen, asked.processes, begun)
    if asked.only:
        for each in findings:
            _say(begun, f"{each.verdict}: {each.name}: {each.estimate:.4f} +- {each.monte_carlo_error:.4f}")
    else:
        FILE.write_text(written(books, figures(), findings), encoding="utf-8")
        _say(begun, f"wrote {FILE.relative_to(FILE.parents[1])}: {verdict(books, findings).strip()}")
    return int(not _all_met(books, findings))


def compared(begun: float) -> list[Book]:
    """Every file of reference numbers."""
    books = []
    for file, compare in BOOKS.items():
        book = compare()
        missed = sum(not each.met for each in book.comparisons)
        _say(begun, f"{file}: {len(book.comparisons):,} numbers, {f'{missed} NOT MET' if missed else 'all met'}")
        books.append(book)
    return books


def simulated(chosen: Sequence[Simulation], processes: int, begun: float) -> list[Finding]:
    """Every simulation, in the order of the list, however they end."""
    found: dict[str, list[Finding]] = {}
    with ProcessPoolExecutor(processes) as pool:
        running: dict[Future[list[Finding]], str] = {pool.submit(each): _name(each) for each in chosen}
        for done in as_completed(running):
            found[running[done]] = done.result()
            _say(begun, f"{running[done]} ({len(found)} of {len(chosen)})")
            for each in done.result():
                if each.verdict == "NOT MET":
                    _say(begun, f"  NOT MET: {each.name}: {each.estimate:.4f} +- {each.monte_carlo_error:.4f}")
    return [finding for each in chosen for finding in found[_name(each)]]


def _name(simulation: Simulation) -> str:
    return f"{simulation.__module__.rsplit('.', 1)[-1]}.{getattr(simulation, '__name__', 'simulation')}"


def _all_met(books: Sequence[Book], findings: Sequence[Finding]) -> bool:
    comparisons = (each for book in books for each in book.comparisons)
    return all(each.met for each in comparisons) and all(each.verdict != "NOT MET" for each in findings)


def _say(begun: float, words: str) -> None:
    sys.stdout.write(f"{time.monotonic() - begun:7.0f} s  {words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
