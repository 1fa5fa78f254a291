"""Reading an export: what is taken, and what is refused with its row, column, value and rule. No database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcomes.imports.refusals import ImportRefused
from outcomes.qst import PARAMETERS
from outcomes.qst_import import load_device_mapping
from outcomes.qst_import.checking import ExportReading, KnownParticipant, check
from outcomes.qst_import.reading import LARGEST, read_export
from studies.protocol import DocumentInvalid
from tests.outcomes.qst.oracle import session_readings
from tests.outcomes.qst_import.exports import COLUMNS, MAPPINGS, as_csv, mapping, oracle_rows, with_cell

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ANNA = KnownParticipant("KALM-BER-0001", frozenset({"BL", "W1"}), "Europe/Berlin", frozenset({"4711"}))
ROWS = oracle_rows(ANNA.identifier)
KNOWN = {ANNA.identifier: ANNA}


def read(content: bytes, name: str = "canonical", known: dict[str, KnownParticipant] = KNOWN) -> list[ExportReading]:
    loaded = mapping(name)
    table = read_export(content, name="export.csv", written=loaded.mapping.file)
    return check(loaded.mapping, table, known, now=NOW)


def refusals(content: bytes, name: str = "canonical") -> list[tuple[int, str, str, str]]:
    with pytest.raises(ImportRefused) as refused:
        read(content, name)
    return [(r.row, r.column, r.value, r.why) for r in refused.value.refusals]


def test_every_trial_of_the_oracle_is_read_as_it_was_measured():
    found = {(r.parameter, r.direction, r.trial): r.value for r in read(as_csv(ROWS))}
    assert found == {(r.parameter, r.direction, r.trial): r.value for r in session_readings()}


def test_a_reading_knows_its_moment_on_the_sites_clock_its_place_its_tester_and_its_device():
    first = read(as_csv(ROWS))[0]
    assert first.at == datetime(2026, 2, 3, 9, 0, tzinfo=UTC)  # Berlin is an hour ahead in winter
    assert (first.place.role, first.place.area, first.place.side) == ("test", "hand", "left")
    assert (first.tester, first.device) == ("cora", "4711")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_changes_nothing(encoding: str):
    assert len(read(as_csv(ROWS, encoding=encoding))) == len(ROWS)


GERMAN = """Auswertung;TSA-II
Seriennummer;4711

