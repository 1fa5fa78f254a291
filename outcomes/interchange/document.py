"""A file of another system as one value, whatever format it had: what it defines, and the values it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from outcomes.imports.refusals import Refusal
from outcomes.interchange.cells import Cell
from outcomes.interchange.element import Element

Format = Literal["odm", "redcap_dictionary", "redcap_records", "redcap_events", "fhir_questionnaire", "fhir_responses"]
FORMATS: Mapping[str, str] = {
    "odm": "CDISC ODM-XML 1.3",
    "redcap_dictionary": "REDCap data dictionary",
    "redcap_records": "REDCap records",
    "redcap_events": "REDCap list of events",
    "fhir_questionnaire": "FHIR R4 Questionnaire",
    "fhir_responses": "FHIR R4 QuestionnaireResponse",
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A value that breaks the rule of its own definition: the cell as it stands in the file, the rule and the row."""

    cell: Cell
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, read and found right as a file.

    about: attributes of the file itself. study: ODM's Study element (other formats are put in its terms), None where
    a file holds values only. beside: users, locations and reference data. remarks: what was read otherwise than it
    stood there, or left out, each with its place and why. doubts: values that break their own definition; they are not
    among the cells.
    """

    name: str
    format: Format
    sha256: str
    bytes: int
    study_oid: str
    version_oid: str
    study: Element | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[Element, ...] = ()
    cells: tuple[Cell, ...] = ()
    remarks: tuple[Refusal, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    transactional: bool = False

    @property
    def values(self) -> tuple[Cell, ...]:
        """The cells that hold a value; the others are notes on containers."""
        return tuple(cell for cell in self.cells if cell.is_value)

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects, in the order of the file."""
        return tuple(dict.fromkeys(cell.address.subject for cell in self.cells))
