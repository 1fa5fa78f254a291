"""Adverse events: reporting and correcting them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Max
from django.utils import timezone

from studies import partial_dates
from studies.acting import verb
from studies.consents import require_collection
from studies.errors import InvalidEntries, InvalidEntry
from studies.models import AdverseEvent, Infusion, Participant, User
from studies.permissions import may_report_adverse_event, require

SERIOUSNESS = {
    "death": "Death",
    "life_threatening": "Life-threatening",
    "hospitalisation": "Hospitalisation or its prolongation",
    "disability": "Disability",
    "congenital_anomaly": "Congenital anomaly",
    "other": "Other medically important condition",
}


@dataclass(frozen=True, slots=True)
class AdverseEventEntry:
    """What is reported of one event. Dates are partial ISO 8601 texts; grade is CTCAE v5, 1 to 5."""

    term: str
    started_on: str
    grade: int
    relatedness: str
    outcome: str
    ended_on: str = ""
    serious: bool = False
    seriousness: list[str] = field(default_factory=list)


@verb(because="adverse event reported")
def report(user: User, *, participant: Participant, entry: AdverseEventEntry) -> AdverseEvent:
    """Report an adverse event. Raises NotAllowed, ConsentMissing, InvalidEntries (all mistakes at once)."""
    require(may_report_adverse_event(user, participant.site), "report adverse events here")
    require_collection(participant)
    _check(participant, entry)
    # The row of the participant is locked so that two reports get two numbers.
    Participant.objects.select_for_update().get(pk=participant.pk)
    last = participant.adverse_events.aggregate(last=Max("number"))["last"] or 0
    return AdverseEvent.objects.create(
        participant=participant,
        number=last + 1,
        treatment_emergent=_treatment_emergent(participant, entry.started_on),
        **asdict(entry),
    )


@verb(because="adverse event corrected")
def correct(user: User, *, adverse_event: AdverseEvent, reason: str, changes: dict[str, Any]) -> AdverseEvent:
    """Change what was reported of an event. Raises NotAllowed, InvalidEntry without a reason, InvalidEntries."""
    require(may_report_adverse_event(user, adverse_event.participant.site), "correct adverse events here")
    if not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")
    names = AdverseEventEntry.__dataclass_fields__
    entry = AdverseEventEntry(**{name: changes.get(name, getattr(adverse_event, name)) for name in names})
    _check(adverse_event.participant, entry)
    for name, value in asdict(entry).items():
        setattr(adverse_event, name, value)
    adverse_event.treatment_emergent = _treatment_emergent(adverse_event.participant, entry.started_on)
    adverse_event.save()
    return adverse_event


def _check(participant: Participant, entry: AdverseEventEntry) -> None:
    problems: list[InvalidEntry] = []
    for name in ("started_on", "ended_on"):
        if name == "started_on" or entry.ended_on:
            try:
                partial_dates.check(getattr(entry, name), field=name)
            except InvalidEntry as problem:
                problems.append(problem)
    if not entry.term.strip():
        problems.append(InvalidEntry("Say what happened.", field="term"))
    if entry.grade not in range(1, 6):
        problems.append(InvalidEntry(f"Grade is {entry.grade}; CTCAE grades are 1 to 5.", field="grade"))
    if unknown := set(entry.seriousness) - set(SERIOUSNESS):
        problems.append(
            InvalidEntry(f"Unknown criterion {sorted(unknown)[0]!r}; choose from the list.", field="seriousness")
        )
    if entry.serious != bool(entry.seriousness):
        problems.append(InvalidEntry("A serious event names at least one criterion.", field="seriousness"))
    if entry.relatedness not in AdverseEvent.Relatedness.values:
        problems.append(InvalidEntry("Say how the event is related to the study drug.", field="relatedness"))
    if entry.outcome not in AdverseEvent.Outcome.values:
        problems.append(InvalidEntry("Say what became of it.", field="outcome"))
    if not problems:
        problems += _problems_of_time(participant, entry)
    if problems:
        raise InvalidEntries(problems)


def _problems_of_time(participant: Participant, entry: AdverseEventEntry) -> list[InvalidEntry]:
    """What cannot be of two partial dates: an end before the start, or anything that has not happened yet."""
    today = timezone.now().astimezone(ZoneInfo(participant.site.time_zone)).date()
    dates = {name: getattr(entry, name) for name in ("started_on", "ended_on") if getattr(entry, name)}
    problems = [
        InvalidEntry(f"{text} lies in the future; today is {today}. Give the day as it was told.", field=name)
        for name, text in dates.items()
        if partial_dates.bounds(text)[0] > today
    ]
    if entry.ended_on and partial_dates.bounds(entry.ended_on)[1] < partial_dates.bounds(entry.started_on)[0]:
        problems.append(
            InvalidEntry(
                f"The event ends ({entry.ended_on}) before it starts ({entry.started_on}). Check both.",
                field="ended_on",
            )
        )
    return problems


def _treatment_emergent(participant: Participant, started_on: str) -> bool:
    """Onset at or after the day of the infusion; a partial date counts if it can be so (the cautious side)."""
    infusion = Infusion.objects.filter(participant=participant).first()
    if infusion is None:
        return False
    day0 = infusion.started_at.astimezone(ZoneInfo(participant.site.time_zone)).date()
    return partial_dates.bounds(started_on)[1] >= day0
