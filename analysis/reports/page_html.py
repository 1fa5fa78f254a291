"""A report as one HTML page: no script, no inline style; readable without its style sheet too."""

from __future__ import annotations

import re
from html import escape
from itertools import count

from analysis.reports.blocks import Block, Cell, Facts, Figure, Heading, Paragraph, Report, Row, Table

_STYLE_SHEET = "/static/trialsite/report.css"


def html_page(report: Report) -> str:
    """The page: running title, title block, answer, contents, then the blocks in sections."""
    return _Page().whole(report)


class _Page:
    """Gives every section, table and figure of one page a name of its own."""

    def __init__(self) -> None:
        self.names = count(1)

    def whole(self, report: Report) -> str:
        headings = [block for block in report.blocks if isinstance(block, Heading)]
        places = {id(heading): f"s{number}" for number, heading in enumerate(headings, start=1)}
        links = "".join(f'<li><a href="#{places[id(each)]}">{escape(each.text)}</a></li>' for each in headings)
        body = [
            f'<header class="running"><span>{escape(report.running)}</span>',
            f"<strong>{escape(report.audience)}</strong></header>",
            '<main class="report">',
            _title_block(report),
            f'<p class="answer">{escape(report.answer)}</p>',
            *(self.block(block) for block in report.first),
            *([f'<nav aria-labelledby="c"><h2 id="c">Contents</h2><ol>{links}</ol></nav>'] if links else []),
            *self.sections(report, places),
            "</main>",
        ]
        head = (
            f'<!DOCTYPE html>\n<html lang="{report.language}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>{escape(report.title)}</title><link rel="stylesheet" href="{_STYLE_SHEET}"></head>'
        )
        return "\n".join([head, "<body>", *body, "</body></html>", ""])

    def sections(self, report: Report, places: dict[int, str]) -> list[str]:
        """Everything from one heading to the next is a section."""
        parts, open_section = [], False
        for block in report.blocks:
            if isinstance(block, Heading):
                parts += ["</section>"] if open_section else []
                parts.append(f'<section><h2 id="{places[id(block)]}">{escape(block.text)}</h2>')
                open_section = True
            else:
                parts.append(self.block(block))
        return parts + (["</section>"] if open_section else [])

    def block(self, block: Block) -> str:
        match block:
            case Heading():
                return f"<h2>{escape(block.text)}</h2>"
            case Paragraph():
                kind = f" class={block.tone}" if block.tone else ""
                return f"<p{kind}>{escape(block.text)}</p>"
            case Facts():
                return _facts(block)
            case Table():
                return self.table(block)
            case Figure():
                return self.figure(block)

    def figure(self, figure: Figure) -> str:
        """The drawing stands in the page itself, so that the dark recolours it; its names must not be another's."""
        own = f"f{next(self.names)}"
        drawing = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{own}", figure.svg)
        # In a page a value of one word needs no quotes; that is a tenth of a drawing.
        drawing = re.sub(r'="([\w#.-]+)"(?=[ >])', r"=\1", drawing.replace(' xmlns="http://www.w3.org/2000/svg"', ""))
        named = drawing.replace("<svg", f'<svg role="img" aria-label="{escape(figure.alternative)}"', 1)
        data = f"<details><summary>{_DATA}</summary>{self.table(figure.data)}</details>" if figure.data else ""
        caption = f"<figcaption>{escape(figure.caption)}</figcaption>"
        return f'<figure>{caption}<div class="plot" tabindex=0>{named}</div>{_note(figure.note)}{data}</figure>'

    def table(self, table: Table) -> str:
        """Cells are numbers, at the right, unless they are of class t; a wide table scrolls by itself."""
        name = f"t{next(self.names)}"
        head = "".join(_cell(cell, "th", " scope=col", index, table) for index, cell in enumerate(table.head))
        rows = "".join(_row(row, table) for row in table.rows)
        return (
            f"<div class=scroll tabindex=0 role=region aria-labelledby={name}>"
            f"<table><caption id={name}>{escape(table.caption)}</caption><thead><tr>{head}"
            f"<tbody>{rows}</table></div>{_note(table.note)}"
        )


_DATA = "The data of this figure"


def _title_block(report: Report) -> str:
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in report.about)
    return (
        f'<header class="title"><h1>{escape(report.title)}</h1><p class="subtitle">{escape(report.subtitle)}</p>'
        f"<dl>{facts}</dl></header>"
    )


def _facts(facts: Facts) -> str:
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd><strong>{escape(value)}</strong><span>{escape(small)}</span></dd></div>"
        for value, name, small in facts.items
    )
    return f'<dl class="facts">{items}</dl>'


def _note(text: str) -> str:
    return f"<p class=note>{escape(text)}</p>" if text else ""


def _row(row: Row, table: Table) -> str:
    across = f" colspan={len(row.cells)}" if row.alone else ""
    first = _cell(row.cells[0], "th", f" scope=row{across}", 0, table)
    rest = (
        ""
        if row.alone
        else "".join(_cell(cell, "td", "", index, table) for index, cell in enumerate(row.cells[1:], start=1))
    )
    return f"<tr class={row.emphasis}>{first}{rest}" if row.emphasis else f"<tr>{first}{rest}"


def _cell(cell: Cell, tag: str, scope: str, index: int, table: Table) -> str:
    """A cell without its end, which HTML knows by the next. A corner without a word is no header of anything."""
    if tag == "th" and not cell.text and not cell.small:
        return "<td>"
    kind = " class=t" if index in table.texts else ""
    small = f" <small>{escape(cell.small)}</small>" if cell.small else ""
    return f"<{tag}{scope}{kind}>{escape(cell.text)}{small}"
