"""The audit trail in words: who changed what, when, from what to what, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, Q, QuerySet
from django.utils.dateparse import parse_datetime

from studies.models import AuditEvent, Participant, User, record_kinds
from studies.permissions import may_read_audit, may_see_arm_revealing, require

# Kinds whose values would tell the arm to those who rate or analyse efficacy.
ARM_REVEALING_KINDS = frozenset({"reading", "safetyevent"})
# That there is one at all would tell it.
UNTOLD_KINDS = frozenset({"safetyevent", "safetyalert"})
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
    events = list(events)
    sees_all = may_see_arm_revealing(user, participant.site)
    revealing = frozenset() if sees_all else _revealing(participant, revealing_responses)
    names = _Names(events)
    changes = []
    for event in events:
        hidden = not sees_all and (event.kind in ARM_REVEALING_KINDS or (event.kind, event.record) in revealing)
        told = not (hidden and event.kind in UNTOLD_KINDS)
        lines = tuple(_lines(event, names, hidden=hidden, field=field)) if told else ()
        if lines:
            changes.append(_change(event, lines))
    return changes


def _revealing(participant: Participant, responses: frozenset[int]) -> frozenset[tuple[str, int]]:
    """The (kind, record) of everything that came from arm-revealing responses or from the bedside."""
    raised = Q(source_kind="response", source_record__in=responses)
    findings = participant.findings.filter(raised | Q(source_kind="infusion")).values_list("pk", flat=True)
    alerts = participant.safety_alerts.filter(raised).values_list("pk", flat=True)
    found: dict[str, Iterable[int]] = {
        "response": responses,
        "responseitem": responses,
        "finding": findings,
        "safetyalert": alerts,
    }
    return frozenset((kind, key) for kind, keys in found.items() for key in keys)


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
    """Stored values as people read them; all rows that the events name are read at once."""

    def __init__(self, events: Iterable[AuditEvent]) -> None:
        self._rows: dict[tuple[type[Model], Any], str] = {}
        for model, keys in _named(events).items():
            rows = model._default_manager.filter(pk__in=keys)
            self._rows |= {(model, row.pk): str(row) for row in rows}

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
        return self._rows.get((model, key), f"no longer there ({key})")


def _named(events: Iterable[AuditEvent]) -> dict[type[Model], set[Any]]:
    """The rows that events name by their keys, by model: read together, not one by one."""
    named: dict[type[Model], set[Any]] = {}
    for event in events:
        for values in (event.old or {}, event.new or {}):
            for name, key in values.items():
                found = _field(event.kind, name)
                if found is not None and found.related_model is not None and key is not None:
                    named.setdefault(found.related_model, set()).add(key)
    return named


def _field(kind: str, name: str) -> Any:
    model = record_kinds().get(kind)
    if model is None:
        return None
    try:
        return model._meta.get_field(name.removesuffix("_id"))
    except FieldDoesNotExist:
        return None
