"""Reference tables: what makes one unusable, and the seal that shows a change."""

from __future__ import annotations

import csv
import io

import pytest

from outcomes.qst import SYNTHETIC_REFERENCE, ReferenceInvalid, checksum_of, load_reference, read_reference

TEXT = SYNTHETIC_REFERENCE.read_text(encoding="utf-8")


def table(*changes, rows=22, sealed=True):
    """The first rows of the synthetic table with changes (row, column, value), sealed anew unless told otherwise."""
    lines = list(csv.DictReader(io.StringIO(TEXT)))[:rows]
    for row, column, value in changes:
        lines[row][column] = value
    if sealed:
        seal = checksum_of(lines)
        for line in lines:
            line["checksum"] = seal
    out = io.StringIO()
    writer = csv.DictWriter(out, lines[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def test_the_synthetic_table_says_that_it_is_synthetic():
    reference = load_reference(SYNTHETIC_REFERENCE)
    assert reference.ref_id == "SYNTH-1"
    assert "SYNTHETIC" in reference.source_citation


def test_a_table_that_is_sealed_anew_is_read():
    assert len(read_reference(table((0, "mean", "0.25")), source="t.csv").rows) == 22


def test_a_changed_number_breaks_the_seal():
    with pytest.raises(ReferenceInvalid, match="changed after they were sealed"):
        read_reference(TEXT.replace("log10,0.1,", "log10,0.11,", 1), source="synth-1.csv")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((0, "parameter", "XXX"), "line 2: 'XXX' is no parameter with a z-score"),
        ((0, "parameter", "PHS"), "'PHS' is no parameter with a z-score"),
        ((0, "scale", "raw"), "CDT is judged on the scale log10, not raw"),
        ((0, "sd", "0"), "sd and side_diff_sd must lie above 0"),
        ((0, "mean", "1,5"), "could not convert string to float"),
        ((0, "sex", "f"), "sex is 'f'; allowed is F or M"),
        ((11, "age_lo", "29"), "CDT, hand, F: ages 29 to 29 stand twice"),
        ((3, "licence", "other"), "licence differs between lines"),
    ],
)
def test_a_wrong_cell_is_named(change, says):
    with pytest.raises(ReferenceInvalid, match=says):
        read_reference(table(change), source="t.csv")


def test_all_wrong_lines_are_named_at_once():
    with pytest.raises(ReferenceInvalid) as refusal:
        read_reference(table((0, "sd", "-1"), (2, "sex", "X")), source="t.csv")
    assert "line 2" in str(refusal.value)
    assert "line 4" in str(refusal.value)


def test_other_columns_and_ragged_lines_are_refused():
    with pytest.raises(ReferenceInvalid, match="the columns must be ref_id, source_citation"):
        read_reference("a,b\n1,2\n", source="t.csv")
    with pytest.raises(ReferenceInvalid, match="does not have a cell for each column"):
        read_reference(table(rows=2) + "SYNTH-1,more\n", source="t.csv")


def test_the_side_difference_may_be_unknown():
    rows = read_reference(table((0, "side_diff_sd", "")), source="t.csv").rows
    assert rows[0].side_diff_sd is None
