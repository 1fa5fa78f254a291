"""Cells of an ODM file held against its definitions: the undeclared is refused, what breaks a rule is in doubt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.interchange import limits
from outcomes.interchange.cells import Address, Cell
from outcomes.interchange.definitions import Definitions, Item
from outcomes.interchange.document import Document, Doubt
from outcomes.interchange.refused import LineRefusal
from outcomes.interchange.value_rules import broken_rule, unusual

# Survey time stamps of REDCap: a date and time, or that the survey was not finished.
_NOT_COMPLETED = "[not completed]"


def checked(document: Document, definitions: Definitions) -> Document:
    """The document with each address once and its doubts apart.

    Of a transactional file the last word counts. Raises ImportRefused naming what is not declared, and values that a
    snapshot gives twice and not the same.
    """
    refusals: list[Refusal] = []
    remarks: list[Refusal] = []
    cells = _once(document, refusals, remarks)
    refusals += _undeclared(cells, definitions)
    if refusals:
        raise ImportRefused(document.name, refusals[: limits.MOST_REFUSALS])
    taken, doubts = [], []
    for cell in cells:
        why = _doubt(cell, definitions)
        if why:
            doubts.append(Doubt(cell, LineRefusal(cell.line, str(cell.address), cell.value or "", why)))
        else:
            taken.append(cell)
    remarks += _unusual(taken, definitions.items)
    return replace(document, cells=tuple(taken), doubts=tuple(doubts), remarks=(*document.remarks, *remarks))


def _once(document: Document, refusals: list[Refusal], remarks: list[Refusal]) -> list[Cell]:
    seen: dict[Address, Cell] = {}
    for cell in document.cells:
        before = seen.get(cell.address)
        if before is None or document.transactional:
            # A value that was taken back and given again stands where it was first.
            seen[cell.address] = cell
        elif not cell.is_value:
            seen[cell.address] = cell if before.beside is None else before
        elif (before.value, before.tag) == (cell.value, cell.tag):
            why = f"Line {before.line} gives this value already, and the same: taken once."
            remarks.append(LineRefusal(cell.line, str(cell.address), cell.value or "", why))
        else:
            why = f"Line {before.line} gives another value for the same place."
            refusals.append(LineRefusal(cell.line, str(cell.address), cell.value or "", why))
    return list(seen.values())


def _undeclared(cells: list[Cell], definitions: Definitions) -> Iterator[Refusal]:
    known: Mapping[str, object]
    told = set()
    for cell in cells:
        address = cell.address
        for kind, name, known in (
            ("event", address.event, definitions.events),
            ("form", address.form, definitions.forms),
            ("group", address.group, dict.fromkeys(definitions.groups)),
            ("item", address.item, definitions.items),
        ):
            if name and name not in known and (kind, name) not in told:
                told.add((kind, name))
                why = f"The definitions {definitions.version_oid} have no {kind} {name}."
                yield LineRefusal(cell.line, str(address), "", why)


def _doubt(cell: Cell, definitions: Definitions) -> str:
    if not cell.is_value or not cell.value or cell.removed or cell.value in definitions.missing_codes:
        return ""
    if cell.tag == "ItemDataBase64Binary" or cell.value == _NOT_COMPLETED:
        return ""
    return broken_rule(definitions.items[cell.address.item], cell.value)


def _unusual(cells: list[Cell], items: Mapping[str, Item]) -> Iterator[Refusal]:
    for cell in cells:
        why = unusual(items[cell.address.item], cell.value) if cell.is_value and cell.value else ""
        if why:
            yield LineRefusal(cell.line, str(cell.address), cell.value or "", f"Taken, and unusual. {why}")
