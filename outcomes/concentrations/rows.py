"""A laboratory's file as samples, or everything that is wrong with its rows, each with its place.

Knows the file alone: neither the participants nor what was taken before.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

from outcomes.concentrations.analytes import ANALYTES, UNIT
from outcomes.concentrations.columns import Columns
from outcomes.imports.mapping import FileFormat
from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.imports.table import Row, Table, missing_columns, read_table

LARGEST = 2_000_000
_OTHER_NAMES = {
    "ket": "ketamine",
    "nk": "norketamine",
    "dhnk": "dehydronorketamine",
    "hnk": "hydroxynorketamine",
    "(2r,6r;2s,6s)-hnk": "hydroxynorketamine",
    "(2r,6r;2s,6s)-hydroxynorketamine": "hydroxynorketamine",
}
_BELOW = frozenset({"blq", "bloq", "<lloq", "<loq", "< lloq", "< loq"})
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_MINUTE = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# A day before, and five weeks after: beyond lies a mistake in the unit of time.
_MINUTES = (-1440, 50_000)


@dataclass(frozen=True, slots=True)
class Sample:
    """One analyte of one sample. value: ng/mL, None below the lower limit of quantification; row: of the file."""

    row: int
    participant: str
    analyte: str
    nominal: int
    actual: float
    value: float | None
    lloq: float

    @property
    def key(self) -> tuple[str, str, int]:
        """What makes it the same sample in another file."""
        return self.participant, self.analyte, self.nominal


class _Wrong(Exception):
    """A cell that says nothing that can be taken: which column, and why."""

    def __init__(self, column: str, value: str, why: str) -> None:
        super().__init__(why)
        self.column, self.value, self.why = column, value, why


def read_rows(
    content: bytes, *, name: str, columns: Columns, known: Container[str] | None = None
) -> tuple[Table, list[Sample]]:
    """The table and its samples in the order of the file.

    known: the participants whom a sample can be of; None leaves that open.
    Raises ImportRefused with every row that cannot be taken: a stranger, another unit, a decimal comma, a negative
    number, an unknown analyte, a sample twice, a time on the wrong side of the start, a number below the limit.
    """
    if len(content) > LARGEST:
        why = f"The file has {len(content)} bytes; {LARGEST} are allowed. Take one batch at a time."
        raise ImportRefused(name, [Refusal(0, "", "", why)])
    table = _table(content, name)
    if missing := list(missing_columns(columns.names().values(), table, delimiter=",")):
        raise ImportRefused(name, missing)
    samples: list[Sample] = []
    refusals: list[Refusal] = []
    for row in table.rows:
        try:
            samples.append(_sample(row, columns, known))
        except _Wrong as wrong:
            refusals.append(Refusal(row.number, wrong.column, wrong.value, wrong.why))
    refusals += [*_twice(samples, columns), *_out_of_order(samples, columns)]
    if not table.rows:
        refusals.append(Refusal(0, "", "", "The file has a header and no row."))
    if refusals:
        raise ImportRefused(name, refusals)
    return table, samples


def _table(content: bytes, name: str) -> Table:
    """Cells are separated as the header is: by semicolons or tabs where it has them."""
    header = content.split(b"\n", 1)[0]
    written = FileFormat(delimiter=";" if b";" in header else "\t" if b"\t" in header else ",")
    return read_table(content, name=name, written=written)


def _sample(row: Row, columns: Columns, known: Container[str] | None) -> Sample:
    cells = {wanted: row.cells[column] for wanted, column in columns.names().items()}
    names = columns.names()
    if not cells["participant"]:
        raise _Wrong(names["participant"], "", "No participant is named.")
    if known is not None and cells["participant"] not in known:
        why = "Nobody of this name has had an infusion in this study."
        raise _Wrong(names["participant"], cells["participant"], why)
    _require_unit(cells["unit"], names["unit"])
    nominal, actual = _times(cells, names)
    lloq = _quantity(cells["lloq"], names["lloq"])
    if lloq <= 0:
        raise _Wrong(names["lloq"], cells["lloq"], "The lower limit of quantification is above 0.")
    return Sample(
        row=row.number,
        participant=cells["participant"],
        analyte=_analyte(cells["analyte"], names["analyte"]),
        nominal=nominal,
        actual=actual,
        value=_level(cells["concentration"], names["concentration"], lloq),
        lloq=lloq,
    )


def _require_unit(text: str, column: str) -> None:
    if text.casefold() != UNIT.casefold():
        raise _Wrong(column, text, f"Concentrations are taken in {UNIT}. Ask the laboratory for a file in {UNIT}.")


def _analyte(text: str, column: str) -> str:
    name = text.casefold()
    known = _OTHER_NAMES.get(name, name)
    if known not in ANALYTES:
        raise _Wrong(column, text, f"No such analyte is known; {', '.join(ANALYTES)} are.")
    return known


def _times(cells: Mapping[str, str], names: Mapping[str, str]) -> tuple[int, float]:
    nominal, actual = (_minutes(cells[key], names[key]) for key in ("nominal", "actual"))
    if nominal != int(nominal):
        raise _Wrong(names["nominal"], cells["nominal"], "A nominal time is a whole number of minutes.")
    if nominal > 0 >= actual:
        raise _Wrong(names["actual"], cells["actual"], "The sample was taken before the infusion started.")
    if nominal <= 0 < actual:
        raise _Wrong(names["actual"], cells["actual"], "Planned before the infusion, taken after its start.")
    return int(nominal), actual


def _minutes(text: str, column: str) -> float:
    plain = text.replace("\u2212", "-")
    if not _MINUTE.fullmatch(plain):
        raise _Wrong(column, text, "Times are minutes from the start of the infusion, as in -15 or 41.5.")
    low, high = _MINUTES
    if not low <= float(plain) <= high:
        raise _Wrong(column, text, f"Times lie between {low} and {high} minutes from the start of the infusion.")
    return float(plain)


def _level(text: str, column: str, lloq: float) -> float | None:
    """A concentration in ng/mL, or None below the limit."""
    if text.casefold() in _BELOW:
        return None
    if text.startswith("<"):
        limit = _quantity(text[1:].strip(), column, shown=text)
        if limit != lloq:
            raise _Wrong(column, text, f"The limit here is not the lower limit of quantification beside it, {lloq:g}.")
        return None
    value = _quantity(text, column)
    if value < lloq:
        raise _Wrong(column, text, f"The value is below the limit of {lloq:g}: write <{lloq:g} or BLQ.")
    return value


def _quantity(text: str, column: str, *, shown: str | None = None) -> float:
    met = text if shown is None else shown
    if not text:
        raise _Wrong(column, "", "There is no result: give one, or leave the row out.")
    if re.fullmatch(r"[0-9]+,[0-9]+", text):
        raise _Wrong(column, met, "A decimal point is needed, not a comma.")
    if re.fullmatch(r"[-\u2212][0-9.]+", text):
        raise _Wrong(column, met, "A concentration is not negative.")
    if not _NUMBER.fullmatch(text) or not isfinite(float(text)):
        raise _Wrong(column, met, "This is no number; below the limit write BLQ or < and the limit.")
    return float(text)


def _twice(samples: list[Sample], columns: Columns) -> Iterator[Refusal]:
    first: dict[tuple[str, str, int], int] = {}
    for sample in samples:
        if sample.key in first:
            why = f"This sample of {sample.participant} stands in row {first[sample.key]} already."
            yield Refusal(sample.row, columns.nominal, str(sample.nominal), why)
        first.setdefault(sample.key, sample.row)


def _out_of_order(samples: list[Sample], columns: Columns) -> Iterator[Refusal]:
    """A later sample was drawn later; and there is one before the infusion, not two."""
    by_profile: dict[tuple[str, str], dict[int, Sample]] = {}
    for sample in samples:
        by_profile.setdefault((sample.participant, sample.analyte), {}).setdefault(sample.nominal, sample)
    for profile in by_profile.values():
        ordered = [profile[nominal] for nominal in sorted(profile)]
        for earlier, later in pairwise(ordered):
            if later.nominal <= 0:
                why = f"There is another sample before the infusion, in row {earlier.row}."
                yield Refusal(later.row, columns.nominal, str(later.nominal), why)
            elif later.actual <= earlier.actual:
                why = f"Taken no later than the sample before it, in row {earlier.row}."
                yield Refusal(later.row, columns.actual, f"{later.actual:g}", why)
