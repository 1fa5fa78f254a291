"""The audit trail in words: who changed what, when, from what to what, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, QuerySet
from django.utils.dateparse import parse_datetime

from studies.models import AuditEvent, Participant, User, record_kinds
from studies.permissions import may_read_audit, may_see_arm_revealing, require

# Kinds whose values would tell the arm to those who rate or analyse efficacy.
ARM_REVEALING_KINDS = frozenset({"reading", "safetyevent"})
HIDDEN = "kept at the infusion unit"


@dataclass(frozen=True, slots=True)
class Line:
    """One value of a change: texts for people; empty means nothing."""

    field: str
    was: str
    became: str


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one record: when, by whom, why, and which values. `address` is (kind, record)."""

    at: datetime
    who: str
    why: str
    operation: str
    record: str
    address: tuple[str, int]
    lines: tuple[Line, ...]
    simulated: bool


def of_participant(user: User, participant: Participant) -> QuerySet[AuditEvent]:
    """The trail of everything that belongs to a participant, newest first. Raises NotAllowed."""
    require(may_read_audit(user, participant.site), "read the history of this participant")
    return AuditEvent.objects.filter(participant=participant)


def of_record(user: User, participant: Participant, *, kind: str, record: int) -> QuerySet[AuditEvent]:
    """The trail of one record of a participant, newest first. Raises NotAllowed."""
    return of_participant(user, participant).filter(kind=kind, record=record)


def in_words(
    user: User,
    participant: Participant,
    events: Iterable[AuditEvent],
    *,
    revealing_responses: frozenset[int] = frozenset(),
    field: str = "",
) -> list[Change]:
    """Events in words, in the order given.

    revealing_responses: keys of responses to arm-revealing instruments, whose values are hidden from those who
    may not see them. field: only changes of this field (or item).
    """
    sees_all = may_see_arm_revealing(user, participant.site)
    names = _Names()
    changes = []
    for event in events:
        lines = tuple(_lines(event, names, hidden=not sees_all and _reveals(event, revealing_responses), field=field))
        if lines:
            changes.append(_change(event, lines))
    return changes


def _reveals(event: AuditEvent, responses: frozenset[int]) -> bool:
    if event.kind in ARM_REVEALING_KINDS:
        return True
    # An event of answers is one of their response (docs/adr/0003).
    return event.kind in ("response", "responseitem") and event.record in responses


def _change(event: AuditEvent, lines: tuple[Line, ...]) -> Change:
    return Change(
        at=event.simulated_at or event.at,
        who=event.actor,
        why=event.reason,
        operation=event.get_operation_display(),
        record=kind_label(event.kind),
        address=(event.kind, event.record),
        lines=lines,
        simulated=event.simulated_at is not None,
    )


def _lines(event: AuditEvent, names: _Names, *, hidden: bool, field: str) -> Iterable[Line]:
    old, new = event.old or {}, event.new or {}
    for name in [*new, *(n for n in old if n not in new)]:
        empty = event.operation == "insert" and new[name] in (None, "", [])
        if name in ("id", "participant_id", "study_id") or empty or field not in ("", name):
            continue
        yield Line(
            field_label(event.kind, name),
            HIDDEN if hidden and name in old else names.text(event.kind, name, old.get(name)),
            HIDDEN if hidden else names.text(event.kind, name, new.get(name)),
        )


def kind_label(kind: str) -> str:
    """A record kind in words."""
    model = record_kinds().get(kind)
    return str(model._meta.verbose_name).capitalize() if model else kind


def field_label(kind: str, name: str) -> str:
    """A field's name in words; items of a questionnaire keep their number."""
    found = _field(kind, name)
    return str(found.verbose_name).capitalize() if found is not None else name


class _Names:
    """Stored values as people read them; a row that is named many times is read once."""

    def __init__(self) -> None:
        self._rows: dict[tuple[type[Model], Any], str] = {}

    def text(self, kind: str, name: str, value: Any) -> str:
        """The label of a choice, yes or no, the name of a row, a date and time in UTC."""
        if value is None or value == "":
            return ""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list):
            return ", ".join(str(v) for v in value)
        if isinstance(value, Mapping):
            return ", ".join(f"{k} {v}" for k, v in value.items())
        found = _field(kind, name)
        if found is not None and found.related_model is not None:
            return self._row(found.related_model, value)
        if found is not None and found.choices:
            return str(dict(found.flatchoices).get(value, value))
        moment = parse_datetime(value) if isinstance(value, str) and "T" in value else None
        return f"{moment:%d %b %Y %H:%M} UTC" if moment else str(value)

    def _row(self, model: type[Model], key: Any) -> str:
        if (model, key) not in self._rows:
            row = model._default_manager.filter(pk=key).first()
            self._rows[model, key] = str(row) if row else f"no longer there ({key})"
        return self._rows[model, key]


def _field(kind: str, name: str) -> Any:
    model = record_kinds().get(kind)
    if model is None:
        return None
    try:
        return model._meta.get_field(name.removesuffix("_id"))
    except FieldDoesNotExist:
        return None
