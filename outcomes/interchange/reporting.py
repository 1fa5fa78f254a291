"""What an import took, changed and left out: the same report on a page, on the command line and in the records."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from outcomes.imports.refusals import Refusal
from outcomes.interchange.cells import Address, Cell
from outcomes.interchange.definitions import Definitions, read_definitions
from outcomes.interchange.difference import values
from outcomes.interchange.document import FORMATS
from outcomes.interchange.element import Element
from outcomes.interchange.planning import Plan

LISTED = 500
HIDDEN = "(identifying: not shown)"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a report: where, what, and (for a change) what was stored."""

    line: int
    place: str
    value: str
    why: str
    stored: str = ""


@dataclass(frozen=True, slots=True)
class FormCount:
    """How many values of a form were new, stored otherwise, and stored so already."""

    form: str
    new: int
    changed: int
    equal: int


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of values, and what anyone has to know of single ones. Lists are cut after LISTED rows; counts are not.

    taken: new values. corrected: replaced, with the reason. left_out: changed or doubtful, and left as they are.
    kept_in_doubt: taken although they break their definition. equal: stored so already. absent: stored and not there.
    """

    format: str
    name: str
    sha256: str
    subjects: int
    taken: int
    corrected: int
    left_out: int
    kept_in_doubt: int
    equal: int
    absent: int
    reason: str
    definitions: dict[str, int]
    forms: tuple[FormCount, ...]
    changes: tuple[Line, ...]
    doubts: tuple[Line, ...]
    remarks: tuple[Line, ...]
    changed_as: str
    doubtful_as: str

    @property
    def digest(self) -> str:
        """What was shown, in short: whoever takes a file says which difference they saw."""
        shown = {**self.as_json(), "reason": "", "changed_as": "", "doubtful_as": "", "left_out": 0, "corrected": 0}
        shown["kept_in_doubt"] = 0
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """For storing."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Report:
        """What `as_json` gave."""
        lines = {name: tuple(Line(**line) for line in stored[name]) for name in ("changes", "doubts", "remarks")}
        return cls(**{**stored, **lines, "forms": tuple(FormCount(**form) for form in stored["forms"])})


def report_of(planned: Plan, *, changed: str, doubtful: str, reason: str) -> Report:
    """The report of an import, or (with the choices that were not made yet) of what it would do."""
    difference, doubts = planned.difference, planned.doubts
    changes = values(change.cell for change in difference.changed)
    definitions = planned.definitions
    return Report(
        format=FORMATS[planned.document.format],
        name=planned.document.name,
        sha256=planned.document.sha256,
        subjects=len(planned.document.subjects),
        taken=values(difference.new),
        corrected=changes if changed == "correct" else 0,
        left_out=(changes if changed != "correct" else 0) + (len(doubts) if doubtful != "keep" else 0),
        kept_in_doubt=len(doubts) if doubtful == "keep" else 0,
        equal=values(difference.equal),
        absent=difference.absent,
        reason=reason,
        definitions={
            "new": len(definitions.new),
            "changed": len(definitions.changed),
            "equal": len(definitions.equal),
            "absent": len(definitions.absent),
        },
        forms=tuple(_forms(planned)),
        changes=tuple(_changes(planned))[:LISTED],
        doubts=tuple(_doubts(planned))[:LISTED],
        remarks=tuple(_line(remark, _identifying(planned)) for remark in planned.document.remarks[:LISTED]),
        changed_as=changed,
        doubtful_as=doubtful,
    )


def _forms(planned: Plan) -> list[FormCount]:
    new, equal = _by_form(planned.difference.new), _by_form(planned.difference.equal)
    changed = _by_form(change.cell for change in planned.difference.changed)
    oids = dict.fromkeys((*new, *changed, *equal))
    forms = _definitions(planned).forms
    return [
        FormCount(forms[oid].name or oid if oid in forms else oid, new[oid], changed[oid], equal[oid]) for oid in oids
    ]


def _by_form(cells: Iterable[Cell]) -> Counter[str]:
    return Counter(cell.address.form for cell in cells if cell.is_value)


def _identifying(planned: Plan) -> frozenset[str]:
    """Items whose values say who somebody is: shown to nobody, as a report is read by more people than the file."""
    return frozenset(oid for oid, item in _definitions(planned).items.items() if item.identifying)


def _definitions(planned: Plan) -> Definitions:
    study = planned.document.study or planned.stored or Element("Study")
    return read_definitions(study, planned.document.version_oid)


def _changes(planned: Plan) -> Iterator[Line]:
    hidden = _identifying(planned)
    for change in planned.difference.changed[:LISTED]:
        cell = change.cell
        new, old = "(removed)" if cell.removed else cell.value or "", change.stored.value or ""
        if not cell.is_value:
            new, old = "(what the file says of it)", "(otherwise)"
        if cell.address.item in hidden:
            new = old = HIDDEN
        yield Line(cell.line, said_of(cell.address), new, "", old)


def _doubts(planned: Plan) -> Iterator[Line]:
    hidden = _identifying(planned)
    for doubt in planned.doubts[:LISTED]:
        cell = doubt.cell
        value = HIDDEN if cell.address.item in hidden else cell.value or ""
        yield Line(cell.line, said_of(cell.address), value, doubt.refusal.why)


def said_of(address: Address) -> str:
    """An address as people say it: subject, event, form (with its repeat) and item."""
    event, form = address.event.removeprefix("Event."), address.form.removeprefix("Form.")
    parts = [address.subject]
    for name, repeat in ((event, address.event_repeat), (form, address.form_repeat)):
        if name:
            parts.append(f"{name} ({repeat})" if repeat not in {"", "1"} else name)
    return " · ".join([*parts, *([address.item] if address.item else [])])


def _line(refusal: Refusal, hidden: frozenset[str]) -> Line:
    value = HIDDEN if refusal.column.rpartition(" / ")[2] in hidden else refusal.value
    return Line(refusal.row, refusal.column, value, refusal.why)


def described(report: Report) -> Sequence[str]:
    """The report in lines of text."""
    parts = [
        f"{report.format}: {report.name} (SHA-256 {report.sha256})",
        f"{report.subjects} subjects; values: {report.taken} new, {len(report.changes)} changed, {report.equal} equal,"
        f" {len(report.doubts)} in doubt; {report.absent} stored and not in the file",
        "definitions: " + ", ".join(f"{count} {name}" for name, count in report.definitions.items()),
    ]
    parts += [f"  {form.form}: {form.new} new, {form.changed} changed, {form.equal} equal" for form in report.forms]
    parts += [f"  {_place(line)}: stored {line.stored!r}, in the file {line.value!r}" for line in report.changes]
    parts += [f"  in doubt, {_place(line)}: {line.value!r}: {line.why}" for line in report.doubts]
    parts += [f"  note, {_place(line)}: {line.why}" for line in report.remarks]
    return parts


def _place(line: Line) -> str:
    return f"row {line.line}, {line.place}" if line.line else line.place or "the file"
