"""What was imported, as ODM 1.3.2: for another system, or to bring it in again."""

from __future__ import annotations

from typing import TextIO

from outcomes.interchange.cells import Cell
from outcomes.interchange.definitions import read_definitions
from outcomes.interchange.element import Element
from outcomes.interchange.odm_writing import Outgoing, write_odm
from outcomes.interchange.stored import cells_now, definitions_in_force, study_element
from studies.errors import InvalidEntry
from studies.models import Study


def export_odm(study: Study, out: TextIO, *, created_at: str, identifying: bool = True) -> int:
    """Write a study's definitions and values as they are now; the number of values.

    identifying: also items that their definition calls identifying (names, addresses). Raises InvalidEntry for a study
    that was not imported from a file of another system.
    """
    stored = definitions_in_force(study)
    element = study_element(stored)
    if stored is None or element is None:
        raise InvalidEntry(f"{study} holds nothing that came from a file of another system.", field="study")
    cells = cells_now(study)
    if not identifying:
        cells = _without_identity(cells, element)
    outgoing = Outgoing(
        study_oid=stored.study_oid,
        version_oid=stored.version_oid,
        study=element,
        cells=cells,
        beside=tuple(Element.from_json(each) for each in stored.beside),
        about=stored.about,
    )
    write_odm(out, outgoing, created_at=created_at)
    return sum(cell.is_value for cell in cells)


def _without_identity(cells: tuple[Cell, ...], study: Element) -> tuple[Cell, ...]:
    items = read_definitions(study).items
    identifying = {oid for oid, item in items.items() if item.identifying}
    return tuple(cell for cell in cells if cell.address.item not in identifying)
