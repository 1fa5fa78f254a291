"""Infusion day: starting, readings by timepoint with the stop rules, and ending. Volumes and rates only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from studies.acting import verb
from studies.consents import require_collection
from studies.errors import AlreadyDone, InvalidEntries, InvalidEntry
from studies.findings import NewFinding, note
from studies.models import (
    Allocation,
    Deviation,
    Infusion,
    InfusionSegment,
    Participant,
    Reading,
    SafetyEvent,
    User,
    Visit,
)
from studies.permissions import may_run_infusion, require
from studies.protocol import infusion_arithmetic, plausibility, safety_rules
from studies.protocol.infusion import InfusionPlan
from studies.protocol.infusion_arithmetic import Segment
from studies.visits import set_windows, site_day, start_visit

MISSING_REASONS = ("not_done", "refused", "equipment")


@dataclass(frozen=True, slots=True)
class ReadingEntry:
    """One vital sign or sedation score at a timepoint of the infusion clock: a value, or why there is none."""

    minute: int
    parameter: str
    taken_at: datetime
    value: Decimal | None
    missing_reason: str | None = None


def plan_of(participant: Participant) -> InfusionPlan:
    """The infusion as the participant's protocol plans it. Raises InvalidEntry for a study without infusions."""
    plan = participant.protocol_version.definition.infusion
    if plan is None:
        raise InvalidEntry("This study has no infusions.")
    return plan


@verb(because="infusion started")
def start_infusion(
    user: User, *, participant: Participant, weight_kg: Decimal, started_at: datetime, kit_number: str
) -> Infusion:
    """Start the infusion of a randomised participant: rate and volume follow from the weight.

    The kit given must be the one allocated. From now on the visit windows count from this moment's day.
    Raises NotAllowed, ConsentMissing, AlreadyDone, InvalidEntry.
    """
    require(may_run_infusion(user, participant.site), "run an infusion here")
    require_collection(participant, "infusion")
    plan = plan_of(participant)
    allocation = Allocation.objects.filter(participant=participant).first()
    if allocation is None:
        raise InvalidEntry("The participant has not been randomised: there is no kit.", field="kit_number")
    if participant.status != Participant.Status.RANDOMISED:
        raise InvalidEntry(
            f"{participant} is {participant.get_status_display().lower()}: nothing is infused any more.",
            field="kit_number",
        )
    if allocation.kit_number != kit_number.strip():
        raise InvalidEntry(
            f"Kit {kit_number} is not the one allocated to {participant} ({allocation.kit_number}). Fetch that kit;"
            " give nothing from this one.",
            field="kit_number",
        )
    if Infusion.objects.filter(participant=participant).exists():
        raise AlreadyDone("The infusion has already been started.")
    try:
        planned = infusion_arithmetic.plan_infusion(plan, weight_kg)
    except ValueError as error:
        raise InvalidEntry(f"{error} Check the weight.", field="weight_kg") from error
    visit = participant.visits.get(code=plan.visit)
    if visit.status == Visit.Status.PLANNED:
        start_visit(user, visit=visit, started_at=started_at)
    infusion = Infusion.objects.create(
        participant=participant,
        visit=visit,
        kit_number=allocation.kit_number,
        weight_kg=weight_kg,
        planned_volume_ml=planned.volume_ml,
        planned_rate_ml_h=planned.set_rate_ml_h,
        started_at=started_at,
    )
    set_windows(participant, day0=site_day(participant, started_at), infusion_end=None)
    return infusion


def unusual(plan: InfusionPlan, readings: Sequence[ReadingEntry]) -> list[str]:
    """What is unusual about readings that may be saved: to be looked at again, not refused."""
    return [
        message
        for reading in readings
        if reading.value is not None and (message := plausibility.query(plan, reading.parameter, reading.value))
    ]


@verb(because="readings entered")
def record_readings(user: User, *, infusion: Infusion, readings: Sequence[ReadingEntry]) -> list[SafetyEvent]:
    """Save readings and return the safety rules that fired because of them, the severest first.

    Raises NotAllowed, AlreadyDone for a timepoint saved before, InvalidEntries naming every value out of range.
    """
    participant = infusion.participant
    require(may_run_infusion(user, participant.site), "enter readings here")
    plan = plan_of(participant)
    _check(plan, infusion, readings)
    Reading.objects.bulk_create(
        [Reading(participant=participant, infusion=infusion, **asdict(reading)) for reading in readings]
    )
    return _fire_rules(infusion, plan)


@verb(because="readings corrected")
def correct_readings(
    user: User, *, infusion: Infusion, minute: int, values: Mapping[str, Decimal], reason: str
) -> list[SafetyEvent]:
    """Change readings saved at a timepoint, {parameter: new value}, and return the rules that fire because of it.

    A rule that had fired stays: it is what people acted on. Raises NotAllowed, InvalidEntry without a reason,
    InvalidEntries naming every value out of range.
    """
    require(may_run_infusion(user, infusion.participant.site), "correct readings here")
    if not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")
    plan = plan_of(infusion.participant)
    saved = {r.parameter: r for r in infusion.readings.select_for_update().filter(minute=minute)}
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
    return _fire_rules(infusion, plan)


