"""docs/validation.md is what `make validate` writes, and still true."""

import re

import pytest

from tests.validation import __main__ as runner
from tests.validation.finding import near, reported
from tests.validation.oracles import BOOKS
from tests.validation.printed import figures
from tests.validation.report import ORACLES, SIMULATIONS, written
from tests.validation.test_oracles import book

FINDINGS = [
    near("coverage", "asked", estimate=0.94, monte_carlo_error=0.01, target=0.95),
    near("bias", "asked", estimate=1.0, monte_carlo_error=0.01, target=0.95),
    reported("power", "asked", estimate=0.9, monte_carlo_error=0.01),
]


@pytest.fixture(scope="module")
def fresh() -> str:
    return written([book(file) for file in BOOKS], figures(), FINDINGS)


@pytest.fixture(scope="module")
def committed() -> str:
    return runner.FILE.read_text(encoding="utf-8")


def without_differences(text: str) -> list[str]:
    """The lines before the simulations, less the column of differences (they depend on the processor's rounding) and
    the count of simulations."""
    before = text[: text.index(SIMULATIONS)].splitlines()
    stripped = [re.sub(r"\| [^|]+ (abs|rel) \| ([^|]+ (abs|rel) \| met)", r"| \2", line) for line in before]
    return [re.sub(r"\d+ figures of simulations.*", "", line) for line in stripped]


def test_the_committed_file_compares_what_a_fresh_run_compares(fresh, committed):
    assert without_differences(committed) == without_differences(fresh)


def test_the_committed_file_holds_nothing_that_is_not_met(committed):
    assert "NOT MET" not in committed
    rows = committed[committed.index(SIMULATIONS) :].splitlines()
    assert sum(line.endswith("| met |") for line in rows) > 50


def test_every_function_of_simulations_has_its_lines_in_the_committed_file(committed):
    # Names of findings begin with their scenario or design; a simulation added since would be missing.
    table = committed[committed.index(SIMULATIONS) :]
    words = (
        "KALM, no effect", "MMRM, n = 60", "MMRM, n = 200", "default: C(28)", "mirror: C(28)", "null_dissociation",
        "null_global", "bootstrap of 400 draws", "difference of D", "half-life ratio", "delta method",
        "BCa, 1,000 draws", "distribution of the product", "interventional", "equal paths", "confounded_mediation",
    )  # fmt: skip
    for word in words:
        assert word in table, word


def test_what_is_not_met_is_said_first_and_in_its_row(fresh):
    assert "2 figures of simulations have a target: 1 NOT MET; 1 more are reported" in fresh
    assert "| bias | asked | 1.0000 | 0.0100 | 0.9500 | NOT MET |" in fresh
    assert fresh.index(ORACLES) < fresh.index(SIMULATIONS)


def test_differences_from_print_are_listed_with_their_reasons():
    differing = {(each.trial, each.name) for each in figures() if not each.same}
    assert ("Ashar 2022", "PRT against usual care: more reduction") in differing
    assert ("Vickers 2004", "its 95 % interval") in differing
    assert all(each.why for each in figures() if not each.same)
    assert sum(each.same for each in figures()) > 20


def test_the_runner_tells_by_its_exit_that_something_is_not_met(monkeypatch, capsys):
    monkeypatch.setattr(runner, "ALL", (simulation_that_misses,))
    assert runner.main(["--only", "misses", "--processes", "1"]) == 1
    assert "NOT MET: bias: 1.0000 +- 0.0100" in capsys.readouterr().out


def simulation_that_misses():
    return FINDINGS[1:2]