Patient;Sitzung;Areal;Test;Wiederholung;Temperatur;Limit;Zeit
R-0001;Baseline;Schmerzareal links;Kälteschmerz;1;0,0;ja;03.02.2026 10:00
R-0001;Baseline;Schmerzareal links;TSL warm;1;34,6;nein;03.02.2026 10:05
R-0001;Baseline;Kontrolle rechts;Kaltschwelle;1;30,5;nein;03.02.2026 09:40
R-0001;Baseline;Kontrolle rechts;Kaltschwelle;2;-;nein;03.02.2026 09:41
"""


def test_a_german_export_is_read_in_utf_16_with_commas_and_lines_above_the_header():
    known = {"R-0001": ANNA}
    found = read(GERMAN.encode("utf-16"), "thermode-german", known)
    assert [(r.row, r.parameter, r.direction, r.value, r.cutoff) for r in found] == [
        (5, "CPT", "", 0.0, True),
        (6, "TSL", "warm", 34.6, False),
        (7, "CDT", "", 30.5, False),
        (8, "CDT", "", None, False),
    ]
    assert [r.place.role for r in found] == ["test", "test", "control", "control"]


BAD_CELLS = {
    "letters": ("value", "warm", "This is not a number."),
    "decimal comma": ("value", "30,6", "The decimal sign is a comma, where the mapping says '.'."),
    "60 degrees": ("value", "60", "Cold detection threshold is 60; allowed is 0 to 50 °C."),
    "a formula": ("value", "=1+1", "This is a spreadsheet formula, not a value."),
    "a formula for a name": ("participant", "=cmd|' /C calc'!A0", "This is a spreadsheet formula"),
    "a stranger": ("participant", "KALM-BER-9999", "An import makes no participants."),
    "nobody": ("participant", "", "Nobody is named here."),
    "no such visit": ("visit", "W9", "The participant has no visit W9."),
    "no such area": ("area", "test knee", "The mapping knows test hand, test foot"),
    "no such side": ("side", "links", "The mapping knows left, right, midline here"),
    "no such test": ("parameter", "QQQ", "The mapping knows CDT, WDT"),
    "no such trial": ("trial", "0", "The number of the trial is 1, 2, 3"),
    "half a trial": ("trial", "1.5", "The number of the trial is 1, 2, 3"),
    "another unit": ("unit", "kPa", "CDT is not measured in 'kPa'; known are °C"),
    "no unit": ("unit", "", "CDT is not measured in ''"),
    "a day as a spreadsheet counts": ("timestamp", "46056.4166", "A spreadsheet counts days like this"),
    "a day as people write": ("timestamp", "3 Feb 2026", "This is not a time written as %Y-%m-%dT%H:%M:%S."),
    "tomorrow": ("timestamp", "2027-02-03T10:00:00", "This lies in the future."),
    "an hour that no clock showed": ("timestamp", "2026-03-29T02:30:00", "was changed at this time, which never stood"),
    "an hour that stood twice": (
        "timestamp",
        "2025-10-26T02:30:00",
        "was changed at this time, which stood there twice",
    ),
    "no tester": ("examiner", "", "Nobody is named as the tester."),
    "an unknown device": ("device_serial", "0815", "The site has no device with this serial number."),
    "a mark nobody knows": ("cutoff", "perhaps", "The mapping knows true, false, 1, 0"),
}


@pytest.mark.parametrize("case", BAD_CELLS)
def test_a_cell_that_cannot_be_taken_is_refused_with_its_row_column_value_and_rule(case: str):
    column, value, why = BAD_CELLS[case]
    found = [r for r in refusals(as_csv(with_cell(ROWS, 3, column, value))) if r[1] == column]
    assert [(row, name, met) for row, name, met, _ in found] == [(3, column, value)]
    assert why in found[0][3]


def test_everything_that_is_wrong_is_told_at_once():
    wrong = with_cell(with_cell(ROWS, 3, "value", "warm"), 9, "visit", "W9")
    assert [(row, column) for row, column, _, _ in refusals(as_csv(wrong))] == [(3, "value"), (9, "visit")]


def test_a_trial_that_stands_twice_is_refused():
    again = [*ROWS, ROWS[0]]
    assert refusals(as_csv(again)) == [(len(ROWS) + 2, "trial", "1", "Row 2 holds this trial already.")]


def test_one_session_has_one_tester_and_one_place_for_each_area():
    wrong = with_cell(with_cell(ROWS, 3, "examiner", "rita"), 4, "side", "right")
    assert [(row, column) for row, column, _, _ in refusals(as_csv(wrong))] == [(3, "examiner"), (4, "area")]


def test_a_force_that_no_stimulator_has_is_refused():
    [place] = [
        n
        for n, row in enumerate(ROWS, 2)
        if (row["parameter"], row["direction"], row["trial"]) == ("MPT", "ascending", "1")
    ]
    assert "the set of stimulators has 8, 16" in refusals(as_csv(with_cell(ROWS, place, "value", "100")))[0][3]


def test_a_direction_that_the_parameter_needs_is_asked_for():
    [place] = [
        n for n, row in enumerate(ROWS, 2) if (row["parameter"], row["direction"], row["trial"]) == ("TSL", "warm", "1")
    ]
    assert refusals(as_csv(with_cell(ROWS, place, "direction", "")))[0][3].startswith("TSL needs a direction")


BAD_FILES = {
    "another encoding": (as_csv(ROWS, encoding="utf-16"), "This is not a text in UTF-8."),
    "cp1252": (as_csv(ROWS, encoding="cp1252"), "The bytes b0 are not utf-8."),
    "empty": (b"", "The mapping expects the header in row 1"),
    "semicolons": (as_csv(ROWS, delimiter=";"), "The file has one column only: is it written with ','"),
    "a column less": (as_csv(ROWS, columns=[c for c in COLUMNS if c != "unit"]), "The file has no such column."),
    "a column twice": (as_csv(ROWS, columns=[*COLUMNS, "unit"]), "2 columns have this name."),
    "a short row": (as_csv(ROWS) + b"KALM-BER-0001,BL\r\n", "The row has 2 cells; the header has 14."),
    "an open quotation mark": (as_csv(ROWS) + b'"KALM', "Look for a quotation mark."),
    "an Excel workbook": (b"PK\x03\x04" + bytes(50), "This is a zip archive or an Excel workbook; it is not opened"),
    "compressed": (b"\x1f\x8b\x08" + bytes(50), "This is compressed (gzip); it is not opened here."),
    "nothing but a header": (as_csv([]), "No row is left after the filters of the mapping."),
    "rows without end": (b"a\n" + b"1\n" * 900_000, "A file has at most 100,000 rows and 500,000 cells."),
    "too large": (b"x" * (LARGEST + 1), "Export one day, or one visit, at a time."),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_is_no_such_table_is_refused(case: str):
    content, why = BAD_FILES[case]
    assert any(why in refusal[3] for refusal in refusals(content))


def test_a_file_that_claims_utf_16_and_is_not_is_refused():
    assert refusals(b"\xff\xfe\x00", "thermode-german")[0][3].startswith("This is not a text in UTF-16.")


@given(st.permutations(range(12)))
def test_the_order_of_rows_does_not_matter(order: list[int]):
    first = ROWS[:12]
    shuffled = [first[k] for k in order]
    keys = {(r.key, r.value) for r in read(as_csv(shuffled))}
    assert keys == {(r.key, r.value) for r in read(as_csv(first))}


# Mappings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_mapping_that_is_shipped_can_be_read(path):
    loaded = load_device_mapping(path.read_text(), name=path.name)
    assert {test.parameter for test in loaded.mapping.test.codes.values()} <= PARAMETERS.keys()
    assert len(loaded.sha256) == 64


MISTAKES = {
    "an unknown parameter": ("CDT: {parameter: CDT}", "CDT: {parameter: XXX}", "There is no QST parameter XXX"),
    "a wrong direction": ("CDT: {parameter: CDT}", "CDT: {parameter: CDT, direction: up}", "no direction 'up'"),
    "no unit": ("unit: {column: unit}", "", "Say in which units the values are"),
    "a column for two things": ("repeat: trial", "repeat: value", "'value' is taken for two things"),
    "an unknown key": ("value: value", "value: value\nnoise: 1", "noise"),
    "an area of the body": ("area: trunk}", "area: knee}", "knee"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_a_mapping_is_told_with_its_line(case: str):
    old, new, why = MISTAKES[case]
    text = (MAPPINGS / "canonical.yaml").read_text().replace(old, new)
    with pytest.raises(DocumentInvalid, match=why) as refused:
        load_device_mapping(text, name="mine.yaml")
    assert all(problem.line for problem in refused.value.problems)


def test_a_unit_that_a_parameter_does_not_have_is_told_in_the_mapping():
    text = (MAPPINGS / "thermode-german.yaml").read_text().replace('CDT: "°C"', "CDT: kPa")
    with pytest.raises(DocumentInvalid, match="CDT is not measured in 'kPa'"):
        load_device_mapping(text, name="mine.yaml")
