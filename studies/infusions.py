"""Infusion day: starting, what happens at the bedside, and ending. Volumes and rates only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal

from studies.acting import verb
from studies.bedside_rules import fire_rules, refuse_unread_start
from studies.consents import require_collection
from studies.errors import AlreadyDone, InvalidEntry
from studies.findings import NewFinding, note
from studies.models import (
    Allocation,
    Deviation,
    Infusion,
    InfusionSegment,
    Participant,
    SafetyEvent,
    User,
    Visit,
)
from studies.permissions import may_run_infusion, require
from studies.protocol import infusion_arithmetic
from studies.protocol.infusion import InfusionPlan
from studies.protocol.infusion_arithmetic import Segment
from studies.visits import set_windows, site_day, start_visit


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

    The kit given must be the one allocated, and what the protocol reads before the start must have been read (or
    said why not) without a rule that holds or stops. From now on the visit windows count from this moment's day.
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
    refuse_unread_start(participant, plan)
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
    participant.readings.filter(infusion=None).update(infusion=infusion)
    set_windows(participant, day0=site_day(participant, started_at), infusion_end=None)
    fire_rules(infusion, plan)
    return infusion


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
    return fire_rules(infusion, plan)


@verb(because="safety rules looked at again")
def check_rules(user: User, *, infusion: Infusion) -> list[SafetyEvent]:
    """Evaluate the rules after a side-effect score was saved. Raises NotAllowed."""
    require(may_run_infusion(user, infusion.participant.site), "check the safety rules here")
    return fire_rules(infusion, plan_of(infusion.participant))


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
