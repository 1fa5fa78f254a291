"""An export's bytes as rows of text: encodings of device programs, and the lines they write above the header."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from outcomes.imports.mapping import FileFormat
from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.imports.table import Row, Table, read_table
from outcomes.qst_import.mapping import ExportFormat

LARGEST = 2_000_000


def read_export(content: bytes, *, name: str, written: ExportFormat) -> Table:
    """Read a file. Rows count as a spreadsheet shows them, the lines above the header included.

    Raises ImportRefused for a file that is too large, in another encoding, or no table.
    """
    if len(content) > LARGEST:
        why = f"The file has {len(content)} bytes; {LARGEST} are allowed. Export one day, or one visit, at a time."
        raise ImportRefused(name, [Refusal(0, "", "", why)])
    text = _as_utf8(content, name, written)
    above = written.header_row - 1
    lines = text.splitlines(keepends=True)
    if len(lines) <= above:
        why = f"The mapping expects the header in row {written.header_row}; the file has {len(lines)} rows."
        raise ImportRefused(name, [Refusal(0, "", "", why)])
    encoding = "cp1252" if written.encoding == "cp1252" else "utf-8"
    plain = FileFormat(encoding=encoding, delimiter=written.delimiter, decimal=written.decimal)
    try:
        table = read_table(b"".join(lines[above:]), name=name, written=plain)
    except ImportRefused as error:
        moved = [replace(refusal, row=refusal.row + above if refusal.row else 0) for refusal in error.refusals]
        raise ImportRefused(name, moved) from None
    rows = tuple(Row(row.number + above, row.cells) for row in table.rows)
    return replace(table, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content), rows=rows)


def _as_utf8(content: bytes, name: str, written: ExportFormat) -> bytes:
    """The bytes as they are, but for UTF-16, which the reader of tables does not take."""
    if written.encoding != "utf-16":
        return content
    try:
        return content.decode("utf-16").encode()
    except UnicodeDecodeError:
        why = "This is not a text in UTF-16. Set file.encoding in the mapping to what the program writes."
        raise ImportRefused(name, [Refusal(0, "", "", why)]) from None
