"""The daily diary of a participant, a week at a time, in the order of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from outcomes.diary import day_zero, save_diary
from outcomes.models import Response
from outcomes.scoring import Instrument, load_instrument
from studies.errors import InvalidEntries, InvalidEntry, TrialError
from studies.models import Participant
from studies.permissions import may_enter_response, require
from studies.visits import site_day
from trialsite.desk import drafts
from trialsite.desk.page import View, find_participant, in_sight, page, refusals, say, shows_refusals, user_of
from trialsite.desk.response_values import values_of

WEEK = 7


@dataclass
class Day:
    """One line of the paper. `number` counts from the infusion; `kept` says why it cannot be changed here."""

    number: int
    on: date
    kept: str = ""
    saved: Response | None = None
    cells: list[tuple[str, str, str, str]] = field(default_factory=list)  # name, label, typed, message


@shows_refusals
def diary(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    plan = person.protocol_version.definition.diary
    if plan is None:
        raise Http404
    require(may_enter_response(user_of(request), person.site), "see or enter the diary here")
    day0 = day_zero(person)
    weeks = [week for first, last in plan.days for week in _weeks(first, last)]
    number, days = _chosen(request, person, weeks, day0)
    key = f"diary/{person.pk}/{number}"
    if drafts.discarded(request, key):
        return redirect(request.get_full_path())
    draft = None if request.method == "POST" else drafts.find(user_of(request), key)
    instrument = load_instrument(plan.instrument)
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            done = _save(request, person, instrument, days)
        except TrialError as error:
            errors = refusals(error)
            drafts.keep_typed(request, key)
        else:
            drafts.forget(user_of(request), key)
            say(request, f"Diary: {done} day{'' if done == 1 else 's'} saved.")
            return redirect(f"{request.path}?week={number}")
    _fill(days, instrument, request.POST.dict() if request.method == "POST" else drafts.texts(draft), errors)
    return page(
        request,
        "diary.html",
        room="participants",
        title=f"Diary · {identifier}",
        status=422 if errors else 200,
        **in_sight(request, person),
        instrument=instrument,
        days=days,
        day0=day0,
        weeks=[(i, f"{week[0]} to {week[-1]}" if len(week) > 1 else f"{week[0]}") for i, week in enumerate(weeks)],
        week=number,
        open=any(not day.kept for day in days),
        changes=any(day.saved and not day.kept for day in days),
        errors=errors,
        reason=request.POST.get("reason", ""),
        drafted=draft,
        draft=reverse("admin:draft") + f"?form={key}",
    )


def _weeks(first: int, last: int) -> list[list[int]]:
    return [list(range(start, min(start + WEEK, last + 1))) for start in range(first, last + 1, WEEK)]


def _chosen(
    request: HttpRequest, person: Participant, weeks: list[list[int]], day0: date | None
) -> tuple[int, list[Day]]:
    """The week asked for, else the one of yesterday: today's entry is made in the evening."""
    today = site_day(person, timezone.now())
    begun = [i for i, week in enumerate(weeks) if day0 and day0 + timedelta(week[0]) < today]
    asked = request.GET.get("week", "")
    number = int(asked) if asked.isdecimal() and int(asked) < len(weeks) else max(begun, default=0)
    if day0 is None:
        return number, []
    days = [Day(day, day0 + timedelta(day)) for day in weeks[number]]
    for day in days:
        day.kept = "not over yet" if day.on > today else ""
    _find_saved(person, days)
    return number, days


def _find_saved(person: Participant, days: list[Day]) -> None:
    saved = {
        r.day: r
        for r in Response.objects.filter(participant=person, visit=None, day__in=[day.on for day in days])
        .select_related("instrument")
        .prefetch_related("items")
    }
    for day in days:
        day.saved = saved.get(day.on)
        if day.saved and day.saved.source not in (Response.Source.STAFF, Response.Source.PAPER):
            day.kept = day.saved.get_source_display().lower()


def _fill(days: list[Day], instrument: Instrument, typed: Mapping[str, str], errors: Mapping[str, str]) -> None:
    for day in days:
        items = {i.item: i.value for i in day.saved.items.all()} if day.saved else {}
        for name, item in instrument.items.items():
            before = items.get(name)
            text = "" if before is None else f"{before:.12g}"
            key = f"{day.on}.{name}"
            day.cells.append((key, item.label, typed.get(f"item-{key}", text), errors.get(key, "")))


def _save(request: HttpRequest, person: Participant, instrument: Instrument, days: list[Day]) -> int:
    given, problems = {}, list[InvalidEntry]()
    for day in days:
        if day.kept:
            continue
        typed = {f"item-{name}": request.POST.get(f"item-{day.on}.{name}", "") for name in instrument.items}
        given[day.on], _, unreadable = values_of(typed, instrument)
        problems += [InvalidEntry(p.message, field=f"{day.on}.{p.field}") for p in unreadable]
    if problems:
        raise InvalidEntries(problems)
    return save_diary(user_of(request), participant=person, days=given, reason=request.POST.get("reason", ""))


urls: list[tuple[str, View, str]] = [("participants/<str:identifier>/diary/", diary, "diary")]
