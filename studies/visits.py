"""Visits: planning them round the infusion, starting them, and saying why one was missed."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from studies.acting import verb
from studies.consents import require_collection
from studies.errors import AlreadyDone, InvalidEntry
from studies.models import Deviation, Infusion, Participant, User, Visit
from studies.permissions import may_enter_response, may_plan_visits, require


@verb(because="infusion planned")
def schedule_infusion(user: User, *, participant: Participant, on: date) -> Participant:
    """Plan the infusion for a day and give every visit its window round it.

    The windows move again when the infusion really starts. Raises NotAllowed, AlreadyDone.
    """
    require(may_plan_visits(user, participant.site), "plan visits here")
    if Infusion.objects.filter(participant=participant).exists():
        raise AlreadyDone("The infusion has taken place: the visit windows follow from it.")
    participant.planned_infusion_on = on
    participant.save(update_fields=["planned_infusion_on"])
    set_windows(participant, day0=on, infusion_end=None)
    return participant


@verb(because="visit windows computed from the infusion")
def compute_windows(user: User, *, participant: Participant) -> None:  # noqa: ARG001 - named in the audit trail
    """Give every visit its window from the infusion as it really was."""
    infusion = Infusion.objects.get(participant=participant)
    zone = ZoneInfo(participant.site.time_zone)
    set_windows(participant, day0=infusion.started_at.astimezone(zone).date(), infusion_end=infusion.ended_at)


def set_windows(participant: Participant, *, day0: date, infusion_end: datetime | None) -> None:
    """Write the windows of all visits of a participant, in one statement."""
    zone = ZoneInfo(participant.site.time_zone)
    definition = participant.protocol_version.definition
    visits = [v for v in participant.visits.all() if definition.has_visit(v.code)]
    for visit in visits:
        window = definition.window(visit.code, day0=day0, infusion_end=infusion_end, zone=zone)
        visit.opens_at, visit.closes_at, visit.target_on = window.opens, window.closes, window.target
        visit.out_of_window = bool(visit.started_at and not _inside(visit, visit.started_at))
    Visit.objects.bulk_update(visits, ["opens_at", "closes_at", "target_on", "out_of_window"])


@verb(because="visit started")
def start_visit(user: User, *, visit: Visit, started_at: datetime) -> Visit:
    """A participant is here (or on the telephone): the visit takes place.

    Out of its window it is kept, flagged, and recorded as a deviation: minor, or major beyond twice the window.
    Raises NotAllowed, ConsentMissing, AlreadyDone.
    """
    participant = visit.participant
    require(may_plan_visits(user, participant.site) or may_enter_response(user, participant.site), "start a visit here")
    require_collection(participant)
    if visit.status != Visit.Status.PLANNED:
        raise AlreadyDone(f"Visit {visit.code} is already {visit.get_status_display().lower()}.")
    visit.started_at, visit.status = started_at, Visit.Status.DONE
    visit.out_of_window = not _inside(visit, started_at)
    visit.save(update_fields=["started_at", "status", "out_of_window"])
    if visit.out_of_window:
        _record_window_deviation(visit)
    return visit


@verb(because="visit missed")
def mark_missed(user: User, *, visit: Visit, reason: str) -> Visit:
    """Say that a visit did not take place, and why. Raises NotAllowed, AlreadyDone, InvalidEntry."""
    require(may_plan_visits(user, visit.participant.site), "mark a visit as missed here")
    if visit.status == Visit.Status.DONE:
        raise AlreadyDone(f"Visit {visit.code} took place on {visit.started_at:%d %b %Y}.")
    if not reason.strip():
        raise InvalidEntry("Say why the visit was missed.", field="reason")
    visit.status, visit.missed_reason = Visit.Status.MISSED, reason[:200]
    visit.save(update_fields=["status", "missed_reason"])
    return visit


@verb(because="visit is going to take place after all")
def undo_missed(user: User, *, visit: Visit, reason: str) -> Visit:  # noqa: ARG001 - the reason goes to the audit trail
    """Take back that a visit was missed. Raises NotAllowed, InvalidEntry."""
    require(may_plan_visits(user, visit.participant.site), "change a visit here")
    if visit.status != Visit.Status.MISSED:
        raise InvalidEntry(f"Visit {visit.code} is not marked as missed.")
    visit.status, visit.missed_reason = Visit.Status.PLANNED, ""
    visit.save(update_fields=["status", "missed_reason"])
    return visit


def _inside(visit: Visit, moment: datetime) -> bool:
    if visit.opens_at is None or visit.closes_at is None:
        return True
    return visit.opens_at <= moment <= visit.closes_at


def _record_window_deviation(visit: Visit) -> None:
    opens, closes, started = visit.opens_at, visit.closes_at, visit.started_at
    if opens is None or closes is None or started is None:
        return
    outside = opens - started if started < opens else started - closes
    # More than twice the window: as far outside as half the window is wide.
    major = outside > (closes - opens) / 2
    zone = ZoneInfo(visit.participant.site.time_zone)
    Deviation.objects.create(
        participant=visit.participant,
        visit=visit,
        kind=Deviation.Kind.WINDOW,
        severity=Deviation.Severity.MAJOR if major else Deviation.Severity.MINOR,
        occurred_on=started.astimezone(zone).date(),
        description=(
            f"{visit.code} on {started.astimezone(zone):%d %b %Y %H:%M} is outside its window"
            f" ({opens.astimezone(zone):%d %b %Y %H:%M} to {closes.astimezone(zone):%d %b %Y %H:%M})."
        ),
    )
