"""Visits: planning them round the infusion, starting them, and saying why one was missed."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import connection

from studies.acting import verb
from studies.consents import require_collection
from studies.errors import AlreadyDone, InvalidEntry
from studies.models import Deviation, Infusion, Participant, User, Visit
from studies.permissions import may_enter_response, may_plan_visits, require
from studies.protocol import Window


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


def set_windows(participant: Participant, *, day0: date, infusion_end: datetime | None) -> None:
    """Write the windows of all visits of a participant, in one statement."""
    zone = ZoneInfo(participant.site.time_zone)
    definition = participant.protocol_version.definition
    visits = list(participant.visits.all())
    for visit in visits:
        window = definition.window(visit.code, day0, infusion_end, zone)
        visit.opens_at, visit.closes_at, visit.target_on = window.opens, window.closes, window.target
        visit.out_of_window = bool(visit.started_at and not window.contains(visit.started_at))
    rows = [[v.pk, v.opens_at, v.closes_at, v.target_on, v.out_of_window] for v in visits]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE_WINDOWS, [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * 5)


_WRITE_WINDOWS = """
UPDATE studies_visit v SET opens_at = w.opens_at, closes_at = w.closes_at, target_on = w.target_on,
                           out_of_window = w.out_of_window
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::date[], %s::boolean[])
    AS w(id, opens_at, closes_at, target_on, out_of_window)
WHERE v.id = w.id
"""


@verb(because="visit started")
def start_visit(user: User, *, visit: Visit, started_at: datetime) -> Visit:
    """A participant is here (or on the telephone): the visit takes place.

    Out of its window it is kept, flagged, and recorded as a deviation: minor, or major beyond twice the window.
    Raises NotAllowed, ConsentMissing, AlreadyDone, InvalidEntry after the day on which the participant left.
    """
    participant = visit.participant
    require(
        may_plan_visits(user, participant.site) or may_enter_response(user, participant.site),
        "start a visit here",
    )
    require_collection(participant)
    if visit.status != Visit.Status.PLANNED:
        raise AlreadyDone(f"Visit {visit.code} is already {visit.get_status_display().lower()}.")
    if participant.ended_on and site_day(participant, started_at) > participant.ended_on:
        raise InvalidEntry(
            f"{participant} left the study on {participant.ended_on:%d %b %Y}: no visit takes place after that day."
        )
    severity = window_of(visit).deviation(started_at)
    visit.started_at, visit.status = started_at, Visit.Status.DONE
    visit.out_of_window = severity is not None
    visit.save(update_fields=["started_at", "status", "out_of_window"])
    if severity is not None:
        _record_window_deviation(visit, severity, started_at)
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
def undo_missed(user: User, *, visit: Visit, reason: str) -> Visit:
    """Take back that a visit was missed. Raises NotAllowed, InvalidEntry."""
    require(may_plan_visits(user, visit.participant.site), "change a visit here")
    if visit.status != Visit.Status.MISSED:
        raise InvalidEntry(f"Visit {visit.code} is not marked as missed.")
    visit.status, visit.missed_reason = Visit.Status.PLANNED, ""
    visit.save(update_fields=["status", "missed_reason"])
    return visit


def site_day(participant: Participant, moment: datetime) -> date:
    """The calendar day of a moment at the participant's site."""
    return moment.astimezone(ZoneInfo(participant.site.time_zone)).date()


def window_of(visit: Visit) -> Window:
    """The window of a visit by the protocol: round the infusion as it was, or as it is planned."""
    participant = visit.participant
    zone = ZoneInfo(participant.site.time_zone)
    infusion = Infusion.objects.filter(participant=participant).first()
    day0 = site_day(participant, infusion.started_at) if infusion else participant.planned_infusion_on
    definition = participant.protocol_version.definition
    return definition.window(visit.code, day0, infusion.ended_at if infusion else None, zone)


def _record_window_deviation(visit: Visit, severity: str, started_at: datetime) -> None:
    zone = ZoneInfo(visit.participant.site.time_zone)
    started, opens, closes = (
        f"{moment.astimezone(zone):%d %b %Y %H:%M}" if moment else "an open end"
        for moment in (started_at, visit.opens_at, visit.closes_at)
    )
    Deviation.objects.create(
        participant=visit.participant,
        visit=visit,
        kind=Deviation.Kind.WINDOW,
        severity=severity,
        occurred_on=site_day(visit.participant, started_at),
        description=f"{visit.code} on {started} is outside its window ({opens} to {closes}).",
    )
