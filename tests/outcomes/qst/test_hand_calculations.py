"""docs/qst.md works every number out by hand; the code must agree with each of its tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes.qst import (
    PARAMETERS,
    CpmMethod,
    Reading,
    aggregate,
    composite,
    in_unit_of_parameter,
    modulation_values,
    profile,
    side_difference,
    standardised_change,
    z_score,
)
from tests.outcomes.qst.oracle import PERSON, session_readings, value_of

DOCS = Path(__file__).parents[3] / "docs"
DOCUMENT = (DOCS / "qst.md").read_text(encoding="utf-8")
IMPORTING = (DOCS / "qst-import.md").read_text(encoding="utf-8")


def rows_of_table(head: str, document: str = DOCUMENT) -> list[list[str]]:
    """The rows of the table whose head starts with a text."""
    lines = document.split(head)[1].splitlines()[2:]
    end = next(k for k, line in enumerate(lines) if not line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:end]]


VALUES = {row[0]: float(row[4]) for row in rows_of_table("| parameter | unit |")}
Z = {row[0]: [float(cell) for cell in row[1:]] for row in rows_of_table("| parameter | t(value) |")}


def test_the_document_works_out_every_parameter():
    assert list(VALUES) == list(PARAMETERS)
    assert list(Z) == [code for code, parameter in PARAMETERS.items() if parameter.gain_sign]


@pytest.mark.parametrize("code", VALUES)
def test_a_value_agrees_with_its_hand_calculation(code):
    assert aggregate(session_readings())[code].value == pytest.approx(VALUES[code], abs=5e-7)


@pytest.mark.parametrize("code", Z)
def test_a_z_score_agrees_with_its_hand_calculation(code):
    transformed, mean, sd, sign, z = Z[code]
    assert z == pytest.approx(sign * (transformed - mean) / sd, abs=6e-6)
    assert z_score(code, value_of(code), **PERSON).z == pytest.approx(z, abs=6e-7)


def test_profile_and_composite_agree_with_the_document():
    z = {code: z_score(code, value_of(code), **PERSON).z for code in Z}
    allodynia = aggregate(session_readings())["DMA"].present
    assert f"**{profile(z, allodynia=allodynia).code}**" in DOCUMENT
    assert f"**{composite(z):.6f}**" in DOCUMENT


SIDES = rows_of_table("| parameter | test | control |")
CHANGES = rows_of_table("| parameter | before | after |")
MODULATION_ROWS = rows_of_table("| test stimulus |")
TRAINS = rows_of_table("| ratings |")
UNITS = rows_of_table("| parameter | in the file |", IMPORTING)


@pytest.mark.parametrize("row", SIDES, ids=lambda row: row[0])
def test_a_side_difference_agrees_with_its_hand_calculation(row):
    code, test, control, d, dz, limit, differ = row
    found = side_difference(code, float(test), float(control), **PERSON)
    assert found.difference == pytest.approx(float(d), abs=6e-7)
    assert found.dz == pytest.approx(float(dz), abs=6e-6)
    assert found.abnormal is (differ == "yes") is (abs(float(d)) > float(limit))


@pytest.mark.parametrize("row", CHANGES, ids=lambda row: row[0])
def test_a_change_within_the_trial_agrees_with_its_hand_calculation(row):
    code, before, after, sd, by_hand, change = row
    found = standardised_change(code, float(before), float(after), baseline_sd=float(sd))
    assert found == pytest.approx(float(change), abs=6e-7)
    assert evaluated(by_hand) == pytest.approx(float(change), abs=1e-5)


@pytest.mark.parametrize("row", MODULATION_ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_conditioned_pain_modulation_agrees_with_its_hand_calculation(row):
    stimulus, before, conditioned, by_hand, effect, percent = row
    readings = [
        Reading("CPM", number, float(value), direction)
        for direction, values in (("before", before), ("after", conditioned))
        for number, value in enumerate(values.split(","), 1)
    ]
    found = modulation_values(readings, CpmMethod(stimulus, "sequential"))
    assert found["cpm_effect"].value == pytest.approx(float(effect))
    assert found["cpm_percent"].value == pytest.approx(float(percent), abs=5e-7)
    first, second = (evaluated(part) for part in by_hand.split(";"))
    assert (first, second) == (pytest.approx(float(effect)), pytest.approx(float(percent), abs=5e-7))


@pytest.mark.parametrize("row", TRAINS, ids=lambda row: row[0])
def test_temporal_summation_agrees_with_its_hand_calculation(row):
    ratings, last, highest = row
    readings = [Reading("TS", number, float(value)) for number, value in enumerate(ratings.split(","), 1)]
    found = modulation_values(readings, None)
    for name, told in (("ts_last_minus_first", last), ("ts_highest_minus_first", highest)):
        by_hand, result = told.split(" = ")
        assert found[name].value == float(result) == evaluated(by_hand)


@pytest.mark.parametrize("row", UNITS, ids=lambda row: f"{row[0]} {row[2]}")
def test_a_unit_of_the_document_is_converted_as_it_says(row):
    parameter, value, unit, kept = row
    assert in_unit_of_parameter(parameter, float(value), unit) == pytest.approx(float(kept), abs=5e-5)


def evaluated(arithmetic: str) -> float:
    """The value of arithmetic as the document writes it: numbers, brackets, and x for times."""
    plain = arithmetic.replace(" x ", "*")
    assert set(plain) <= set("0123456789.+-*/() ")
    return float(eval(plain, {"__builtins__": {}}))  # noqa: S307 - numbers and signs only, as asserted
