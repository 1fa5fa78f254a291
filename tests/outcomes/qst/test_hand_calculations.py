"""docs/qst.md works every number out by hand; the code must agree with each of its tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes.qst import PARAMETERS, aggregate, composite, profile, z_score
from tests.outcomes.qst.oracle import PERSON, session_readings, value_of

DOCUMENT = (Path(__file__).parents[3] / "docs" / "qst.md").read_text(encoding="utf-8")


def rows_of_table(head: str) -> list[list[str]]:
    """The rows of the table whose head starts with a text."""
    lines = DOCUMENT.split(head)[1].splitlines()[2:]
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
