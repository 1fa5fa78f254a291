"""What a report is made of. The same blocks become HTML and PDF, so both say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Emphasis = Literal["", "heading", "strong", "indent"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A value, and below it in small type what it rests on (n and missing)."""

    text: str
    small: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; the first cell names it. emphasis: how the line stands out."""

    cells: tuple[Cell, ...]
    emphasis: Emphasis = ""

    @property
    def alone(self) -> bool:
        """Whether only its first cell says something, which then has the whole line."""
        return len(self.cells) > 1 and not any(cell.text or cell.small for cell in self.cells[1:])


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column is text and whose others are numbers, aligned at the right.

    texts: other columns that hold text. note: what a reader needs to read it.
    """

    caption: str
    head: tuple[Cell, ...]
    rows: tuple[Row, ...]
    note: str = ""
    texts: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot as SVG, the words for those who cannot see it, its data, and what a reader needs to read it."""

    caption: str
    svg: str
    alternative: str
    data: Table | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """A section's title."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text. tone: an answer, a remark, or that something could not be estimated."""

    text: str
    tone: Literal["", "note", "missing"] = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """The few numbers that matter: value, what it is, and its uncertainty or base."""

    items: tuple[tuple[str, str, str], ...]


Block = Heading | Paragraph | Facts | Table | Figure


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report: its title block, which stands on every page, its answer, and its blocks.

    first: what stands on the first page under the answer. Contents follow it, then the other blocks.
    """

    title: str
    subtitle: str
    audience: str
    running: str
    about: tuple[tuple[str, str], ...]
    answer: str
    first: tuple[Block, ...]
    blocks: tuple[Block, ...]
    day: tuple[int, int, int]
    language: str = field(default="en")


def table(
    caption: str,
    head: Sequence[str | Cell],
    rows: Sequence[Row | Sequence[str | Cell]],
    *,
    note: str = "",
    texts: Sequence[int] = (),
) -> Table:
    """A table from plain strings and cells."""
    lines = tuple(row if isinstance(row, Row) else Row(_cells(row)) for row in rows)
    return Table(caption, _cells(head), lines, note, frozenset(texts))


def row(*cells: str | Cell, emphasis: Emphasis = "") -> Row:
    return Row(_cells(cells), emphasis)


def _cells(values: Sequence[str | Cell]) -> tuple[Cell, ...]:
    return tuple(value if isinstance(value, Cell) else Cell(value) for value in values)
