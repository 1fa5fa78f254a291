"""A report as one HTML page: no script, no inline style; readable without its style sheet too."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape

from analysis.reports.blocks import Block, Cell, Facts, Figure, Heading, Paragraph, Report, Row, Table

_STYLE_SHEET = "/static/trialsite/report.css"


def html_page(report: Report) -> str:
    """The page: running title, title block, answer, then the blocks in sections."""
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="{report.language}">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(report.title)}</title>",
            f'<link rel="stylesheet" href="{_STYLE_SHEET}">',
            "</head>",
            "<body>",
            f'<div class="running"><span>{escape(report.running)}</span>',
            f"<strong>{escape(report.audience)}</strong></div>",
            '<main class="report">',
            _title_block(report),
            f'<p class="answer">{escape(report.answer)}</p>',
            *_sections(report.blocks),
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _title_block(report: Report) -> str:
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in report.about)
    return (
        f'<header class="title"><h1>{escape(report.title)}</h1><p class="subtitle">{escape(report.subtitle)}</p>'
        f"<dl>{facts}</dl></header>"
    )


def _sections(blocks: Iterable[Block]) -> list[str]:
    """Everything from one heading to the next is a section."""
    parts, open_section = [], False
    for block in blocks:
        if isinstance(block, Heading):
            parts += ["</section>"] if open_section else []
            parts.append("<section>")
            open_section = True
        parts.append(_block(block))
    return parts + (["</section>"] if open_section else [])


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"<h2>{escape(block.text)}</h2>"
        case Paragraph():
            return f'<p class="{block.tone}">{escape(block.text)}</p>' if block.tone else f"<p>{escape(block.text)}</p>"
        case Facts():
            return _facts(block)
        case Table():
            return _table(block)
        case Figure():
            return _figure(block)


def _facts(facts: Facts) -> str:
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd><strong>{escape(value)}</strong><span>{escape(small)}</span></dd></div>"
        for value, name, small in facts.items
    )
    return f'<dl class="facts">{items}</dl>'


def _figure(figure: Figure) -> str:
    image = base64.b64encode(figure.svg.encode()).decode()
    data = ""
    if figure.data:
        data = f"<details><summary>The data of this figure</summary>{_table(figure.data)}</details>"
    return (
        f"<figure><figcaption>{escape(figure.caption)}</figcaption>"
        f'<div class="plot"><img src="data:image/svg+xml;base64,{image}" alt="{escape(figure.alternative)}"></div>'
        f"{data}</figure>"
    )


def _table(table: Table) -> str:
    head = "".join(_cell(cell, "th", ' scope="col"', index, table) for index, cell in enumerate(table.head))
    rows = "".join(_row(row, table) for row in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.caption)}">'
        f"<table><caption>{escape(table.caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{note}"
    )


def _row(row: Row, table: Table) -> str:
    first = _cell(row.cells[0], "th", ' scope="row"', 0, table)
    rest = "".join(_cell(cell, "td", "", index, table) for index, cell in enumerate(row.cells[1:], start=1))
    return f'<tr class="{row.emphasis}">{first}{rest}</tr>' if row.emphasis else f"<tr>{first}{rest}</tr>"


def _cell(cell: Cell, tag: str, scope: str, index: int, table: Table) -> str:
    kind = "" if index == 0 or index in table.texts else ' class="number"'
    small = f" <small>{escape(cell.small)}</small>" if cell.small else ""
    return f"<{tag}{scope}{kind}>{escape(cell.text)}{small}</{tag}>"
