"""Infusion day, for a tablet: the clock, what happens at the bedside, and the end. Readings are in readings.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from studies import infusions as verbs
from studies.arm_revealing import is_kept, kept_values
from studies.errors import InvalidEntry, TrialError
from studies.models import Infusion, Participant, SafetyEvent
from studies.permissions import may_answer_criteria, may_run_infusion, visible_participants
from studies.protocol.infusion_arithmetic import Segment
from trialsite.desk import drafts
from trialsite.desk.infusion_plot import infusion_plot
from trialsite.desk.page import find_participant, in_sight, page, refusals, say, shows_refusals, user_of, warn
from trialsite.desk.readings import ReadingsSheet, number


@shows_refusals
def infusions(request: HttpRequest) -> HttpResponse:
    """Who is planned, who is running, who has had the infusion."""
    rows = (
        visible_participants(user_of(request))
        .filter(status=Participant.Status.RANDOMISED)
        .select_related("site", "infusion")
    )
    return page(
        request,
        "infusions.html",
        room="infusions",
        title="Infusions",
        running=rows.filter(infusion__isnull=False, infusion__ended_at__isnull=True),
        planned=rows.filter(infusion__isnull=True, planned_infusion_on__isnull=False).order_by("planned_infusion_on")[
            :50
        ],
        told=not kept_values(user_of(request), Infusion),
        done=rows.filter(infusion__ended_at__isnull=False).order_by("-infusion__started_at")[:50],
    )


@shows_refusals
def infusion(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    if person.protocol_version.definition.infusion is None:
        raise Http404
    running = Infusion.objects.filter(participant=person).select_related("participant__site", "visit").first()
    sheet = ReadingsSheet(request, person, running)
    if sheet.draft and drafts.discarded(request, sheet.draft):
        return redirect(request.get_full_path())
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            said, fired = _act(request, person, running, sheet)
        except TrialError as error:
            errors = refusals(error)
            if sheet.is_sent and sheet.draft:
                drafts.keep_typed(request, sheet.draft)
        else:
            (warn if fired else say)(request, said)
            return redirect(reverse("admin:infusion", args=[identifier]))
    told = not is_kept(user_of(request), person, "infusion")
    shown = sheet.content(errors)
    return page(
        request,
        "infusion.html",
        room="infusions",
        title=f"Infusion · {identifier}",
        status=422 if errors else 200,
        **in_sight(request, person),
        infusion=running,
        told=told,
        errors=errors,
        typed=request.POST,
        plan=verbs.plan_of(person),
        may_answer=may_answer_criteria(user_of(request), person.site),
        may_run=may_run_infusion(user_of(request), person.site),
        **shown,
        plot=infusion_plot(shown.get("table", []), running if told else None),
    )


def _act(request: HttpRequest, person: Participant, running: Infusion | None, sheet: ReadingsSheet) -> tuple[str, bool]:
    """Do what was asked; what to say afterwards, and whether a safety rule fired."""
    if sheet.is_sent:
        said, fired = sheet.save()
        return said + _said(fired), bool(fired)
    if running is None:
        return _start(request, person), False
    if "end" in request.POST:
        return _end(request, running), False
    return _happened(request, running)


def _start(request: HttpRequest, person: Participant) -> str:
    started = verbs.start_infusion(
        user_of(request),
        participant=person,
        weight_kg=number(request, "weight_kg", "Weight", "a number of kilograms"),
        started_at=timezone.now(),
        kit_number=request.POST.get("kit_number", ""),
    )
    return f"Infusion started: {started.planned_rate_ml_h:.1f} mL/h, {started.planned_volume_ml:.2f} mL."


def _happened(request: HttpRequest, running: Infusion) -> tuple[str, bool]:
    """Something that the protocol names happened now: chest pain, the wish to stop."""
    event = request.POST.get("event", "")
    minute = max(0, int((timezone.now() - running.started_at).total_seconds() // 60))
    fired = verbs.record_event(user_of(request), infusion=running, event=event, minute=minute)
    return f"Recorded at {minute} min." + _said(fired), bool(fired)


def _said(fired: Sequence[SafetyEvent]) -> str:
    return " A safety rule has fired: see below." if fired else ""


def _end(request: HttpRequest, running: Infusion) -> str:
    ended_at = _ended_at(request, running)
    if not running.started_at < ended_at <= timezone.now():
        raise InvalidEntry(
            "The end lies before the start, or ahead. Check the time, or leave it empty: now.", field="ended_at"
        )
    minutes = Decimal(round((ended_at - running.started_at).total_seconds() / 60, 2)).quantize(Decimal("0.01"))
    held = number(request, "held_min", "Minutes held") if request.POST.get("held_min", "").strip() else Decimal(0)
    if not 0 <= held < minutes:
        raise InvalidEntry(
            f"Minutes held is {held:f}; the infusion lasted {minutes:.0f} min. Give less than that, or leave it empty.",
            field="held_min",
        )
    segments = [Segment(Decimal(0), minutes - held, running.planned_rate_ml_h)]
    if held:
        segments.append(Segment(minutes - held, minutes, Decimal(0)))
    pump = number(request, "pump_volume_ml", "Pump volume") if request.POST.get("pump_volume_ml", "").strip() else None
    ended = verbs.end_infusion(
        user_of(request), infusion=running, ended_at=ended_at, segments=segments, pump_volume_ml=pump
    )
    return f"Infusion ended: {ended.delivered_percent} % of the planned volume."


def _ended_at(request: HttpRequest, running: Infusion) -> datetime:
    typed = request.POST.get("ended_at", "")
    if not typed:
        return timezone.now()
    try:
        return datetime.fromisoformat(typed).replace(tzinfo=ZoneInfo(running.participant.site.time_zone))
    except ValueError as error:
        raise InvalidEntry("Say when the infusion ended: date and time.", field="ended_at") from error
