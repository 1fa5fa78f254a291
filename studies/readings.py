"""Vital signs and sedation scores by timepoint of the infusion clock; those before the start stand in its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from studies.acting import verb
from studies.bedside_rules import fire_rules
from studies.consents import require_collection
from studies.errors import AlreadyDone, InvalidEntries, InvalidEntry
from studies.infusions import plan_of
from studies.models import Infusion, Participant, Reading, SafetyEvent, User
from studies.permissions import may_run_infusion, require
from studies.protocol import plausibility
from studies.protocol.infusion import InfusionPlan

MISSING_REASONS = ("not_done", "refused", "equipment")


@dataclass(frozen=True, slots=True)
class ReadingEntry:
    """One vital sign or sedation score at a timepoint of the infusion clock: a value, or why there is none."""

    minute: int
    parameter: str
    taken_at: datetime
    value: Decimal | None
    missing_reason: str | None = None


def unusual(plan: InfusionPlan, readings: Sequence[ReadingEntry]) -> list[str]:
    """What is unusual about readings that may be saved: to be looked at again, not refused."""
    return [
        message
        for reading in readings
        if reading.value is not None and (message := plausibility.query(plan, reading.parameter, reading.value))
    ]


@verb(because="readings entered")
def record_readings(user: User, *, participant: Participant, readings: Sequence[ReadingEntry]) -> list[SafetyEvent]:
    """Save readings and return the safety rules that fired because of them, the severest first.

    Readings taken before the infusion starts join it when it starts, and may stand in the way of the start; none fires
    a rule before. Raises NotAllowed, ConsentMissing, AlreadyDone for a timepoint saved before, InvalidEntries naming
    every value that cannot be saved.
    """
    require(may_run_infusion(user, participant.site), "enter readings here")
    plan = plan_of(participant)
    infusion = Infusion.objects.filter(participant=participant).select_related("visit").first()
    if infusion is None:
        _refuse_before_the_start(participant, readings)
    _refuse_implausible(plan, readings)
    _refuse_repeated(participant, readings)
    Reading.objects.bulk_create(
        [Reading(participant=participant, infusion=infusion, **asdict(reading)) for reading in readings]
    )
    return _fired(participant, infusion, plan)


@verb(because="readings corrected")
def correct_readings(
    user: User, *, participant: Participant, minute: int, values: Mapping[str, Decimal], reason: str
) -> list[SafetyEvent]:
    """Change readings saved at a timepoint, {parameter: new value}, and return the rules that fire because of it.

    A rule that had fired stays: it is what people acted on. Raises NotAllowed, InvalidEntry without a reason,
    InvalidEntries naming every value out of range.
    """
    require(may_run_infusion(user, participant.site), "correct readings here")
    if not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")
    plan = plan_of(participant)
    saved = {r.parameter: r for r in participant.readings.select_for_update().filter(minute=minute)}
    if unknown := values.keys() - saved.keys():
        raise InvalidEntry(f"No {sorted(unknown)[0]} was saved at {minute} min: there is nothing to correct.")
    entries = [
        ReadingEntry(minute, parameter, r.taken_at, values.get(parameter, r.value), None)
        for parameter, r in saved.items()
        if parameter in values or r.value is not None
    ]
    _refuse_implausible(plan, entries)
    for parameter, value in values.items():
        saved[parameter].value, saved[parameter].missing_reason = value, None
    Reading.objects.bulk_update([saved[parameter] for parameter in values], ["value", "missing_reason"])
    infusion = Infusion.objects.filter(participant=participant).select_related("visit").first()
    return _fired(participant, infusion, plan)


def _fired(participant: Participant, infusion: Infusion | None, plan: InfusionPlan) -> list[SafetyEvent]:
    if infusion is None:
        return []
    infusion.participant = participant
    return fire_rules(infusion, plan)


def _refuse_before_the_start(participant: Participant, readings: Sequence[ReadingEntry]) -> None:
    """Before the start: who is randomised and consents to the infusion, and readings of negative minutes."""
    require_collection(participant, "infusion")
    if participant.status != Participant.Status.RANDOMISED:
        raise InvalidEntry(f"{participant} is {participant.get_status_display().lower()}: there is nothing to infuse.")
    problems = [
        InvalidEntry(f"The reading at {minute} min comes after the start. Start the infusion first.", field="minute")
        for minute in sorted({reading.minute for reading in readings if reading.minute >= 0})
    ]
    if problems:
        raise InvalidEntries(problems)


def _refuse_repeated(participant: Participant, readings: Sequence[ReadingEntry]) -> None:
    saved = participant.readings.filter(minute__in={r.minute for r in readings}).values_list("minute", "parameter")
    if repeated := {(r.minute, r.parameter) for r in readings} & set(saved):
        minute, parameter = sorted(repeated)[0]
        raise AlreadyDone(f"{parameter} at {minute} min has already been saved. Correct it there, with a reason.")


def _refuse_implausible(plan: InfusionPlan, readings: Sequence[ReadingEntry]) -> None:
    """Raise InvalidEntries naming every value that cannot be, alone or beside another of its timepoint."""
    problems = [
        InvalidEntry(message, field=f"{r.parameter}-{r.minute}") for r in readings if (message := _problem(plan, r))
    ]
    by_minute: dict[int, dict[str, Decimal | None]] = {}
    for reading in readings:
        by_minute.setdefault(reading.minute, {})[reading.parameter] = reading.value
    for minute, values in by_minute.items():
        if message := plausibility.pressure_refusal(plan, values.get("sbp"), values.get("dbp")):
            problems.append(InvalidEntry(f"{message} Check both values.", field=f"sbp-{minute}"))
    if problems:
        raise InvalidEntries(problems)


def _problem(plan: InfusionPlan, reading: ReadingEntry) -> str | None:
    parameter = next((p for p in plan.parameters if p.key == reading.parameter), None)
    if parameter is None:
        return f"The protocol does not ask for {reading.parameter}."
    if reading.minute not in plan.readings_at_minutes:
        return f"The protocol has no reading at {reading.minute} min."
    if (reading.value is None) == (reading.missing_reason is None):
        return f"{parameter.label}: give a value, or say why there is none."
    if reading.value is None:
        return None if reading.missing_reason in MISSING_REASONS else f"{reading.missing_reason!r} is no reason."
    refused = plausibility.refusal(plan, reading.parameter, reading.value)
    return f"{refused} Check the value, or choose Not done." if refused else None
