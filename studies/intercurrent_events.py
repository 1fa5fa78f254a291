"""Intercurrent events: recording and correcting those that nothing else in the trial's records tells."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from django.utils import timezone

from studies.acting import verb
from studies.consents import require_collection
from studies.errors import InvalidEntries, InvalidEntry
from studies.models import Allocation, IntercurrentEvent, Participant, User
from studies.permissions import may_record_intercurrent_event, require
from studies.protocol.analysis_plan import IntercurrentEvent as EventPlan
from studies.visits import site_day

# Read from the end of a participation and from the pump: nobody records them a second time.
_TOLD_ELSEWHERE = ("withdrawal", "infusion_incomplete")


@dataclass(frozen=True, slots=True)
class IntercurrentEventEntry:
    """What is recorded of one event: its number in the protocol, whole days, and what was taken or done."""

    event: str
    started_on: date
    description: str
    source: str
    ended_on: date | None = None


def recordable_events(participant: Participant) -> list[EventPlan]:
    """The events of the protocol's estimand that people record."""
    events = participant.protocol_version.definition.analysis.events
    return [e for e in events if e.recorded_as is None or e.recorded_as.kind not in _TOLD_ELSEWHERE]


@verb(because="intercurrent event recorded")
def record(user: User, *, participant: Participant, entry: IntercurrentEventEntry) -> IntercurrentEvent:
    """Record an event after randomisation.

    Raises NotAllowed, ConsentMissing, InvalidEntries; Contradiction for one that is recorded with this day already.
    """
    require(may_record_intercurrent_event(user, participant.site), "record intercurrent events here")
    require_collection(participant)
    _check(participant, entry)
    return IntercurrentEvent.objects.create(participant=participant, **asdict(entry))


@verb(because="intercurrent event corrected")
def correct(user: User, *, event: IntercurrentEvent, reason: str, changes: dict[str, Any]) -> IntercurrentEvent:
    """Change what was recorded of an event. Raises NotAllowed, InvalidEntry without a reason, InvalidEntries."""
    require(may_record_intercurrent_event(user, event.participant.site), "correct intercurrent events here")
    if not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")
    names = IntercurrentEventEntry.__dataclass_fields__
    entry = IntercurrentEventEntry(**{name: changes.get(name, getattr(event, name)) for name in names})
    _check(event.participant, entry)
    for name, value in asdict(entry).items():
        setattr(event, name, value)
    event.save()
    return event


def _check(participant: Participant, entry: IntercurrentEventEntry) -> None:
    problems: list[InvalidEntry] = []
    known = [plan.id for plan in recordable_events(participant)]
    if entry.event not in known:
        allowed = f"choose one of {', '.join(known)}" if known else "the protocol has none that is recorded"
        problems.append(InvalidEntry(f"Event is {entry.event!r}; {allowed}.", field="event"))
    if entry.source not in IntercurrentEvent.Source.values:
        problems.append(InvalidEntry("Say where this is known from.", field="source"))
    if not entry.description.strip():
        problems.append(InvalidEntry("Say what was taken or done, and how much.", field="description"))
    if problems := problems + _problems_of_time(participant, entry):
        raise InvalidEntries(problems)


def _problems_of_time(participant: Participant, entry: IntercurrentEventEntry) -> list[InvalidEntry]:
    """An event lies after randomisation, has happened, and ends after it starts."""
    problems = []
    today = site_day(participant, timezone.now())
    for name, day in (("started_on", entry.started_on), ("ended_on", entry.ended_on)):
        if day is not None and day > today:
            problems.append(
                InvalidEntry(f"{day:%-d %b %Y} lies in the future; today is {today:%-d %b %Y}.", field=name)
            )
    allocation = Allocation.objects.filter(participant=participant).first()
    if allocation is None:
        said = f"{participant} has not been randomised: before that, nothing is an intercurrent event."
        problems.append(InvalidEntry(said, field="started_on"))
    elif entry.started_on < (first := site_day(participant, allocation.allocated_at)):
        said = f"The event starts on {entry.started_on:%-d %b %Y}, before randomisation on {first:%-d %b %Y}."
        problems.append(
            InvalidEntry(f"{said} Check the day; what came before belongs to the history.", field="started_on")
        )
    if entry.ended_on is not None and entry.ended_on < entry.started_on:
        said = f"The event ends on {entry.ended_on:%-d %b %Y}, before it starts. Check both days."
        problems.append(InvalidEntry(said, field="ended_on"))
    return problems
