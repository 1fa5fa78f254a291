"""The audit trail in words: who changed what, when, from what to what, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import FieldDoesNotExist
from django.db.models import DateField, DateTimeField, Model, Q, QuerySet
from django.utils.dateparse import parse_date, parse_datetime

from studies.models import AuditEvent, Participant, User, record_kinds
from studies.permissions import may_read_audit, may_see_arm_revealing, require
from studies.protocol.arm_revealing import Revealing

# That there is one at all would tell it.
UNTOLD_KINDS = frozenset({"safetyalert"})
# Kinds whose values stand in the trail under other names than their fields have.
_VALUES = {
    "responseitem": frozenset({"value", "missing_reason"}),
    "qsttrial": frozenset({"value", "missing_reason"}),
    "finding": frozenset({"number", "text"}),
}
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
    username: str
    why: str
    operation: str
    record: str
    address: tuple[str, int]
    lines: tuple[Line, ...]
    simulated: bool


def of_participant(
    user: User,
    participant: Participant,
    *,
    revealing: Revealing | None = None,
    revealing_responses: frozenset[int] = frozenset(),
) -> QuerySet[AuditEvent]:
    """The trail of everything that belongs to a participant, as far as its events are told of. Raises NotAllowed.

    Of whole kinds that tell the arm there is no event here for those who may not see them: a page with a line less, or
    one page more, would say that there was one. revealing, revealing_responses: as `in_words` takes them.
    """
    require(may_read_audit(user, participant.site), "read the history of this participant")
    events = AuditEvent.objects.filter(participant=participant)
    if may_see_arm_revealing(user, participant.site):
        return events
    marks = revealing or Revealing.of([participant.protocol_version.definition])
    alerts = participant.safety_alerts.filter(_raised_by(marks, revealing_responses)).values("pk")
    return events.exclude(kind__in=marks.records).exclude(kind__in=UNTOLD_KINDS, record__in=alerts)


def in_words(
    user: User,
    participant: Participant,
    events: Iterable[AuditEvent],
    *,
    revealing: Revealing | None = None,
    revealing_responses: frozenset[int] = frozenset(),
    record_names: Mapping[tuple[str, int], str] | None = None,
    field: str = "",
) -> list[Change]:
    """Events in words, in the order given; moments on the clock of the participant's site.

    revealing: what tells the arm of this participant (without it, what the protocol marks), and revealing_responses:
    keys of responses that do; their values are hidden from those who may not see them. record_names: what measurement
    calls its records, by (kind, record). field: only changes of this field (or item).
    """
    events = list(events)
    sees_all = may_see_arm_revealing(user, participant.site)
    marks = revealing or Revealing.of([participant.protocol_version.definition])
    told_by = frozenset() if sees_all else _revealing(participant, marks, revealing_responses)
    names = _Names(participant, events, record_names or {})
    changes = []
    for event in events:
        whole = not sees_all and (marks.tells(event.kind) or (event.kind, event.record) in told_by)
        hidden = frozenset() if sees_all else None if whole else _kept(marks, event.kind)
        told = not (whole and event.kind in UNTOLD_KINDS | marks.records)
        lines = tuple(_lines(event, names, hidden=hidden, field=field)) if told else ()
        if lines:
            changes.append(_change(event, names, lines))
    return changes


def _revealing(participant: Participant, marks: Revealing, responses: frozenset[int]) -> frozenset[tuple[str, int]]:
    """The (kind, record) of everything that came from arm-revealing responses or forms, or from the bedside."""
    raised = _raised_by(marks, responses)
    telling = raised | Q(source_kind="infusion") | Q(key__in=marks.findings)
    findings = participant.findings.filter(telling).values_list("pk", flat=True)
    alerts = participant.safety_alerts.filter(raised).values_list("pk", flat=True)
    found: dict[str, Iterable[int]] = {
        "response": responses,
        "responseitem": responses,
        "finding": findings,
        "safetyalert": alerts,
    }
    return frozenset((kind, key) for kind, keys in found.items() for key in keys)


def _raised_by(marks: Revealing, responses: frozenset[int]) -> Q:
    """What says what telling records said: as revealing as those."""
    return Q(source_kind="response", source_record__in=responses) | Q(source_kind__in=marks.records)


def _kept(marks: Revealing, kind: str) -> frozenset[str] | None:
    """Which values of an event are not told; None for all: an answer's value stands under the answer's name."""
    fields = marks.columns(kind)
    if kind == "response" and (marks.tells("score") or marks.columns("score")):
        # A changed score is told by the response that it belongs to, as "score" and its name.
        fields |= {"score", "scoring"}
    if kind == "qstsession" and (marks.tells("qstvalue") or marks.columns("qstvalue")):
        # So is a changed QST value, by its session.
        fields |= {"value", "reference", "rules"}
    return None if fields & _VALUES.get(kind, frozenset()) else fields


def _change(event: AuditEvent, names: _Names, lines: tuple[Line, ...]) -> Change:
    return Change(
        at=event.simulated_at or event.at,
        who=names.people.get(event.actor, event.actor),
        username=event.actor,
        why=HIDDEN if event.reason and any(HIDDEN in (line.was, line.became) for line in lines) else event.reason,
        operation=event.get_operation_display(),
        record=names.record(event),
        address=(event.kind, event.record),
        lines=lines,
        simulated=event.simulated_at is not None,
    )


def _lines(event: AuditEvent, names: _Names, *, hidden: frozenset[str] | None, field: str) -> Iterable[Line]:
    """The values of an event; hidden: names of those that are not told, None for all."""
    old, new = event.old or {}, event.new or {}
    if event.kind == "finding":
        yield names.finding(event, hidden=hidden is None)
        return
    for name in [*new, *(n for n in old if n not in new)]:
        empty = event.operation == "insert" and new[name] in (None, "", [])
        if name in ("id", "participant_id", "study_id") or empty or field not in ("", name):
            continue
        kept = hidden is None or name.partition(" ")[0].removesuffix("_id") in hidden
        yield Line(
            field_label(event.kind, name),
            HIDDEN if kept and name in old else names.text(event.kind, name, old.get(name)),
            HIDDEN if kept else names.text(event.kind, name, new.get(name)),
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

    def __init__(
        self, participant: Participant, events: Sequence[AuditEvent], records: Mapping[tuple[str, int], str]
    ) -> None:
        self._zone = ZoneInfo(participant.site.time_zone)
        self._plans = {plan.key: plan for plan in participant.protocol_version.definition.findings}
        self._findings = dict(participant.findings.values_list("pk", "key"))
        visits = participant.visits.values_list("pk", "code")
        criteria = participant.criteria.values_list("pk", "criterion")
        self._records = {("visit", pk): f"Visit {code}" for pk, code in visits} | dict(records)
        self._records |= {("criterionresult", pk): f"Criterion {criterion}" for pk, criterion in criteria}
        people = User.objects.filter(username__in={event.actor for event in events})
        self.people = {user.username: user.display_name for user in people}
        self._rows: dict[tuple[type[Model], Any], str] = {}
        for model, keys in _named(events).items():
            rows = model._default_manager.filter(pk__in=keys)
            self._rows |= {(model, row.pk): str(row) for row in rows}

    def record(self, event: AuditEvent) -> str:
        """What a record is called: by its kind, unless it has a name of its own."""
        return self._records.get((event.kind, event.record), kind_label(event.kind))

    def finding(self, event: AuditEvent, *, hidden: bool) -> Line:
        """A finding under the label that the protocol gives it; where it came from is told by its record."""
        old, new = event.old or {}, event.new or {}
        key = self._findings.get(event.record) or new.get("key") or old.get("key") or ""
        label = self._plans[key].label if key in self._plans else key.replace("_", " ").capitalize()
        was, became = (self._found(key, values) for values in (old, new))
        if hidden:
            return Line(kind_label("finding"), HIDDEN if was else "", HIDDEN)
        return Line(label, was, became)

    def _found(self, key: str, values: Mapping[str, Any]) -> str:
        if values.get("text"):
            return str(values["text"])
        number = values.get("number")
        if number is None:
            return ""
        plan = self._plans.get(key)
        if plan is not None and plan.type == "yes_no":
            return "yes" if number else "no"
        return f"{float(number):.6g} {plan.unit if plan else ''}".rstrip()

    def text(self, kind: str, name: str, value: Any) -> str:
        """The label of a choice, yes or no, the name of a row, a day, a date and time at the site."""
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
        if found is None:
            return str(value).replace("_", " ")
        if isinstance(found, DateTimeField) and (moment := parse_datetime(str(value))):
            return f"{moment.astimezone(self._zone):%-d %b %Y %H:%M}"
        if isinstance(found, DateField) and (day := parse_date(str(value))):
            return f"{day:%-d %b %Y}"
        return str(value)

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
