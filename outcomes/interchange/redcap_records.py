"""REDCap records (CSV or JSON, raw or with labels) under their data dictionary, to cells.

What a column is follows from the dictionary and REDCap's own naming: field, field___code of a checkbox, form_complete,
form_timestamp, and the columns that say which event and which repeat a row is.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from outcomes.imports.numbers import is_formula
from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.interchange import limits, spreadsheets
from outcomes.interchange.cells import Address, Cell
from outcomes.interchange.document import Document, Doubt
from outcomes.interchange.element import Element
from outcomes.interchange.redcap_dictionary import Dictionary, Field, status_field
from outcomes.interchange.redcap_events import Events
from outcomes.interchange.redcap_metadata import OwnColumns, as_study, form_oid, groups_of
from outcomes.interchange.redcap_values import Read, read_value, unusual
from outcomes.interchange.tables import Rows, open_table

EVENT, INSTRUMENT, INSTANCE = "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"
_OF_RECORD = ("redcap_survey_identifier", "redcap_data_access_group")
_NOT_DATA = frozenset((EVENT, INSTRUMENT, INSTANCE))
_LONGEST_RECORD_ID = 100
_REPEAT = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class Options:
    """What cannot be seen in the file: its encoding, the signs between cells, the project's missing-data codes."""

    encoding: str = "utf-8"
    delimiter: str = ","
    missing_codes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file: its field (None: REDCap's own), form and group."""

    name: str
    item: str
    form: str
    group: str
    field: Field | None = None


def read_records(
    content: bytes,
    dictionary: Dictionary,
    *,
    name: str,
    project: str,
    options: Options | None = None,
    events: Events | None = None,
) -> Document:
    """Read records under their dictionary. project: its name. events: REDCap's list of events, if it has any.

    Raises ImportRefused naming every column and row that cannot be taken, and why. Values that break the rule of their
    field are the document's doubts.
    """
    options = options or Options()
    file = open_table(content, name=name, encoding=options.encoding, delimiter=options.delimiter)
    reading = _Reading(dictionary, file, options, events or Events(()))
    cells = tuple(reading.cells())
    if reading.refusals:
        raise ImportRefused(name, reading.refusals)
    study = as_study(dictionary, project=project, events=reading.event_definitions(), own_columns=reading.own_columns)
    version = study.first("MetaDataVersion")
    return Document(
        name=name,
        format="redcap_records",
        sha256=file.sha256,
        bytes=file.size,
        study_oid=study.get("OID"),
        version_oid=version.get("OID") if version else "",
        study=study,
        cells=cells,
        remarks=(*dictionary.remarks, *reading.remarks),
        doubts=tuple(reading.doubts),
    )


class _Reading:
    """Reads the rows of one file, and remembers what it refused or read otherwise."""

    def __init__(self, dictionary: Dictionary, file: Rows, options: Options, events: Events) -> None:
        self._dictionary, self._file, self._options, self._events = dictionary, file, options, events
        self.own_columns = _own_columns(dictionary, file.header)
        self.refusals: list[Refusal] = []
        self.remarks: list[Refusal] = []
        self.doubts: list[Doubt] = []
        self._event_names: dict[str, None] = {}
        self._seen: dict[tuple[str, ...], int] = {}
        self._read_otherwise: dict[tuple[str, str], list[int]] = {}

    def cells(self) -> Iterator[Cell]:
        columns = self._columns()
        if self.refusals:
            return
        count = 0
        for row, texts in self._file.rows():
            for cell in self._row(row, dict(zip(self._file.header, texts, strict=True)), columns):
                count += 1
                if count > limits.MOST_CELLS:
                    why = f"The file holds more than {limits.MOST_CELLS:,} values. Export it in parts."
                    raise ImportRefused(self._file.name, [Refusal(row, "", "", why)])
                yield cell
            if len(self.refusals) >= limits.MOST_REFUSALS:
                return
        if not count and not self.refusals and not self.doubts:
            self.refuse(0, "", "", "The file holds no record.")
        self._remark_what_was_read_otherwise()

    def refuse(self, row: int, column: str, value: str, why: str) -> None:
        self.refusals.append(Refusal(row, column, value, why))

    def event_definitions(self) -> tuple[Element, ...]:
        return self._events.definitions(list(self._event_names), list(self._dictionary.forms))

    # Columns

    def _columns(self) -> list[Column]:
        known = {column.name: column for column in _known_columns(self._dictionary, self.own_columns)}
        labels = _by_label(self._dictionary, known)
        found = []
        for name in self._file.header:
            column = known.get(name) or labels.get(name)
            if column is not None:
                if name not in known:
                    self.remarks.append(Refusal(1, name, "", f"The label of {column.item}: read as that field."))
                found.append(Column(name, column.item, column.form, column.group, column.field))
            elif name not in _NOT_DATA:
                nearest = difflib.get_close_matches(name, known, n=1)
                hint = f" Did the file mean '{nearest[0]}'?" if nearest else ""
                self.refuse(1, name, "", f"The dictionary has no such field.{hint}")
        if self._dictionary.record_id not in {column.item for column in found} and not self.refusals:
            self.refuse(1, self._dictionary.record_id, "", "The file has no such column: it says whose a row is.")
        return found

    # Rows

    def _row(self, row: int, texts: dict[str, str], columns: list[Column]) -> Iterator[Cell]:
        where = self._where(row, texts, columns)
        if where is None:
            return
        repeated = texts.get(INSTRUMENT, "").strip()
        repeat = texts.get(INSTANCE, "").strip() if repeated else "1"
        for column in columns:
            text = texts[column.name].strip()
            if text == "" or self._left_out(row, column, text, repeated):
                continue
            address = where._replace(
                form=form_oid(column.form), form_repeat=repeat, group=column.group, group_repeat="1", item=column.item
            )
            cell = self._cell(column, Cell(address, texts[column.name], row))
            if cell is not None:
                yield cell

    def _where(self, row: int, texts: dict[str, str], columns: list[Column]) -> Address | None:
        """Subject and event of a row; None where it is refused."""
        key = next(column.name for column in columns if column.item == self._dictionary.record_id)
        record = texts[key].strip()
        event = self._event(row, texts.get(EVENT, "").strip())
        repeated, instance = texts.get(INSTRUMENT, "").strip(), texts.get(INSTANCE, "").strip()
        if why := _why_no_record(record):
            self.refuse(row, key, record, why)
            return None
        if event is None or not self._repeat_is_right(row, repeated, instance):
            return None
        place = (record, event, repeated, instance)
        if place in self._seen:
            at = ", ".join(part for part in place[1:] if part)
            self.refuse(row, key, record, f"Row {self._seen[place]} holds this record already{at and f' ({at})'}.")
            return None
        self._seen[place] = row
        event_repeat = (instance if instance and not repeated else "1") if event else ""
        return Address(record, event, event_repeat)

    def _event(self, row: int, text: str) -> str | None:
        if EVENT not in self._file.header:
            return ""
        try:
            name = self._events.name(text)
        except ValueError as error:
            self.refuse(row, EVENT, text, str(error))
            return None
        self._event_names.setdefault(name)
        return f"Event.{name}"

    def _repeat_is_right(self, row: int, repeated: str, instance: str) -> bool:
        if repeated and repeated not in self._dictionary.forms:
            self.refuse(row, INSTRUMENT, repeated, f"The dictionary's forms are {', '.join(self._dictionary.forms)}.")
        elif (repeated and not instance) or (instance and not _REPEAT.fullmatch(instance)):
            self.refuse(row, INSTANCE, instance, "A repeat has a whole number, from 1.")
        else:
            return True
        return False

    def _left_out(self, row: int, column: Column, text: str, repeated: str) -> bool:
        """A row of a repeating form holds that form only; REDCap writes the record's number and empty boxes besides."""
        if not repeated or column.form == repeated:
            return False
        is_box = column.field is not None and column.field.kind == "checkbox" and text == "0"
        if column.item != self._dictionary.record_id and not is_box:
            why = f"The row is a repeat of {repeated}, and this field belongs to {column.form}."
            self.refuse(row, column.name, text, why)
        return True

    def _cell(self, column: Column, cell: Cell) -> Cell | None:
        """The cell with what it says; None, and a doubt, where it breaks the rule of its field."""
        written = cell.value or ""
        text = written.strip()
        try:
            read = self._read(column, text)
        except ValueError as error:
            self.doubts.append(Doubt(cell, Refusal(cell.line, column.name, text, str(error))))
            return None
        if text not in self._options.missing_codes and (why := unusual(column.field, text)):
            self.remarks.append(Refusal(cell.line, column.name, text, why))
        if read.rule:
            self._read_otherwise.setdefault((column.name, read.rule), []).append(cell.line)
        return cell if read.value == text else replace(cell, value=read.value, written=written)

    def _read(self, column: Column, text: str) -> Read:
        if text in self._options.missing_codes:
            return Read(text)
        return read_value(column.field, text, is_status=column.item == status_field(column.form))

    def _remark_what_was_read_otherwise(self) -> None:
        for (column, rule), rows in self._read_otherwise.items():
            count = "1 value" if len(rows) == 1 else f"{len(rows)} values"
            self.remarks.append(Refusal(rows[0], column, "", f"{count}, here first: {rule}"))


def _why_no_record(record: str) -> str:
    if not record:
        return "Nobody is named here."
    if is_formula(record):
        return "This is a spreadsheet formula, not a record's number."
    if spreadsheets.is_error(record):
        return "This is a spreadsheet's error, not a record's number. Export from REDCap again."
    if spreadsheets.is_rounded(record):
        return "A spreadsheet wrote this number so, and its last digits are lost. Export from REDCap again."
    if len(record) > _LONGEST_RECORD_ID:
        return f"A record's number has at most {_LONGEST_RECORD_ID} characters."
    return ""


def _known_columns(dictionary: Dictionary, own: OwnColumns) -> Iterator[Column]:
    """Every column that a file of this dictionary may have."""
    for form in dictionary.forms:
        for group in groups_of(dictionary, form, own.get(form, ())):
            yield from (Column(item, item, form, group.oid, each) for item, each in group.items)


def _own_columns(dictionary: Dictionary, header: Collection[str]) -> OwnColumns:
    """The columns of REDCap's own that a file has, by form."""
    found = {form: [name] for form in dictionary.forms if (name := f"{form}_timestamp") in header}
    of_record = [name for name in _OF_RECORD if name in header]
    if of_record:
        first = dictionary.forms[0]
        found[first] = [*found.get(first, ()), *of_record]
    return found


def _by_label(dictionary: Dictionary, known: Mapping[str, Column]) -> dict[str, Column]:
    """Fields by a label that only one of them has: an export may name its columns so."""
    labels: dict[str, list[Column]] = {}
    for column in known.values():
        if column.field is not None and column.field.kind != "checkbox":
            labels.setdefault(column.field.label, []).append(column)
    return {label: columns[0] for label, columns in labels.items() if label and len(columns) == 1}
