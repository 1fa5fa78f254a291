"""From rows of text to readings: every cell that is taken is right, or all that are not are refused at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from outcomes.imports.numbers import is_formula, number
from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.imports.site_clock import on_site_clock
from outcomes.imports.table import Row, Table, missing_columns
from outcomes.qst import PARAMETERS, in_unit_of_parameter, trial_problem
from outcomes.qst_import.mapping import DeviceMapping, MappedArea, MappedTest

T = TypeVar("T")

_SPREADSHEET_DATE = re.compile(r"[0-9]{4,6}([.,][0-9]+)?")
_REPEAT = re.compile(r"[1-9][0-9]?")


@dataclass(frozen=True, slots=True)
class KnownParticipant:
    """What has to be known of a participant to read their rows: visits, the site's clock and its devices' serials."""

    identifier: str
    visits: frozenset[str]
    time_zone: str
    devices: frozenset[str]


@dataclass(frozen=True, slots=True)
class ExportReading:
    """One row as it is taken: whose, where, what, and when. value: in the unit of the parameter."""

    row: int
    participant: str
    visit: str
    place: MappedArea
    parameter: str
    direction: str
    trial: int
    value: float | None
    cutoff: bool
    at: datetime
    tester: str
    device: str

    @property
    def key(self) -> tuple[str, str, str, str, str, int]:
        return self.participant, self.visit, self.place.role, self.parameter, self.direction, self.trial


def check(
    mapping: DeviceMapping, table: Table, known: Mapping[str, KnownParticipant], *, now: datetime
) -> list[ExportReading]:
    """Read a table as the mapping says. known: participants by the number that the mapping names them by.

    Raises ImportRefused: columns that are missing; or all cells that cannot be taken, each with its row, column and
    value, and why.
    """
    if refusals := list(
        missing_columns(mapping.columns(), table, delimiter=mapping.file.delimiter, header=mapping.file.header_row)
    ):
        raise ImportRefused(table.name, refusals)
    checking = _Checking(mapping, known, now)
    readings = [reading for row in table.rows if _is_taken(mapping, row) if (reading := checking.take(row))]
    if not readings and not checking.refusals:
        checking.refuse(0, "", "", "No row is left after the filters of the mapping.")
    checking.refuse_sessions(readings)
    if checking.refusals:
        raise ImportRefused(table.name, checking.refusals)
    return readings


def _is_taken(mapping: DeviceMapping, row: Row) -> bool:
    texts = ((each, row.cells[each.column]) for each in mapping.rows)
    return all(each.passes(text, missing=mapping.is_missing(text)) for each, text in texts)


@dataclass
class _Checking:
    """Takes one row after the other and remembers what it refused."""

    mapping: DeviceMapping
    known: Mapping[str, KnownParticipant]
    now: datetime
    refusals: list[Refusal] = field(default_factory=list)
    seen: dict[tuple[str, str, str, str, str, int], int] = field(default_factory=dict)

    def refuse(self, row: int, column: str, value: str, why: str) -> None:
        self.refusals.append(Refusal(row, column, value, why))

    def take(self, row: Row) -> ExportReading | None:
        """The reading of a row; None where a cell of it is refused."""
        before = len(self.refusals)
        person = self._person(row)
        visit = self._visit(row, person)
        place, test = self._place(row), self._test(row)
        trial, at = self._trial(row), self._moment(row, person)
        value = self._value(row, test) if test else None
        tester, device = self._tester(row), self._device(row, person)
        cutoff = self._cutoff(row)
        if len(self.refusals) > before or person is None or place is None or test is None or at is None:
            return None
        reading = ExportReading(
            row=row.number,
            participant=person.identifier,
            visit=visit,
            place=place,
            parameter=test.parameter,
            direction=test.direction,
            trial=trial,
            value=value,
            cutoff=cutoff and value is not None,
            at=at,
            tester=tester,
            device=device,
        )
        first = self.seen.setdefault(reading.key, row.number)
        if first != row.number:
            self.refuse(row.number, self.mapping.repeat, str(trial), f"Row {first} holds this trial already.")
            return None
        return reading

    def refuse_sessions(self, readings: list[ExportReading]) -> None:
        """What the rows of one session contradict each other in: its tester, and where each area was."""
        first: dict[tuple[str, str, str], ExportReading] = {}
        for reading in readings:
            session = (reading.participant, reading.visit)
            other = first.setdefault((*session, "tester"), reading)
            if other.tester != reading.tester and self.mapping.tester:
                why = f"Row {other.row} of the same session names {other.tester}. A session has one tester."
                self.refuse(reading.row, self.mapping.tester.column, reading.tester, why)
            other = first.setdefault((*session, reading.place.role), reading)
            if other.place != reading.place:
                why = f"Row {other.row} has the {reading.place.role} area of this session elsewhere."
                self.refuse(reading.row, self.mapping.area.column, reading.place.area, why)

    def _person(self, row: Row) -> KnownParticipant | None:
        column = self.mapping.participant.column
        text = row.cells[column]
        if self.mapping.is_missing(text):
            self.refuse(row.number, column, text, "Nobody is named here.")
        elif is_formula(text):
            self.refuse(row.number, column, text, "This is a spreadsheet formula, not a number of a participant.")
        elif text not in self.known:
            what = self.mapping.participant.by.replace("_", " ")
            why = f"No participant of {self.mapping.study} has this {what} here. An import makes no participants."
            self.refuse(row.number, column, text, why)
        return self.known.get(text)

    def _visit(self, row: Row, person: KnownParticipant | None) -> str:
        column, codes = self.mapping.visit.column, self.mapping.visit.codes
        text = row.cells[column]
        if codes and text not in codes:
            self.refuse(row.number, column, text, f"The mapping knows {', '.join(codes)} here, and not this.")
            return ""
        visit = codes.get(text, text)
        if person is not None and visit not in person.visits:
            self.refuse(row.number, column, text, f"The participant has no visit {visit}.")
        return visit

    def _place(self, row: Row) -> MappedArea | None:
        column = self.mapping.area.column
        place = self._coded(row, column, self.mapping.area.codes)
        if place is None or self.mapping.side is None:
            return place
        side = self._coded(row, self.mapping.side.column, self.mapping.side.codes)
        return None if side is None else MappedArea(role=place.role, area=place.area, side=side)

    def _test(self, row: Row) -> MappedTest | None:
        test = self._coded(row, self.mapping.test.column, self.mapping.test.codes)
        if test is None:
            return None
        directions = PARAMETERS[test.parameter].directions
        direction = test.direction
        column = self.mapping.test.column
        if not direction and self.mapping.direction is not None and directions != ("",):
            column = self.mapping.direction.column
            text = row.cells[column]
            direction = self.mapping.direction.codes.get(text, text)
        if direction not in directions:
            allowed = ", ".join(filter(None, directions)) or "none"
            self.refuse(
                row.number, column, row.cells[column], f"{test.parameter} needs a direction; allowed is {allowed}."
            )
            return None
        return MappedTest(parameter=test.parameter, direction=direction)

    def _coded(self, row: Row, column: str, codes: Mapping[str, T]) -> T | None:
        text = row.cells[column]
        if text not in codes:
            self.refuse(row.number, column, text, f"The mapping knows {', '.join(codes)} here, and not this.")
            return None
        return codes[text]

    def _trial(self, row: Row) -> int:
        text = row.cells[self.mapping.repeat]
        if not _REPEAT.fullmatch(text):
            self.refuse(row.number, self.mapping.repeat, text, "The number of the trial is 1, 2, 3 ... up to 99.")
            return 0
        return int(text)

    def _value(self, row: Row, test: MappedTest) -> float | None:
        column = self.mapping.value
        text = row.cells[column]
        if self.mapping.is_missing(text):
            return None
        unit, unit_column = self._unit(row, test.parameter)
        try:
            measured = number(text, self.mapping.file.decimal)
        except ValueError as error:
            self.refuse(row.number, column, text, str(error))
            return None
        try:
            value = in_unit_of_parameter(test.parameter, measured, unit)
        except ValueError as error:
            self.refuse(row.number, unit_column, unit, str(error))
            return None
        if problem := trial_problem(test.parameter, value):
            self.refuse(row.number, column, text, problem)
            return None
        return value

    def _unit(self, row: Row, parameter: str) -> tuple[str, str]:
        """The unit of a row, and the column that tells it (that of the value, where the mapping does)."""
        if self.mapping.unit is None:
            return self.mapping.units.get(parameter, ""), self.mapping.value
        text = row.cells[self.mapping.unit.column]
        return self.mapping.unit.codes.get(text, text), self.mapping.unit.column

    def _moment(self, row: Row, person: KnownParticipant | None) -> datetime | None:
        column, form = self.mapping.time.column, self.mapping.time.format
        text = row.cells[column]
        try:
            # The site's clock is laid on it below.
            found = datetime.strptime(text, form)  # noqa: DTZ007
        except ValueError:
            why = f"This is not a time written as {form}."
            if _SPREADSHEET_DATE.fullmatch(text):
                why += " A spreadsheet counts days like this: export the column as text."
            self.refuse(row.number, column, text, why)
            return None
        if person is None:
            return None
        try:
            moment = on_site_clock(found, ZoneInfo(person.time_zone))
        except ValueError as error:
            self.refuse(row.number, column, text, f"{error} Is the clock of the device right?")
            return None
        if moment > self.now:
            self.refuse(row.number, column, text, "This lies in the future. Is the clock of the device right?")
        return moment

    def _tester(self, row: Row) -> str:
        if self.mapping.tester is None:
            return ""
        text = row.cells[self.mapping.tester.column]
        if self.mapping.is_missing(text):
            self.refuse(row.number, self.mapping.tester.column, text, "Nobody is named as the tester.")
        return self.mapping.tester.codes.get(text, text)

    def _device(self, row: Row, person: KnownParticipant | None) -> str:
        if self.mapping.device is None:
            return ""
        column = self.mapping.device.column
        text = row.cells[column]
        if person is not None and text not in person.devices:
            why = "The site has no device with this serial number. Register it under Study, QST devices."
            self.refuse(row.number, column, text, why)
        return text

    def _cutoff(self, row: Row) -> bool:
        if self.mapping.cutoff is None:
            return False
        return bool(self._coded(row, self.mapping.cutoff.column, self.mapping.cutoff.codes))
