"""Phase 2: from the infusion to the end of the study, entered as `app` without knowing the arm."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from analysis.simulation import records
from studies import adverse_events, consents, infusions, intercurrent_events, participation, readings, visits
from studies.acting import acting
from studies.models import Consent, IntercurrentEvent, Participant
from studies.protocol.infusion_arithmetic import Segment

from .forms import Entering
from .people import Staff

RELATED = {"not": "not_related", "unlikely": "unlikely", "possible": "possible", "probable": "probable"}
FIRST_DAY = "D1"
READ = ("hr", "sbp", "dbp", "spo2", "rr", "moaas", "rass")


def enter_course(participant: Participant, course: records.Course, *, staff: Staff, until: datetime) -> None:
    """Enter the course of a randomised participant as far as the calendar allows."""
    if course.infusion.started_at > until:
        return
    entering = Entering(participant, staff, until)
    _infusion(entering, course.infusion)
    entering.visits = {visit.code: visit for visit in participant.visits.select_related("participant__site")}
    for record in course.visits:
        _visit(entering, course, record)
    entering.diary(course.diary)
    for event in course.adverse_events:
        _adverse_event(entering, event)
    for ice in course.intercurrent_events:
        enter_intercurrent_event(entering, course, ice)
    entering.acknowledge_alerts()
    _end(entering, course)


def _infusion(entering: Entering, record: records.InfusionRecord) -> None:
    nurse, participant = entering.staff.nurse, entering.participant
    early, later = _readings(participant, record)
    with acting(nurse, entered_at=record.started_at):
        readings.record_readings(nurse, participant=participant, readings=early)
        running = infusions.start_infusion(
            nurse,
            participant=participant,
            weight_kg=Decimal(str(record.weight_kg)),
            started_at=record.started_at,
            kit_number=participant.allocation.kit_number,
        )
    with acting(nurse, entered_at=record.entered_at):
        readings.record_readings(nurse, participant=participant, readings=later)
        infusions.end_infusion(
            nurse,
            infusion=running,
            ended_at=record.ended_at,
            segments=[Segment(Decimal(s.start), Decimal(s.end), Decimal(str(s.rate_ml_h))) for s in record.segments],
            pump_volume_ml=Decimal(str(record.pump_volume_ml)),
        )


def _readings(
    participant: Participant, record: records.InfusionRecord
) -> tuple[list[readings.ReadingEntry], list[readings.ReadingEntry]]:
    """The readings at planned minutes, before the start and after it; what the model does not draw was not done."""
    plan = infusions.plan_of(participant)
    drawn = {reading.nominal: reading for reading in record.readings if reading.nominal is not None}
    early: list[readings.ReadingEntry] = []
    later: list[readings.ReadingEntry] = []
    for minute in plan.readings_at_minutes:
        reading = drawn.get(minute)
        for parameter in plan.parameters:
            value = getattr(reading, parameter.key) if reading and parameter.key in READ else None
            entry = readings.ReadingEntry(
                minute,
                parameter.key,
                record.started_at,
                None if value is None else Decimal(value),
                "not_done" if value is None else None,
            )
            (early if minute < 0 else later).append(entry)
    return early, later


def _visit(entering: Entering, course: records.Course, record: records.VisitRecord) -> None:
    if record.at > entering.until or record.id not in entering.visits:
        return
    coordinator, visit = entering.staff.coordinator, entering.visits[record.id]
    with acting(coordinator, entered_at=record.at):
        if record.status == "missed":
            visits.mark_missed(coordinator, visit=visit, reason="Participant did not come")
            return
        if visit.status == "planned":
            visits.start_visit(coordinator, visit=visit, started_at=record.at)
    entering.forms(course.forms, record.id)
    entering.qst(course.qst, record.id)
    if record.id == FIRST_DAY:
        entering.first_day_rating(course.diary, record.id)
    entering.guesses(course.guesses, record.id, record.at)


def _adverse_event(entering: Entering, event: records.AdverseEvent) -> None:
    if event.reported_at > entering.until:
        return
    coordinator = entering.staff.coordinator
    entry = adverse_events.AdverseEventEntry(
        term=event.term,
        started_on=f"{event.started_at.astimezone(entering.zone()):%Y-%m-%d}",
        ended_on=_site_day(event.ended, entering),
        grade=event.grade,
        serious=event.serious,
        seriousness=[event.seriousness] if event.serious else [],
        relatedness=RELATED[event.related],
        outcome="recovered" if event.ended else "ongoing",
    )
    with acting(coordinator, entered_at=event.reported_at):
        adverse_events.report(coordinator, participant=entering.participant, entry=entry)


def enter_intercurrent_event(entering: Entering, course: records.Course, event: records.IntercurrentEvent) -> None:
    """Rescue above the allowance is told when its days are over; an infusion held is told by the infusion itself."""
    coordinator, participant = entering.staff.coordinator, entering.participant
    told_at = course.infusion.started_at + timedelta(days=event.end_day + 1)
    if event.kind not in {plan.id for plan in intercurrent_events.recordable_events(participant)}:
        return
    if told_at > entering.until:
        return
    day0 = visits.site_day(participant, course.infusion.started_at)
    entry = intercurrent_events.IntercurrentEventEntry(
        event=event.kind,
        started_on=day0 + timedelta(days=event.start_day),
        ended_on=day0 + timedelta(days=event.end_day),
        description="Rescue analgesics above the allowance",
        source=IntercurrentEvent.Source.DIARY,
    )
    with acting(coordinator, entered_at=told_at):
        intercurrent_events.record(coordinator, participant=participant, entry=entry)


def _site_day(text: str, entering: Entering) -> str:
    """A moment as the day it is at the site; a partial date as it stands."""
    if "T" not in text:
        return text
    return f"{datetime.fromisoformat(text).astimezone(entering.zone()):%Y-%m-%d}"


def _end(entering: Entering, course: records.Course) -> None:
    """Withdrawal, or the regular end after the last visit."""
    coordinator, participant = entering.staff.coordinator, entering.participant
    left = course.withdrawal
    if left is not None:
        if left.at <= entering.until:
            with acting(coordinator, entered_at=left.at):
                _withdraw(entering, left)
        return
    last = course.visits[-1]
    if last.at <= entering.until:
        with acting(coordinator, entered_at=last.at):
            participation.complete(coordinator, participant=participant, on=visits.site_day(participant, last.at))


def _withdraw(entering: Entering, left: records.Withdrawal) -> None:
    coordinator, participant = entering.staff.coordinator, entering.participant
    if left.consent_withdrawn:
        consent = participant.consents.get()
        consents.withdraw_consent(
            coordinator,
            consent=consent,
            scope=Consent.Scope.COLLECTION,
            withdrawn_at=left.at,
            reason=left.reason,
        )
        return
    participation.withdraw(
        coordinator, participant=participant, on=visits.site_day(participant, left.at), reason=left.reason
    )
