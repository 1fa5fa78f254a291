"""Reference values of healthy people: a file with its provenance, sealed by a checksum, matched exactly.

No published reference is shipped: none could be had under a licence that allows it. SYNTH-1 is synthetic, with round
numbers, for tests and demonstrations only; it must never be used to judge a patient.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Literal, cast

from outcomes.qst.parameters import PARAMETERS

SYNTHETIC_REFERENCE = Path(__file__).resolve().parent / "reference" / "synth-1.csv"
_IDENTITY = ("ref_id", "source_citation", "licence", "checksum")


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """Mean and SD of one parameter in healthy people of one area, sex and age (whole years, both ends included).

    mean and sd are in the transformed scale: log10 or the parameter's unit. n: people measured. side_diff_sd: SD of
    the difference between two sides, in the same scale, where it is known.
    """

    parameter: str
    area: str
    sex: Literal["F", "M"]
    age_lo: int
    age_hi: int
    scale: Literal["log10", "raw"]
    mean: float
    sd: float
    n: int
    side_diff_sd: float | None = None

    @property
    def gain_sign(self) -> Literal[-1, 0, 1]:
        """What turns a higher value into a gain of function."""
        return PARAMETERS[self.parameter].gain_sign


@dataclass(frozen=True)
class Reference:
    """A reference table: its name, where it comes from, its licence, and the checksum its rows were sealed with."""

    ref_id: str
    source_citation: str
    licence: str
    checksum: str
    rows: tuple[ReferenceRow, ...]

    def row(self, parameter: str, *, area: str, sex: str, age: int) -> ReferenceRow:
        """The row for a person. Raises NoReferenceRow: the nearest age, the other sex or area is not taken instead."""
        for row in self._by_kind.get((parameter, area, sex), ()):
            if row.age_lo <= age <= row.age_hi:
                return row
        raise NoReferenceRow(f"{self.ref_id} has no row for {parameter}, {area}, {sex}, {age} years: no z-score.")

    @cached_property
    def _by_kind(self) -> dict[tuple[str, str, str], list[ReferenceRow]]:
        kinds: dict[tuple[str, str, str], list[ReferenceRow]] = defaultdict(list)
        for row in self.rows:
            kinds[row.parameter, row.area, row.sex].append(row)
        return kinds


class NoReferenceRow(LookupError):
    """A reference table does not cover a person, so there is no z-score."""


class ReferenceInvalid(ValueError):
    """A reference file that cannot be used, with every reason."""


@cache
def load_reference(path: Path) -> Reference:
    """Read a reference file. Raises ReferenceInvalid; OSError when it cannot be read."""
    return read_reference(path.read_text(encoding="utf-8"), source=path.name)


def read_reference(text: str, *, source: str) -> Reference:
    """Read the text of a reference file (CSV, the columns of `ReferenceRow` after ref_id, source_citation, licence,
    checksum). source: its name, for messages.

    Raises ReferenceInvalid with every wrong line: unknown parameters, another scale than the parameter's, SD not
    above 0, ages that overlap, or rows that are not those that were sealed.
    """
    lines = list(csv.DictReader(io.StringIO(text)))
    columns = [*_IDENTITY, *(field.name for field in fields(ReferenceRow))]
    if not lines or list(lines[0]) != columns:
        raise ReferenceInvalid(f"{source}: the columns must be {', '.join(columns)}, with at least one row.")
    problems, rows = [], []
    for number, line in enumerate(lines, 2):
        try:
            rows.append(_row(line))
        except (ValueError, TypeError, KeyError) as error:
            problems.append(f"line {number}: {error}")
    problems += _mixed(lines) + list(_overlaps(rows))
    if not problems and lines[0]["checksum"] != checksum_of(lines):
        problems.append(f"the rows were changed after they were sealed; their checksum is {checksum_of(lines)}")
    if problems:
        raise ReferenceInvalid("\n".join([f"{source}:", *(f"  {problem}" for problem in problems)]))
    first = lines[0]
    return Reference(first["ref_id"], first["source_citation"], first["licence"], first["checksum"], tuple(rows))


def checksum_of(lines: Sequence[Mapping[str, str]]) -> str:
    """The SHA-256 of a table's rows as text, without the checksum column: 64 hexadecimal digits."""
    content = "\n".join(",".join(value for name, value in line.items() if name != "checksum") for line in lines)
    return hashlib.sha256(content.encode()).hexdigest()


def _row(line: Mapping[str, str]) -> ReferenceRow:
    if None in line or None in line.values():
        raise ValueError("the line does not have a cell for each column.")
    parameter = PARAMETERS.get(line["parameter"])
    if parameter is None or parameter.scale == "none":
        raise ValueError(f"{line['parameter']!r} is no parameter with a z-score.")
    if line["scale"] != parameter.scale:
        raise ValueError(f"{parameter.code} is judged on the scale {parameter.scale}, not {line['scale']}.")
    if line["sex"] not in ("F", "M"):
        raise ValueError(f"sex is {line['sex']!r}; allowed is F or M.")
    row = ReferenceRow(
        parameter=parameter.code,
        area=line["area"],
        sex=cast('Literal["F", "M"]', line["sex"]),
        age_lo=int(line["age_lo"]),
        age_hi=int(line["age_hi"]),
        scale=parameter.scale,
        mean=float(line["mean"]),
        sd=float(line["sd"]),
        n=int(line["n"]),
        side_diff_sd=float(line["side_diff_sd"]) if line["side_diff_sd"] else None,
    )
    if not (row.sd > 0 and row.n > 1 and row.age_lo <= row.age_hi and (row.side_diff_sd or 1) > 0):
        raise ValueError("sd and side_diff_sd must lie above 0, n above 1, and age_lo not above age_hi.")
    return row


def _mixed(lines: Iterable[Mapping[str, str]]) -> list[str]:
    """A file holds one table: its name, source, licence and checksum are the same on every line."""
    return [f"{name} differs between lines" for name in _IDENTITY if len({line[name] for line in lines}) > 1]


def _overlaps(rows: Sequence[ReferenceRow]) -> Iterator[str]:
    ordered = sorted(rows, key=lambda row: (row.parameter, row.area, row.sex, row.age_lo))
    for one, next_one in pairwise(ordered):
        same = (one.parameter, one.area, one.sex) == (next_one.parameter, next_one.area, next_one.sex)
        if same and next_one.age_lo <= one.age_hi:
            yield f"{one.parameter}, {one.area}, {one.sex}: ages {next_one.age_lo} to {one.age_hi} stand twice"
