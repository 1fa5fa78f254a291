"""A laboratory's file, read without a database: what is taken, and everything that is not, at its row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcomes.concentrations.columns import Columns
from outcomes.concentrations.rows import Sample, read_rows
from outcomes.imports.refusals import ImportRefused
from tests.outcomes.concentrations.infused import HEADER, laboratory_csv, profile

LINE = ["P1", "ketamine", "60", "61.5", "140.5", "ng/mL", "1.0"]
NAMES = HEADER.split(",")


def read(content: bytes, columns: Columns | None = None) -> list[Sample]:
    return read_rows(content, name="lab.csv", columns=columns or Columns())[1]


def refused(content: bytes, columns: Columns | None = None) -> list[tuple[int, str, str]]:
    with pytest.raises(ImportRefused) as error:
        read(content, columns)
    return [(each.row, each.column, each.why) for each in error.value.refusals]


def test_a_row_becomes_a_sample_under_any_name_of_its_columns_and_any_separator():
    wanted = [Sample(2, "P1", "hydroxynorketamine", 60, 61.5, 140.5, 1.0)]
    lines = [HEADER, "P1,HNK,60,61.5,140.5,NG/ML,1.0"]
    for separator in (",", ";", "\t"):
        assert read("\n".join(lines).replace(",", separator).encode()) == wanted
    assert read(("\ufeff" + "\r\n".join(lines)).encode()) == wanted
    renamed = "\n".join(["Subject;Compound;Tnom;Tact;Conc;U;LLOQ", lines[1].replace(",", ";")]).encode()
    assert read(renamed, Columns("Subject", "Compound", "Tnom", "Tact", "Conc", "U", "LLOQ")) == wanted


@pytest.mark.parametrize("text", ["<1.0", "< 1", "BLQ", "blq", "BLOQ", "<LLOQ", "< lloq"])
def test_below_the_limit_is_no_number_and_not_0(text: str):
    assert [each.value for each in read(laboratory_csv(profile("P1", {60: text})))] == [None]


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("participant", "", "No participant"),
        ("analyte", "esketamine", "No such analyte"),
        ("nominal_minute", "1 h", "minutes from the start"),
        ("nominal_minute", "60.5", "whole number"),
        ("nominal_minute", "90000", "between -1440 and 50000"),
        ("actual_minute", "-3", "before the infusion started"),
        ("actual_minute", "0", "before the infusion started"),
        ("concentration", "12,3", "decimal point"),
        ("concentration", "-4.1", "not negative"),
        ("concentration", "0.4", "below the limit of 1"),
        ("concentration", "0", "below the limit of 1"),
        ("concentration", "", "There is no result"),
        ("concentration", "<5.0", "not the lower limit"),
        ("concentration", "NaN", "no number"),
        ("concentration", "1e3", "no number"),
        ("concentration", "Infinity", "no number"),
        ("unit", "ug/L", "ng/mL"),
        ("unit", "nmol/L", "ng/mL"),
        ("unit", "", "ng/mL"),
        ("lloq", "0", "above 0"),
        ("lloq", "", "no result"),
    ],
)
def test_a_cell_that_cannot_be_taken_is_told_with_its_row_and_column(column: str, value: str, why: str):
    cells = [value if name == column else cell for name, cell in zip(NAMES, LINE, strict=True)]
    content = "\n".join([HEADER.replace(",", ";"), ";".join(cells), ";".join(["P2", *LINE[1:]])]).encode()
    [(row, met, told)] = refused(content)
    assert (row, met) == (2, column)
    assert why in told


def test_every_row_that_is_wrong_is_told_at_once():
    """The same sample twice, one drawn before the one before it, a second before the infusion, a pre-dose one late."""
    lines = [
        "P1,ketamine,60,61,9.0,ng/mL,1", "P1,KET,60,61,9.0,ng/mL,1", "P1,ketamine,120,60.5,9.0,ng/mL,1",
        "P2,ketamine,-15,-15,BLQ,ng/mL,1", "P2,ketamine,-5,-5,BLQ,ng/mL,1", "P3,ketamine,-15,2,BLQ,ng/mL,1",
    ]  # fmt: skip
    found = refused(laboratory_csv(lines))
    assert [row for row, *_ in found] == [3, 4, 6, 7]
    parts = ("row 2 already", "no later", "another sample", "after its start")
    assert [part for part, (_, _, why) in zip(parts, found, strict=True) if part in why] == list(parts)


def test_a_file_that_is_no_table_is_refused_as_a_whole():
    assert "no row" in refused(f"{HEADER}\n".encode())[0][2]
    assert refused(laboratory_csv(profile("P1"), header=HEADER.replace("unit", "units")))[0][1] == "unit"
    assert "bytes" in refused(b"x" * 2_000_001)[0][2]
    assert "UTF-8" in refused(b"\xff\xfe" + "x".encode("utf-16-le"))[0][2]


@given(st.text(max_size=12))
def test_whatever_stands_for_a_concentration_is_a_number_from_the_limit_on_or_below_it_or_refused(text: str):
    quoted = text.replace('"', '""')
    content = f'{HEADER}\nP1,ketamine,60,61,"{quoted}",ng/mL,1.0\n'.encode("utf-8", "replace")
    try:
        samples = read(content)
    except ImportRefused:
        return
    assert all(each.value is None or 1 <= each.value < float("inf") for each in samples)
