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
        "blocks": [_block(block) for block in report.blocks],
    }


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Heading():
            return {"kind": "heading", "text": block.text, "page": block.page}
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
                "data": data,
            }


def _table(table: Table) -> dict[str, Any]:
    return {
        "caption": table.caption,
        "note": table.note,
        "texts": sorted(table.texts),
        "head": [_cell(cell) for cell in table.head],
        "rows": [{"emphasis": row.emphasis, "cells": [_cell(cell) for cell in row.cells]} for row in table.rows],
    }


def _cell(cell: Cell) -> list[str]:
    return [cell.text, cell.small]
