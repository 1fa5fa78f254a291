"""Infusion day, for a tablet: the clock, the next reading due, rules that fired with what to do, and the end."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from studies import infusions as verbs
from studies.errors import InvalidEntries, InvalidEntry, TrialError
from studies.models import Infusion, Participant
from studies.permissions import may_run_infusion, may_see_arm_revealing, visible_participants
from studies.protocol.infusion_arithmetic import Segment
from trialsite.desk.page import find_participant, in_sight, page, refusals, say, shows_refusals, user_of


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
    running = Infusion.objects.filter(participant=person).select_related("participant__site", "visit").first()
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            say(request, _act(request, person, running))
        except TrialError as error:
            errors = refusals(error)
        else:
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
        may_run=may_run_infusion(user_of(request), person.site),
        **(_readings(request, person, running) if running else {}),
    )


def _readings(request: HttpRequest, person: Participant, running: Infusion) -> dict[str, Any]:
    """The readings so far and the next one due; only for those who may see them."""
    if not may_see_arm_revealing(user_of(request), person.site):
        return {"hidden": True}
    plan = verbs.plan_of(person)
    saved = {(r.minute, r.parameter): r for r in running.readings.all()}
    done = {minute for minute, _ in saved}
    waiting = [minute for minute in plan.readings_at_minutes if minute not in done]
    rules = {rule.id: rule for rule in person.protocol_version.definition.safety_rules}
    return {
        "next_minute": waiting[0] if waiting else None,
        "next_at": running.started_at + timedelta(minutes=waiting[0]) if waiting else None,
        "table": [
            {"parameter": p, "cells": [saved.get((minute, p.key)) for minute in plan.readings_at_minutes]}
            for p in plan.parameters
        ],
        "fired": [
            {"event": e, "rule": rules[e.rule]} for e in running.safety_events.order_by("-minute") if e.rule in rules
        ],
    }


def _act(request: HttpRequest, person: Participant, running: Infusion | None) -> str:
    if running is None:
        return _start(request, person)
    if "end" in request.POST:
        return _end(request, running)
    return _read(request, person, running)


def _start(request: HttpRequest, person: Participant) -> str:
    started = verbs.start_infusion(
        user_of(request),
        participant=person,
        weight_kg=_number(request, "weight_kg", "Weight"),
        started_at=timezone.now(),
        kit_number=request.POST.get("kit_number", ""),
    )
    return f"Infusion started: {started.planned_rate_ml_h} mL/h, {started.planned_volume_ml} mL."


def _read(request: HttpRequest, person: Participant, running: Infusion) -> str:
    minute = int(_number(request, "minute", "Timepoint"))
    readings, problems = [], []
    for parameter in verbs.plan_of(person).parameters:
        typed = request.POST.get(parameter.key, "").strip()
        try:
            value = _number(request, parameter.key, parameter.label) if typed else None
        except InvalidEntry as problem:
            problems.append(problem)
            continue
        missing = None if value is not None else "not_done"
        readings.append(verbs.ReadingEntry(minute, parameter.key, timezone.now(), value, missing))
    if problems:
        raise InvalidEntries(problems)
    fired = verbs.record_readings(user_of(request), infusion=running, readings=readings)
    return f"Readings at {minute} min saved." + ("" if not fired else " A safety rule has fired: see below.")


def _end(request: HttpRequest, running: Infusion) -> str:
    ended_at = _ended_at(request, running)
    minutes = Decimal(round((ended_at - running.started_at).total_seconds() / 60, 2)).quantize(Decimal("0.01"))
    held = _number(request, "held_min", "Minutes held") if request.POST.get("held_min", "").strip() else Decimal(0)
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


def _number(request: HttpRequest, name: str, label: str) -> Decimal:
    typed = request.POST.get(name, "").strip().replace(",", ".")
    try:
        value = Decimal(typed)
    except InvalidOperation as error:
        raise InvalidEntry(f"{label} is {typed!r}; a number is expected.", field=name) from error
    if not value.is_finite():
        raise InvalidEntry(f"{label} is {typed!r}; a number is expected.", field=name)
    return value
