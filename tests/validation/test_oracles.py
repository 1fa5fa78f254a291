"""Every reference number is met within its tolerance, and none is passed over.

Oracles: the files in tests/data/oracles; tests/data/PROVENANCE.md says whose numbers they are.
"""

from functools import cache

import pytest

from tests.validation.oracles import BOOKS
from tests.validation.reference import FOLDER, Book, as_text

FILES = pytest.mark.parametrize("file", BOOKS)


@cache
def book(file: str) -> Book:
    return BOOKS[file]()


def test_every_file_of_reference_numbers_is_compared():
    # simulation_truth.json repeats parts of domain_arithmetic.json for the tests of the simulation.
    assert {path.name for path in FOLDER.glob("*.json")} == {*BOOKS, "simulation_truth.json"}


@FILES
def test_every_number_is_met_within_its_tolerance(file):
    missed = [(as_text(each.place), each.difference, each.tolerance) for each in book(file).comparisons if not each.met]
    assert missed == []


@FILES
def test_no_number_is_passed_over(file):
    assert book(file).uncompared() == []
    assert book(file).useless_patterns() == []


@FILES
def test_every_case_is_compared(file):
    compared = {each.place[:2] for each in book(file).comparisons}
    whole = book(file)
    for place in whole.numbers().values():
        if place[0] == "cases":
            # A questionnaire that is not scored because of what is missing has no number to compare.
            scored = file != "instrument_scoring.json" or _has_number(whole["cases"][place[1]].value["expected"])
            assert place[:2] in compared or not scored, place


def _has_number(value: object) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return isinstance(value, int | float) or any(_has_number(part) for part in parts)


def test_a_wrong_number_is_told_with_its_place():
    # The comparison itself: one number moved by ten tolerances must be missed, and only it.
    whole = BOOKS["blinding.json"]()
    entry = whole["cases"][0]["james"]["se"]
    measure = whole.comparisons[0].measure
    entry.check(measure, entry.value + 1e-7, abs=1e-8)
    assert [as_text(each.place) for each in whole.comparisons if not each.met] == ["cases/0/james/se"]
    whole["cases"][0]["james"]["estimate"].check(measure, float("nan"), abs=1e-8)
    assert not whole.comparisons[-1].met


def test_a_number_nobody_compared_is_told():
    whole = Book("blinding.json", inputs=("cases/*/counts/*",))
    assert "cases/0/james/estimate" in whole.uncompared()
    assert Book("blinding.json", inputs=("nothing/*",)).useless_patterns() == ["nothing/*"]
