"""A CSV file as rows of text; or everything that is wrong with it as a file, at once."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from outcomes.imports.mapping import FileFormat
from outcomes.imports.refusals import ImportRefused, Refusal

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_ARCHIVES = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\x1f\x8b", "compressed (gzip)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file"),
)
# All of a file is held at once: what is above this was made for something else, or to fill the memory.
LARGEST = 16_000_000
MOST_ROWS, MOST_CELLS = 100_000, 500_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number as a spreadsheet shows it, and its cells by column, without surrounding blanks."""

    number: int
    cells: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Table:
    """A file's rows under its header, and what the file is known by."""

    name: str
    sha256: str
    bytes: int
    header: tuple[str, ...]
    rows: tuple[Row, ...] = field(repr=False)


def missing_columns(wanted: Iterable[str], table: Table, *, delimiter: str, header: int = 1) -> Iterator[Refusal]:
    """A refusal for each wanted column that the table has not, with the nearest name that it has.

    header: the row of the file that names the columns.
    """
    for name in wanted:
        if name in table.header:
            continue
        nearest = difflib.get_close_matches(name, table.header, n=1)
        hint = f" Did the file mean '{nearest[0]}'?" if nearest else ""
        if len(table.header) == 1:
            hint = f" The file has one column only: is it written with '{delimiter}' between cells?"
        yield Refusal(header, name, "", f"The file has no such column.{hint}")


def open_table(path: Path) -> bytes:
    """The bytes of a file that is small enough. Raises ImportRefused before reading one that is not; OSError."""
    _refuse_large(path.stat().st_size, path.name)
    return path.read_bytes()


def _refuse_large(size: int, name: str) -> None:
    if size > LARGEST:
        why = f"The file has {size / 1e6:,.0f} MB; at most {LARGEST // 1_000_000} MB are read. Bring it in parts."
        raise ImportRefused(name, [Refusal(0, "", "", why)])


def read_table(content: bytes, *, name: str, written: FileFormat) -> Table:
    """Read a file's bytes. Lines may end in any way; rows without any cell are passed over.

    Raises ImportRefused: bytes that are not in the encoding, with their lines; unnamed or repeated columns; rows
    with more or fewer cells than the header; a quotation mark that is never closed.
    """
    refusals: list[Refusal] = []
    _refuse_large(len(content), name)
    text = _decoded(content, name, written)
    records = list(_within_limits(_records(text, written, refusals), name))
    if not records:
        raise ImportRefused(name, refusals or [Refusal(0, "", "", "The file is empty.")])
    header = tuple(cell.strip() for cell in records[0][1])
    refusals += _wrong_header(header)
    refusals += [
        Refusal(number, "", "", _ragged(len(cells), len(header), written))
        for number, cells in records[1:]
        if len(cells) != len(header)
    ]
    if refusals:
        raise ImportRefused(name, refusals)
    rows = tuple(
        Row(number, dict(zip(header, (cell.strip() for cell in cells), strict=True))) for number, cells in records[1:]
    )
    return Table(name, hashlib.sha256(content).hexdigest(), len(content), header, rows)


def _ragged(cells: int, columns: int, written: FileFormat) -> str:
    why = f"The row has {cells} cells; the header has {columns}."
    if cells > columns and written.delimiter == ",":
        why += " A comma inside a cell, also a decimal one, needs quotation marks round the cell."
    return why


def _decoded(content: bytes, name: str, written: FileFormat) -> str:
    for beginning, what in _ARCHIVES:
        if content.startswith(beginning):
            why = f"This is {what}; it is not opened here. Save the table itself as CSV."
            raise ImportRefused(name, [Refusal(0, "", "", why)])
    if content.startswith(_UTF16) or b"\0" in content:
        raise ImportRefused(name, [Refusal(0, "", "", "This is not a text in UTF-8. Save it as CSV in UTF-8.")])
    encoding = "utf-8-sig" if written.encoding == "utf-8" else written.encoding
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise ImportRefused(name, list(_undecodable(content, written))) from None


def _undecodable(content: bytes, written: FileFormat) -> Iterator[Refusal]:
    """Each line with bytes that are none of the encoding's, and the column the first of them stands in."""
    lines = content.splitlines()
    delimiter = written.delimiter.encode()
    header = [cell.decode("ascii", "replace").strip('"').lstrip("\ufeff") for cell in lines[0].split(delimiter)]
    for number, line in enumerate(lines, start=1):
        try:
            line.decode(written.encoding)
        except UnicodeDecodeError as error:
            place = line.count(delimiter, 0, error.start)
            column = header[place] if place < len(header) else ""
            met = line[error.start : error.end].hex(" ")
            why = f"The bytes {met} are not {written.encoding}. Save the file as UTF-8, or set file.encoding."
            yield Refusal(number, column, "", why)


def _records(text: str, written: FileFormat, refusals: list[Refusal]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=written.delimiter, strict=True)
    number = 0
    try:
        for cells in reader:
            number += 1
            if cells:
                yield number, cells
    except csv.Error as error:
        refusals.append(Refusal(number + 1, "", "", f"The row cannot be read: {error}. Look for a quotation mark."))


def _within_limits(records: Iterable[tuple[int, list[str]]], name: str) -> Iterator[tuple[int, list[str]]]:
    held = 0
    for number, cells in records:
        held += len(cells)
        if number > MOST_ROWS or held > MOST_CELLS:
            why = f"A file has at most {MOST_ROWS:,} rows and {MOST_CELLS:,} cells. Bring it in parts."
            raise ImportRefused(name, [Refusal(number, "", "", why)])
        yield number, cells


def _wrong_header(header: tuple[str, ...]) -> Iterator[Refusal]:
    for place, name in enumerate(header, start=1):
        if not name:
            yield Refusal(1, f"number {place}", "", "The column has no name.")
    for name, count in Counter(header).items():
        if name and count > 1:
            yield Refusal(1, name, "", f"{count} columns have this name. Give each its own.")
