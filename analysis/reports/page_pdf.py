"""A report as PDF, set by Typst from the same blocks. The same report gives the same bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
import typst

from analysis.reports.blocks import Block, Cell, Facts, Figure, Heading, Paragraph, Report, Table

_TEMPLATE = Path(__file__).parent / "report.typ"
# Fonts that come with the program: the machine's own would make other bytes elsewhere.
_FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"

# Letters that fit into a line of a table, and those that fit into half of one.
_LINE, _HALF = 112, 64
_WORD = 16


def pdf_file(report: Report) -> bytes:
    """The PDF, dated by the cut, with tags for screen readers."""
    year, month, day = report.day
    made: bytes = typst.compile(
        _TEMPLATE,
        format="pdf",
        sys_inputs={"report": json.dumps(_contents(report))},
        font_paths=[_FONTS],
        ignore_system_fonts=True,
        timestamp=datetime(year, month, day, tzinfo=UTC),
    )
    return made


def _contents(report: Report) -> dict[str, Any]:
    return {
        "title": report.title,
        "subtitle": report.subtitle,
        "audience": report.audience,
        "running": report.running,
        "about": [list(fact) for fact in report.about],
        "answer": report.answer,
        "day": list(report.day),
        "language": report.language,
        "first": [_block(block) for block in report.first],
        "blocks": [_block(block) for block in report.blocks],
    }


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Heading():
            return {"kind": "heading", "text": block.text}
        case Paragraph():
            return {"kind": "paragraph", "text": block.text, "tone": block.tone}
        case Facts():
            return {"kind": "facts", "items": [list(item) for item in block.items]}
        case Table():
            return {"kind": "table", **_table(block)}
        case Figure():
            data = _table(block.data) if block.data else None
            return {
                "kind": "figure",
                "caption": block.caption,
                "svg": block.svg,
                "alternative": block.alternative,
                "note": block.note,
                "data": data,
            }


def _table(table: Table) -> dict[str, Any]:
    lengths = [_longest(table, index) for index in range(len(table.head))]
    small = max((len(cell.small) for row in table.rows for cell in row.cells), default=0)
    inline = sum(lengths) + small * (len(lengths) - 1) <= _LINE
    line = sum(lengths) + (small * (len(lengths) - 1) if inline else 0)
    return {
        "caption": table.caption,
        "note": table.note,
        "texts": sorted(table.texts),
        "widths": _widths(table, lengths),
        "inline": inline,
        "share": 100 if table.texts or line > _HALF * 4 // 3 else 80 if line > _HALF else 62,
        "head": [_cell(cell) for cell in table.head],
        "rows": [
            {"emphasis": row.emphasis, "alone": row.alone, "cells": [_cell(cell) for cell in row.cells]}
            for row in table.rows
        ],
    }


def _longest(table: Table, column: int) -> int:
    """Letters of a column's longest line, with its margin; names of lines may go over two."""
    rows = [row for row in table.rows if not row.alone]
    longest = max((len(row.cells[column].text) for row in rows), default=0)
    head = table.head[column]
    return min(max(longest, len(head.text), len(head.small)), 45 if column == 0 else 200) + 3


def _widths(table: Table, lengths: list[int]) -> list[int | None]:
    """Shares of the width for columns of text, none for numbers and single words, which take what they need."""
    shares = [None if length <= _WORD else min(length, 60) for length in lengths]
    shares = [shares[index] if index in table.texts else None for index in range(len(lengths))]
    first = min(max(lengths[0], 12), 60) if lengths[0] > _WORD or not any(shares) else None
    return [first, *shares[1:]]


def _cell(cell: Cell) -> list[str]:
    return [cell.text, cell.small]
