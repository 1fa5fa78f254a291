"""Tables and figures numbered in the order they stand in, so that a committee can speak of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from analysis.reports.blocks import Block, Figure, Report, Table


def numbered(report: Report) -> Report:
    """The same report with "Table 1." and "Figure 1." before every caption; a figure's data bear its number."""
    tables, figures = _counted("Table"), _counted("Figure")
    first = tuple(_numbered(report.first, tables, figures))
    return replace(report, first=first, blocks=tuple(_numbered(report.blocks, tables, figures)))


def _numbered(blocks: Iterable[Block], tables: Iterator[str], figures: Iterator[str]) -> Iterator[Block]:
    for block in blocks:
        if isinstance(block, Table):
            yield replace(block, caption=f"{next(tables)}. {block.caption}")
        elif isinstance(block, Figure):
            name = next(figures)
            data = replace(block.data, caption=f"{name}: {block.data.caption}") if block.data else None
            yield replace(block, caption=f"{name}. {block.caption}", data=data)
        else:
            yield block


def _counted(word: str) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"{word} {number}"