def _check(plan: InfusionPlan, infusion: Infusion, readings: Sequence[ReadingEntry]) -> None:
    _refuse_implausible(plan, readings)
    saved = infusion.readings.filter(minute__in={r.minute for r in readings}).values_list("minute", "parameter")
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


def _fire_rules(infusion: Infusion, plan: InfusionPlan) -> list[SafetyEvent]:
    """Every rule that fires on the readings so far and had not fired at that minute before."""
    definition = infusion.participant.protocol_version.definition
    readings = [
        safety_rules.Reading(r.minute, r.parameter, None if r.value is None else float(r.value))
        for r in infusion.readings.all()
    ]
    readings += _scores_at_the_bedside(infusion)
    known = set(infusion.safety_events.values_list("rule", "minute"))
    fired = safety_rules.evaluate(definition.safety_rules, readings, baseline_minute=plan.baseline_minute)
    return SafetyEvent.objects.bulk_create(
        [
            SafetyEvent(
                participant=infusion.participant,
                infusion=infusion,
                rule=rule.rule,
                action=rule.action,
                minute=int(rule.minute),
                readings=[{"minute": r.minute, "parameter": r.parameter, "value": r.value} for r in rule.readings],
            )
            for rule in fired
            if (rule.rule, int(rule.minute)) not in known
        ]
    )


def _scores_at_the_bedside(infusion: Infusion) -> list[safety_rules.Reading]:
    """Side-effect scores of the infusion day that rules look at, as the findings of measurement give them."""
    found = infusion.participant.findings.filter(visit=infusion.visit, minute__isnull=False, number__isnull=False)
    return [safety_rules.Reading(f.minute or 0, f.key, f.number) for f in found]


@verb(because="event at the bedside recorded")
def record_event(user: User, *, infusion: Infusion, event: str, minute: int) -> list[SafetyEvent]:
    """Record that something happened (chest pain, the participant's wish to stop) and return the rules that fired.

    Raises NotAllowed, InvalidEntry for an event the protocol does not name.
    """
    require(may_run_infusion(user, infusion.participant.site), "record what happens at the bedside")
    plan = plan_of(infusion.participant)
    if event not in {e.key for e in plan.events}:
        raise InvalidEntry(f"The protocol does not name {event}.", field="event")
    happened = NewFinding(
        infusion.participant_id,
        infusion.visit_id,
        event,
        1.0,
        "infusion",
        infusion.pk,
        f"{event}-{minute}",
        minute,
    )
    note([happened])
    return _fire_rules(infusion, plan)


@verb(because="safety rules looked at again")
def check_rules(user: User, *, infusion: Infusion) -> list[SafetyEvent]:
    """Evaluate the rules after a side-effect score was saved. Raises NotAllowed."""
    require(may_run_infusion(user, infusion.participant.site), "check the safety rules here")
    return _fire_rules(infusion, plan_of(infusion.participant))


@verb(because="infusion ended")
def end_infusion(
    user: User,
    *,
    infusion: Infusion,
    ended_at: datetime,
    segments: Sequence[Segment],
    pump_volume_ml: Decimal | None = None,
) -> Infusion:
    """End the infusion: the delivered volume follows from its segments of constant rate.

    A partial infusion is recorded as a deviation. Day 1 counts from this moment.
    Raises NotAllowed, AlreadyDone, InvalidEntry for segments with gaps, or a pump reading that does not fit.
    """
    participant = infusion.participant
    require(may_run_infusion(user, participant.site), "end an infusion here")
    plan = plan_of(participant)
    if infusion.ended_at:
        raise AlreadyDone("The infusion has already ended.")
    if ended_at <= infusion.started_at:
        raise InvalidEntry("The infusion ends before it starts. Check the time.", field="ended_at")
    try:
        delivered = infusion_arithmetic.delivered_volume_ml(segments)
    except ValueError as error:
        raise InvalidEntry(str(error), field="segments") from error
    if pump_volume_ml is not None and not infusion_arithmetic.pump_agrees(pump_volume_ml, delivered, plan.delivery):
        raise InvalidEntry(
            f"The pump says {pump_volume_ml:g} mL, the segments {delivered:.1f} mL. Check both.",
            field="pump_volume_ml",
        )
    percent = infusion_arithmetic.percent_of_plan(delivered, infusion.planned_volume_ml)
    infusion.ended_at, infusion.pump_volume_ml = ended_at, pump_volume_ml
    infusion.delivered_volume_ml, infusion.delivered_percent = round(delivered, 3), round(percent, 2)
    infusion.save(update_fields=["ended_at", "pump_volume_ml", "delivered_volume_ml", "delivered_percent"])
    InfusionSegment.objects.bulk_create(
        [InfusionSegment(participant=participant, infusion=infusion, **asdict(segment)) for segment in segments]
    )
    set_windows(participant, day0=site_day(participant, infusion.started_at), infusion_end=ended_at)
    if infusion_arithmetic.grade_delivery(percent, plan.delivery) == "partial":
        Deviation.objects.create(
            participant=participant,
            visit=infusion.visit,
            kind=Deviation.Kind.DOSE,
            severity=Deviation.Severity.MAJOR,
            occurred_on=site_day(participant, ended_at),
            description=f"{percent:.1f} % of the planned volume was given.",
        )
    return infusion
