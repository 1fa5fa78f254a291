"""Infusion day, for a tablet: the clock, the next reading due, rules that fired with what to do, and the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from studies import infusions as verbs
from studies.errors import InvalidEntries, InvalidEntry, TrialError
from studies.models import Infusion, Participant, Reading, SafetyEvent
from studies.permissions import may_answer_criteria, may_run_infusion, may_see_arm_revealing, visible_participants
from studies.protocol import plausibility
from studies.protocol.infusion_arithmetic import Segment
from trialsite.desk.page import find_participant, in_sight, page, refusals, say, shows_refusals, user_of, warn


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
        done=rows.filter(infusion__ended_at__isnull=False).order_by("-infusion__started_at")[:50],
    )


@shows_refusals
def infusion(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    if person.protocol_version.definition.infusion is None:
        raise Http404
    running = Infusion.objects.filter(participant=person).select_related("participant__site", "visit").first()
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            said, fired = _act(request, person, running)
        except TrialError as error:
            errors = refusals(error)
        else:
            (warn if fired else say)(request, said)
            return redirect(reverse("admin:infusion", args=[identifier]))
    return page(
        request,
        "infusion.html",
        room="infusions",
        title=f"Infusion · {identifier}",
        status=422 if errors else 200,
        **in_sight(request, person),
        infusion=running,
        errors=errors,
        typed=request.POST,
        plan=verbs.plan_of(person),
        may_answer=may_answer_criteria(user_of(request), person.site),
        may_run=may_run_infusion(user_of(request), person.site),
        **(_readings(request, person, running, errors) if running else {}),
    )


def _readings(request: HttpRequest, person: Participant, running: Infusion, errors: dict[str, str]) -> dict[str, Any]:
    """The readings so far and those to enter now; only for those who may see them."""
    if not may_see_arm_revealing(user_of(request), person.site):
        return {"hidden": True}
    plan = verbs.plan_of(person)
    saved = {(r.minute, r.parameter): r for r in running.readings.all()}
    done = {minute for minute, _ in saved}
    asked = request.POST.get("minute") or request.GET.get("minute", "")
    waiting = [minute for minute in plan.readings_at_minutes if minute not in done]
    chosen = next((minute for minute in plan.readings_at_minutes if str(minute) == asked), None)
    minute = chosen if chosen is not None else waiting[0] if waiting else None
    rules = {rule.id: rule for rule in person.protocol_version.definition.safety_rules}
    last = [
        verbs.ReadingEntry(r.minute, r.parameter, r.taken_at, r.value.normalize())
        for r in saved.values()
        if r.value is not None and r.minute == max(done)
    ]
    return {
        "minute": minute,
        "minute_saved": minute in done,
        "minute_at": None if minute is None else running.started_at + timedelta(minutes=minute),
        "fields": [
            {
                "parameter": parameter,
                "id": f"{parameter.key}-{minute}",
                "typed": _typed(request, parameter.key, saved.get((minute or 0, parameter.key))),
                "message": errors.get(f"{parameter.key}-{minute}", ""),
            }
            for parameter in plan.parameters
        ],
        "table": [
            {"parameter": p, "cells": [saved.get((minute, p.key)) for minute in plan.readings_at_minutes]}
            for p in plan.parameters
        ],
        "unusual": verbs.unusual(plan, last),
        "fired": [
            {"event": e, "rule": rules[e.rule]} for e in running.safety_events.order_by("-minute") if e.rule in rules
        ],
    }


def _typed(request: HttpRequest, key: str, saved: Reading | None) -> str:
    if request.method == "POST":
        return request.POST.get(key, "")
    return "" if saved is None or saved.value is None else f"{saved.value.normalize():f}"


def _act(request: HttpRequest, person: Participant, running: Infusion | None) -> tuple[str, bool]:
    """Do what was asked; what to say afterwards, and whether a safety rule fired."""
    if running is None:
        return _start(request, person), False
    if "end" in request.POST:
        return _end(request, running), False
    if "event" in request.POST:
        return _happened(request, running)
    return _read(request, person, running)


def _start(request: HttpRequest, person: Participant) -> str:
    started = verbs.start_infusion(
        user_of(request),
        participant=person,
        weight_kg=_number(request, "weight_kg", "Weight", "a number of kilograms"),
        started_at=timezone.now(),
        kit_number=request.POST.get("kit_number", ""),
    )
    return f"Infusion started: {started.planned_rate_ml_h:.1f} mL/h, {started.planned_volume_ml:.2f} mL."


def _read(request: HttpRequest, person: Participant, running: Infusion) -> tuple[str, bool]:
    """Save what was read at one timepoint; values saved before are corrected, with a reason."""
    minute = int(_number(request, "minute", "Timepoint"))
    values, problems = _values(request, person, minute)
    if problems:
        raise InvalidEntries(problems)
    saved = dict(running.readings.filter(minute=minute).values_list("parameter", "value"))
    if saved:
        changed = {key: value for key, value in values.items() if value is not None and value != saved.get(key)}
        fired = verbs.correct_readings(
            user_of(request), infusion=running, minute=minute, values=changed, reason=request.POST.get("reason", "")
        )
        done = "corrected"
    else:
        readings = [
            verbs.ReadingEntry(minute, key, timezone.now(), value, None if value is not None else "not_done")
            for key, value in values.items()
        ]
        fired = verbs.record_readings(user_of(request), infusion=running, readings=readings)
        done = "saved"
    return f"Readings at {minute} min {done}." + _said(fired), bool(fired)


def _values(
    request: HttpRequest, person: Participant, minute: int
) -> tuple[dict[str, Decimal | None], list[InvalidEntry]]:
    """What was typed at one timepoint, None where nothing was; and all that cannot be, at once."""
    plan = verbs.plan_of(person)
    values: dict[str, Decimal | None] = {}
    problems = []
    for parameter in plan.parameters:
        low, high = parameter.hard
        allowed = f"a number from {low:f} to {high:f} {parameter.unit}".rstrip()
        said = ""
        try:
            typed = request.POST.get(parameter.key, "").strip()
            value = values[parameter.key] = _number(request, parameter.key, parameter.label, allowed) if typed else None
            refused = None if value is None else plausibility.refusal(plan, parameter.key, value)
            said = f"{refused} Check the value, or leave it empty: not done." if refused else ""
        except InvalidEntry as problem:
            said = problem.message
        if said:
            problems.append(InvalidEntry(said, field=f"{parameter.key}-{minute}"))
    return values, problems


def _happened(request: HttpRequest, running: Infusion) -> tuple[str, bool]:
    """Something that the protocol names happened now: chest pain, the wish to stop."""
    event = request.POST["event"]
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
    held = _number(request, "held_min", "Minutes held") if request.POST.get("held_min", "").strip() else Decimal(0)
    if not 0 <= held < minutes:
        raise InvalidEntry(
            f"Minutes held is {held:f}; the infusion lasted {minutes:.0f} min. Give less than that, or leave it empty.",
            field="held_min",
        )
    segments = [Segment(Decimal(0), minutes - held, running.planned_rate_ml_h)]
    if held:
        segments.append(Segment(minutes - held, minutes, Decimal(0)))
    pump = _number(request, "pump_volume_ml", "Pump volume") if request.POST.get("pump_volume_ml", "").strip() else None
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


def _number(request: HttpRequest, name: str, label: str, allowed: str = "a number") -> Decimal:
    typed = request.POST.get(name, "").strip()
    try:
        value = Decimal(typed.replace(",", "."))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        met = f"{label} is {typed!r}" if typed else f"{label} is empty"
        raise InvalidEntry(f"{met}; {allowed} is expected. Check the value.", field=name)
    return value
