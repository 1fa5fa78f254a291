"""Files as they come: encodings, line ends, quotation marks and headers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcomes.imports.mapping import FileFormat
from outcomes.imports.refusals import ImportRefused
from outcomes.imports.table import open_table, read_table

UTF8 = FileFormat()


def read(content: bytes, written: FileFormat = UTF8):
    return read_table(content, name="trial.csv", written=written)


def refused(content: bytes, written: FileFormat = UTF8) -> list[str]:
    with pytest.raises(ImportRefused) as refusal:
        read(content, written)
    return [str(each) for each in refusal.value.refusals]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["unix", "windows", "old macintosh"])
def test_lines_may_end_in_any_way(end):
    table = read(end.join([b"id,pain", b"1,4", b"2,5"]))
    assert [(row.number, row.cells) for row in table.rows] == [
        (2, {"id": "1", "pain": "4"}),
        (3, {"id": "2", "pain": "5"}),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_column():
    assert read(b"\xef\xbb\xbfid,pain\n1,4\n").header == ("id", "pain")


def test_a_file_is_known_by_the_hash_of_its_bytes():
    table = read(b"id\n1\n")
    # printf 'id\n1\n' | sha256sum
    assert table.sha256 == "7cde7fb64fd82bd152710cf238e017b9ab46c0592483edc067ba4f6c75fac108"
    assert table.bytes == 5


def test_blanks_around_a_cell_do_not_count_and_empty_lines_are_passed_over():
    table = read(b"id , pain\n 1,\t4 \n\n2,5\n\n")
    assert [(row.number, row.cells["pain"]) for row in table.rows] == [(2, "4"), (4, "5")]


def test_a_cell_may_hold_a_delimiter_and_a_line_end_in_quotation_marks():
    [row] = read(b'id,note\n1,"a, b\nc"\n').rows
    assert row.cells["note"] == "a, b\nc"


def test_every_line_in_another_encoding_is_refused_with_its_column():
    content = "id,town,note\n1,Malmö,\n2,Lund,\n3,Ystad,é\n".encode("latin-1")
    assert refused(content) == [
        "row 2, column town: The bytes f6 are not utf-8. Save the file as UTF-8, or set file.encoding.",
        "row 4, column note: The bytes e9 are not utf-8. Save the file as UTF-8, or set file.encoding.",
    ]
    assert read(content, FileFormat(encoding="cp1252")).rows[0].cells["town"] == "Malmö"


@pytest.mark.parametrize("content", ["id\n1\n".encode("utf-16"), b"id\n1\0\n"], ids=["utf-16", "a zero byte"])
def test_what_is_no_text_in_utf_8_is_refused_as_a_file(content):
    assert refused(content) == ["file: This is not a text in UTF-8. Save it as CSV in UTF-8."]


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_file_is_refused(content):
    assert refused(content) == ["file: The file is empty."]


def test_all_that_is_wrong_with_header_and_rows_is_said_at_once():
    assert refused(b"id,pain,pain,\n1,4,4,\n2,5\n3,6,6,,9\n") == [
        "row 1, column number 4: The column has no name.",
        "row 1, column pain: 2 columns have this name. Give each its own.",
        "row 3: The row has 2 cells; the header has 4.",
        "row 4: The row has 5 cells; the header has 4. A comma inside a cell, also a decimal one, needs quotation "
        "marks round the cell.",
    ]


def test_a_quotation_mark_that_is_never_closed_is_refused_where_it_stands():
    assert refused(b'id,note\n1,fine\n2,"open\n3,lost\n') == [
        "row 3: The row cannot be read: unexpected end of data. Look for a quotation mark."
    ]


def test_the_delimiter_is_the_mappings():
    table = read(b"id;pain\n1;4,5\n", FileFormat(delimiter=";"))
    assert table.rows[0].cells == {"id": "1", "pain": "4,5"}


cells = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"], exclude_characters='"'))


@given(st.lists(st.tuples(cells, cells), min_size=1))
def test_what_was_written_in_quotation_marks_is_read_unchanged(rows):
    content = "id,note\n" + "".join(f'"{a}","{b}"\n' for a, b in rows)
    assert [tuple(row.cells.values()) for row in read(content.encode()).rows] == rows


def test_a_file_that_was_made_to_fill_the_memory_is_refused_before_it_does(tmp_path: Path):
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(5_000_000_000)
    with pytest.raises(ImportRefused, match="The file has 5,000 MB; at most 16 MB are read. Bring it in parts."):
        open_table(tmp_path / "huge.csv")
    limit = "A file has at most 100,000 rows and 500,000 cells. Bring it in parts."
    assert refused(b"id\n" + b"1\n" * 200_000) == [f"row 100001: {limit}"]
    assert refused(b"id\n" + b"," * 600_000) == [f"row 2: {limit}"]
