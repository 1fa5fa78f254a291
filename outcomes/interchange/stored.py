"""What is stored of imported studies: the definitions in force, and each value as it is now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.db import connection

from outcomes.interchange.cells import Address, Cell
from outcomes.interchange.difference import Stored
from outcomes.interchange.element import Element
from outcomes.models import ImportedCell, ImportedDefinitions
from studies.models import Study

Progress = Callable[[int, int], None]
_ADDRESS = (
    "subject",
    "event",
    "event_repeat",
    "form",
    "form_repeat",
    "item_group",
    "item_group_repeat",
    "item",
)


def definitions_in_force(study: Study | None) -> ImportedDefinitions | None:
    """The newest definitions of a study; None before the first."""
    if study is None:
        return None
    return ImportedDefinitions.objects.filter(study=study).order_by("-pk").first()


def study_element(definitions: ImportedDefinitions | None) -> Element | None:
    """The definitions as an element."""
    return Element.from_json(definitions.content) if definitions else None


def values_now(study: Study | None, addresses_of: Iterable[str] | None = None) -> dict[Address, Stored]:
    """Every value of a study as it is now, by address. addresses_of: only these subjects."""
    if study is None:
        return {}
    rows = ImportedCell.objects.filter(study=study, replaced_by__isnull=True)
    if addresses_of is not None:
        rows = rows.filter(subject__in=set(addresses_of))
    found = rows.values_list(*_ADDRESS, "pk", "value", "beside", "removed")
    return {
        Address(*row[:8]): Stored(row[8], row[9], Element.from_json(row[10]) if row[10] else None, row[11])
        for row in found.iterator(chunk_size=5_000)
    }


def cells_now(study: Study) -> tuple[Cell, ...]:
    """The cells of a study as they are now, in the order in which each address came first."""
    now: dict[Address, Cell] = {}
    for cell in _cells(study):
        now[cell.address] = cell
    return tuple(cell for cell in now.values() if not cell.removed)


def _cells(study: Study) -> Iterator[Cell]:
    rows = ImportedCell.objects.filter(study=study).order_by("pk")
    for row in rows.iterator(chunk_size=5_000):
        address = Address(*(getattr(row, name) for name in _ADDRESS))
        # A value that breaks its type cannot stand in an element of that type.
        tag = "ItemData" if row.doubt and row.item else row.tag
        beside = Element.from_json(row.beside) if row.beside else None
        yield Cell(address, row.value, row.line, tag, row.written, beside, row.removed)


_COLUMNS = (
    "study_id",
    "imported_file_id",
    *_ADDRESS,
    "tag",
    "value",
    "written",
    "doubt",
    "beside",
    "line",
    "removed",
    "replaces_id",
    "reason",
)
_REPORTED = 10_000


def insert_cells(rows: Sequence[ImportedCell], *, progress: Progress) -> None:
    """Insert rows in their order, by COPY: a file may hold 200,000. progress: told how many are in, of how many."""
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY outcomes_importedcell ({', '.join(_COLUMNS)}) FROM STDIN") as copy,
    ):
        for number, row in enumerate(rows, start=1):
            copy.write_row([_as_stored(row, name) for name in _COLUMNS])
            if number % _REPORTED == 0:
                progress(number, len(rows))


def _as_stored(row: ImportedCell, name: str) -> Any:
    value = getattr(row, name)
    return json.dumps(value, ensure_ascii=False) if name == "beside" and value is not None else value


def row_of(cell: Cell, *, study: Study, doubt: str = "") -> ImportedCell:
    """A cell as a row, without its file."""
    names = dict(zip(_ADDRESS, cell.address, strict=True))
    return ImportedCell(
        study=study,
        **names,
        tag=cell.tag,
        value=cell.value,
        written=cell.written,
        doubt=doubt[:500],
        beside=cell.beside.as_json() if cell.beside else None,
        line=cell.line,
        removed=cell.removed,
    )
