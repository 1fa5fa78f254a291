"""A mapping file for exports of a QST device: which column is what. A site writes it once for each program it uses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from outcomes.imports.mapping import Cell, RowFilter
from outcomes.qst import PARAMETERS, in_unit_of_parameter
from studies.protocol.section import Section, Text
from studies.protocol.yaml_document import Mistake, Mistakes, load_document

BodyArea = Literal["hand", "foot", "face", "trunk"]
Sided = Literal["left", "right", "midline"]


class ExportFormat(Section):
    """How the file is written. header_row: the line that names the columns; what stands above it is passed over."""

    encoding: Literal["utf-8", "cp1252", "utf-16"] = "utf-8"
    delimiter: Literal[",", ";", "\t"] = ","
    decimal: Literal[".", ","] = "."
    header_row: Annotated[int, Field(ge=1, le=100)] = 1


class ParticipantColumn(Section):
    """The column that names the participant, and by which of the participant's numbers."""

    column: Text
    by: Literal["identifier", "randomisation_number"] = "identifier"


class VisitColumn(Section):
    """The column that names the visit; without codes its cells are the visits of the protocol themselves."""

    column: Text
    codes: dict[Cell, Text] = {}


class MappedArea(Section):
    """Where a reading was taken: at the test or the control area, and on which part and side of the body."""

    role: Literal["test", "control"]
    area: BodyArea
    side: Sided | None = None


class AreaColumn(Section):
    """The column that says where a reading was taken."""

    column: Text
    codes: Annotated[dict[Cell, MappedArea], Field(min_length=1)]


class SideColumn(Section):
    """A column of its own for the side."""

    column: Text
    codes: Annotated[dict[Cell, Sided], Field(min_length=1)]


class MappedTest(Section):
    """The parameter that a test of the program measures, and the direction of its trials where it has one."""

    parameter: Text
    direction: str = ""

    @model_validator(mode="after")
    def _is_known(self) -> MappedTest:
        if self.parameter not in PARAMETERS:
            raise ValueError(f"There is no QST parameter {self.parameter}; there are {', '.join(PARAMETERS)}.")
        directions = PARAMETERS[self.parameter].directions
        if self.direction and self.direction not in directions:
            allowed = ", ".join(filter(None, directions)) or "none"
            raise ValueError(f"{self.parameter} has no direction {self.direction!r}; allowed is {allowed}.")
        return self


class TestColumn(Section):
    """The column that names the test, and what each of its names measures."""

    column: Text
    codes: Annotated[dict[Cell, MappedTest], Field(min_length=1)]


class CodedColumn(Section):
    """A column whose cells are translated; without codes they stand for themselves."""

    column: Text
    codes: dict[Cell, Text] = {}


class MarkColumn(Section):
    """The column that marks a reading at which the device's limit was reached, and what its cells mean."""

    column: Text
    codes: Annotated[dict[Cell, bool], Field(min_length=1)]


class TimeColumn(Section):
    """The column with the moment of a reading, on the site's clock. format: as in %d.%m.%Y %H:%M."""

    column: Text
    format: Text


class DeviceColumn(Section):
    """The column with the serial number of the device, which is registered at the site."""

    column: Text


class DeviceMapping(Section):
    """How an export becomes readings of sessions.

    units: the unit of each parameter, where no column tells it; a parameter in neither is refused. tester: without
    it whoever imports counts as the tester.
    """

    study: Text
    program: Text
    file: ExportFormat = ExportFormat()
    missing: tuple[Text, ...] = ()
    rows: tuple[RowFilter, ...] = ()
    participant: ParticipantColumn
    visit: VisitColumn
    area: AreaColumn
    side: SideColumn | None = None
    test: TestColumn
    direction: CodedColumn | None = None
    repeat: Text
    value: Text
    unit: CodedColumn | None = None
    units: dict[str, Text] = {}
    cutoff: MarkColumn | None = None
    time: TimeColumn
    tester: CodedColumn | None = None
    device: DeviceColumn | None = None

    @model_validator(mode="after")
    def _sections_agree(self) -> DeviceMapping:
        if mistakes := list(self._mistakes()):
            raise Mistakes(mistakes)
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        if (self.unit is None) == (not self.units):
            yield Mistake(("units",), "Say in which units the values are: either a column (unit) or a list (units).")
        for parameter, unit in self.units.items():
            if problem := unit_problem(parameter, unit):
                yield Mistake(("units", parameter), problem)
        for cell, unit in (self.unit.codes if self.unit else {}).items():
            if not any(unit_problem(parameter, unit) is None for parameter in PARAMETERS):
                yield Mistake(("unit", "codes", cell), f"No parameter is measured in {unit!r}.")
        named = [column for column, _ in self._columns() if column]
        for name in {column for column in named if named.count(column) > 1}:
            yield Mistake((), f"Column '{name}' is taken for two things.")

    def _columns(self) -> Iterator[tuple[str, str]]:
        parts: Mapping[str, Any] = {
            "participant": self.participant,
            "visit": self.visit,
            "area": self.area,
            "side": self.side,
            "test": self.test,
            "direction": self.direction,
            "unit": self.unit,
            "cutoff": self.cutoff,
            "time": self.time,
            "tester": self.tester,
            "device": self.device,
        }
        yield from ((part.column, name) for name, part in parts.items() if part is not None)
        yield from ((self.repeat, "repeat"), (self.value, "value"))

    def columns(self) -> list[str]:
        """Every column that is read, once."""
        return list(dict.fromkeys([*(column for column, _ in self._columns()), *(each.column for each in self.rows)]))

    def is_missing(self, text: str) -> bool:
        """Whether a cell's text stands for no value."""
        return not text or text in self.missing


def unit_problem(parameter: str, unit: str) -> str | None:
    """Why a parameter is not measured in a unit; None when it is."""
    try:
        in_unit_of_parameter(parameter, 1.0, unit)
    except ValueError as error:
        return str(error)
    return None


@dataclass(frozen=True, slots=True)
class LoadedDeviceMapping:
    """A mapping as it was read, with its text's SHA-256 and name."""

    mapping: DeviceMapping
    text: str
    name: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def load_device_mapping(text: str, *, name: str) -> LoadedDeviceMapping:
    """Read a mapping file. Raises DocumentInvalid with every mistake and its line."""
    return LoadedDeviceMapping(load_document(text, DeviceMapping, source=name), text, name)
