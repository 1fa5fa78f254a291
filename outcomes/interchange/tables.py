"""Rows of a CSV file, one after the other, each refused where it cannot be read: nothing of a large file is kept."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.interchange import limits
from outcomes.interchange.json_rows import json_rows
from outcomes.interchange.refused import refuse_file

_UTF32 = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# What XML cannot hold, and no person types: a file with it is no text, or was damaged.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file that is text, with its header; `rows` reads on from there, one row at a time."""

    name: str
    sha256: str
    size: int
    header: tuple[str, ...]
    encoding: str
    delimiter: str
    content: bytes = field(repr=False)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row below the header with its number as a spreadsheet shows it; rows without any cell are passed over.

        Raises ImportRefused at the first that cannot be read.
        """
        for number, cells in enumerate(_records(self.name, self.content, self.encoding, self.delimiter), start=1):
            if number == 1 or not any(cells):
                continue
            if len(cells) != len(self.header):
                why = f"The row has {len(cells)} cells; the header has {len(self.header)}."
                if len(cells) > len(self.header) and self.delimiter == ",":
                    why += " A comma inside a cell, also a decimal one, needs quotation marks round the cell."
                raise refuse_row(self.name, number, "", "", why)
            yield number, cells


def _records(name: str, content: bytes, encoding: str, delimiter: str) -> Iterator[list[str]]:
    number = 0
    reader = csv.reader(_lines(name, content, encoding, delimiter), delimiter=delimiter, strict=True)
    try:
        for number, cells in enumerate(reader, start=1):  # noqa: B007 - told where reading stops
            yield cells
    except csv.Error as error:
        why = f"{error}. Look for a quotation mark."
        if "field limit" in str(error):
            why = f"A cell has more than {csv.field_size_limit():,} characters, or its quotation mark is never closed."
        raise refuse_row(name, number + 1, "", "", why) from None


def _lines(name: str, content: bytes, encoding: str, delimiter: str) -> Iterator[str]:
    """Lines of text; one that would be more cells than a row may have is refused before it is taken apart."""
    wrapped = io.TextIOWrapper(io.BytesIO(content), encoding=_codec(encoding), newline="")
    for number, line in enumerate(wrapped, start=1):
        if len(line) > limits.LONGEST_VALUE or line.count(delimiter) >= limits.MOST_COLUMNS:
            most = f"{limits.MOST_COLUMNS:,} columns and {limits.LONGEST_VALUE:,} characters"
            raise refuse_row(name, number, "", "", f"The line is longer than a row may be: {most}.")
        yield line


def _codec(encoding: str) -> str:
    return "utf-8-sig" if encoding == "utf-8" else encoding


class Rows(Protocol):
    """A table of text, whatever file it came from."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def header(self) -> tuple[str, ...]: ...
    def rows(self) -> Iterator[tuple[int, list[str]]]: ...


def open_table(content: bytes, *, name: str, encoding: str = "utf-8", delimiter: str = ",") -> Rows:
    """A CSV file, or a flat list of JSON, as far as its columns. Raises ImportRefused."""
    if content.lstrip()[:1] == b"[":
        return json_rows(content, name=name)
    return open_csv(content, name=name, encoding=encoding, delimiter=delimiter)


def refuse_row(name: str, row: int, column: str, value: str, why: str) -> ImportRefused:
    """The refusal of one row or cell."""
    return ImportRefused(name, [Refusal(row, column, value, why)])


def open_csv(content: bytes, *, name: str, encoding: str = "utf-8", delimiter: str = ",") -> CsvFile:
    """Read a file's bytes as far as the header.

    encoding: utf-8 (with or without a byte-order mark) or cp1252, as the mapping says; nothing is guessed.
    Raises ImportRefused: too large, another encoding, no header, a header with unnamed or repeated columns.
    """
    if len(content) > limits.LARGEST_CSV:
        most = limits.LARGEST_CSV // limits.MEGABYTE
        raise refuse_file(name, f"The file has more than {most} MB. Export it in parts, some records at a time.")
    _refuse_no_text(content, name, encoding)
    first = next(_records(name, content, encoding, delimiter), [])
    header = tuple(cell.strip() for cell in first)
    if wrong := list(_wrong_header(header)):
        raise ImportRefused(name, wrong)
    return CsvFile(name, hashlib.sha256(content).hexdigest(), len(content), header, encoding, delimiter, content)


def _refuse_no_text(content: bytes, name: str, encoding: str) -> None:
    if content.startswith(_UTF32) or content[:4].count(0) > 2:
        raise refuse_file(name, "This is text in UTF-32. Save it as CSV in UTF-8.")
    # Without a byte-order mark, every other byte of Latin letters is zero.
    if content.startswith(_UTF16) or (len(content) > 1 and not (any(content[1:40:2]) and any(content[:40:2]))):
        raise refuse_file(name, "This is text in UTF-16. Save it as CSV in UTF-8.")
    if content[:4].lower() == b"sep=":
        raise refuse_row(name, 1, "", "", "A line sep= is for a spreadsheet only. Take it out: the header comes first.")
    try:
        text = content.decode(_codec(encoding))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        met = content[error.start : error.end].hex(" ")
        why = f"The bytes {met} are not {encoding}. Save the file as UTF-8, or say that it is in cp1252 (Windows)."
        raise refuse_row(name, line, "", "", why) from None
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise refuse_row(name, line, "", "", f"The character U+{ord(found.group()):04X} stands here; no text holds it.")


def _wrong_header(header: tuple[str, ...]) -> Iterator[Refusal]:
    if not any(header):
        yield Refusal(1, "", "", "The file has no header.")
        return
    if len(header) == 1 and (other := next((sign for sign in ";\t|" if sign in header[0]), "")):
        sign = "tab" if other == "\t" else other
        why = f"The file has one column only; is it written with '{sign}' between cells?"
        # Everything that follows from it would be noise.
        yield Refusal(1, header[0], "", f"{why} Save it with commas, semicolons or tabs." if other == "|" else why)
    for place, column in enumerate(header, start=1):
        if not column:
            yield Refusal(1, f"number {place}", "", "The column has no name.")
    for column, count in Counter(header).items():
        if column and count > 1:
            yield Refusal(1, column, "", f"{count} columns have this name. Give each its own.")
