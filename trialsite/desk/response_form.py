"""One questionnaire: in the order of the paper, previous answers in grey, nothing typed is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from outcomes.due import Form, State, forms_of
from outcomes.models import Response, ResponseItem, Score
from outcomes.responses import MISSING_REASONS, ResponseEntry, correct_response, save_response
from outcomes.scoring import Instrument, load_instrument
from studies.errors import InvalidEntries, InvalidEntry, TrialError
from studies.models import Draft, Participant
from studies.permissions import may_enter_response, require
from trialsite.desk import drafts
from trialsite.desk.page import (
    Http404,
    find_participant,
    in_sight,
    page,
    refusals,
    say,
    shows_refusals,
    user_of,
)

# Up to this many options an item is a row of buttons with their digits; beyond, a field for a number.
BUTTONS = 11
REASON_WORDS = {
    "not_answered": "Not answered",
    "refused": "Refused",
    "not_applicable": "Not applicable",
    "unreadable": "Not readable",
    "not_done": "Not done",
    "not_in_source": "Not in the source",
}


@dataclass
class Entry:
    """What stands in one item of the page: as typed, and what is wrong with it."""

    id: str
    number: str
    label: str
    low: float
    high: float
    integer: bool
    options: list[tuple[str, str]] = field(default_factory=list)
    typed: str = ""
    missing: str = ""
    before: str = ""
    message: str = ""


@shows_refusals
def response(request: HttpRequest, identifier: str, visit: str, slug: str) -> HttpResponse:
    person = find_participant(request, identifier)
    form, following = _form_and_next(person, visit, slug)
    instrument = load_instrument(form.assessment.key)
    require(
        may_enter_response(user_of(request), person.site, arm_revealing=form.arm_revealing),
        f"see or enter {form.label} at site {person.site.code}",
    )
    saved = Response.objects.filter(pk=form.response_id).first() if form.response_id else None
    key = f"response/{person.pk}/{visit}/{slug}"
    if drafts.discarded(request, key):
        return redirect(request.path)
    draft = None if request.method == "POST" else drafts.find(user_of(request), key)
    errors: dict[str, str] = {}
    typed = _typed(request, draft, saved)
    if request.method == "POST":
        try:
            _save(request, person, form, instrument, saved)
        except TrialError as error:
            errors = refusals(error)
            drafts.keep_typed(request, key)
        else:
            drafts.forget(user_of(request), key)
            say(request, f"{form.label} saved.")
            return redirect(_after(request, person, visit, following))
    return page(
        request,
        "response.html",
        room="participants",
        title=f"{form.label} · {visit}",
        status=422 if errors else 200,
        **in_sight(request, person),
        form=form,
        saved=saved,
        completed_at=typed.get("completed_at") or f"{_completed(person, form):%Y-%m-%dT%H:%M}",
        entries=_entries(instrument, typed, errors, _previous(person, form)),
        errors=errors,
        typed=typed,
        reasons={reason: REASON_WORDS[reason] for reason in MISSING_REASONS},
        words=REASON_WORDS,
        imported=_imported(saved),
        drafted=draft,
        draft=reverse("admin:draft") + f"?form={key}",
        following=following,
    )


def _form_and_next(person: Participant, visit: str, slug: str) -> tuple[Form, Form | None]:
    """The form asked for, and the next one of the same visit that is still open."""
    for of_visit, forms in forms_of([person], now=timezone.now()):
        if of_visit.code != visit:
            continue
        places = [i for i, form in enumerate(forms) if form.slug == slug and form.assessment.kind == "instrument"]
        if places:
            later = forms[places[0] + 1 :]
            open_later = [
                f for f in later if f.assessment.kind == "instrument" and f.state in (State.DUE, State.OVERDUE)
            ]
            return forms[places[0]], open_later[0] if open_later else None
    raise Http404


def _imported(saved: Response | None) -> list[Score]:
    """The scores of a form that came without its answers; nothing of any other form."""
    return list(saved.scores.filter(imported=True).order_by("pk")) if saved else []


def _typed(request: HttpRequest, draft: Draft | None, saved: Response | None) -> Mapping[str, str]:
    """What the page starts from: what was just sent, else the draft, else what is saved."""
    if request.method == "POST":
        return request.POST.dict()
    if draft is not None:
        return drafts.texts(draft)
    if saved is None:
        return {}
    typed = {}
    for item in saved.items.all():
        typed[f"item-{item.item}"] = "" if item.value is None else f"{item.value:.12g}"
        typed[f"missing-{item.item}"] = item.missing_reason or ""
    return typed


def _entries(
    instrument: Instrument, typed: Mapping[str, str], errors: Mapping[str, str], previous: Mapping[str, str]
) -> list[Entry]:
    entries = []
    for name, item in instrument.items.items():
        entry = Entry(name, name, item.label, item.min, item.max, item.integer)
        entry.typed, entry.missing = _answer(typed, name)
        entry.before, entry.message = previous.get(name, ""), errors.get(name, "")
        if item.integer and item.max - item.min < BUTTONS:
            entry.options = [(f"{v}", f"{v}") for v in range(int(item.min), int(item.max) + 1)]
        entries.append(entry)
    return entries


def _previous(person: Participant, form: Form) -> dict[str, str]:
    """The answers of the last earlier visit, to be shown in grey."""
    items = ResponseItem.objects.filter(
        response__participant=person,
        response__instrument__key=form.assessment.key,
        response__respondent=form.assessment.asked_of or "",
        response__visit__position__lt=form.visit.position,
        value__isnull=False,
    ).order_by("response__visit__position")
    return {item.item: f"{item.value:g}" for item in items}


def _completed(person: Participant, form: Form) -> datetime:
    moment = form.visit.started_at or timezone.now()
    return moment.astimezone(ZoneInfo(person.site.time_zone))


def _save(
    request: HttpRequest, person: Participant, form: Form, instrument: Instrument, saved: Response | None
) -> None:
    items, missing, problems = values_of(request.POST.dict(), instrument)
    not_done = request.POST.get("whole") == "not_done" and saved is None
    if not_done and (problems or any(value is not None for value in items.values())):
        said = "There are answers, and the whole form is marked as not done. Take away the answers or the mark."
        raise InvalidEntry(said, field="not_done_reason")
    if problems:
        raise InvalidEntries(problems)
    if saved is not None:
        correct_response(
            user_of(request),
            response=saved,
            items=items,
            missing=missing,
            reason=request.POST.get("reason", ""),
        )
        return
    save_response(
        user_of(request),
        entry=ResponseEntry(
            participant=person,
            instrument=instrument.key,
            visit=form.visit,
            minute=form.assessment.minute,
            respondent=form.assessment.asked_of or "",
            items={} if not_done else items,
            missing=missing,
            completed_at=_moment(request.POST.get("completed_at", ""), person),
            status=Response.Status.NOT_DONE if not_done else "",
            not_done_reason=request.POST.get("not_done_reason", "") if not_done else "",
        ),
    )


def _answer(typed: Mapping[str, str], name: str) -> tuple[str, str]:
    """What stands in an item: an answer, and why there is none.

    An item answered by a button has its reasons among the buttons, so that one of them takes the other's place; an
    item with a field has them beside it.
    """
    answer, reason = typed.get(f"item-{name}", "").strip(), typed.get(f"missing-{name}", "")
    return ("", answer) if answer in REASON_WORDS else (answer, reason)


def values_of(
    typed: Mapping[str, str], instrument: Instrument
) -> tuple[dict[str, float | None], dict[str, str], list[InvalidEntry]]:
    """The typed answers as numbers, the reasons where there is none, and what cannot be saved: all of it at once.

    A decimal comma is understood; letters are refused with the item's name.
    """
    items: dict[str, float | None] = {}
    missing: dict[str, str] = {}
    problems = []
    for name, item in instrument.items.items():
        answer, reason = _answer(typed, name)
        if reason and not answer:
            missing[name] = reason
        elif reason in MISSING_REASONS and reason != "not_answered":
            both = f"{item.label} is {answer!r} and marked as {REASON_WORDS[reason].lower()}. Keep one of the two."
            problems.append(InvalidEntry(both, field=name))
        number = items[name] = _number(answer)
        said = ""
        if answer and number is None:
            said = f"{item.label} is {answer!r}; a number from {item.min:g} to {item.max:g} is expected."
        elif number is not None:
            said = item.problem(number) or ""
        if said:
            problems.append(InvalidEntry(f"{said} Check the value, or choose Not done.", field=name))
    return items, missing, problems


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    return number if isfinite(number) else None


def _moment(text: str, person: Participant) -> datetime:
    """A date and time typed on the site's clock. Raises InvalidEntry."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(person.site.time_zone))
    except ValueError as error:
        raise InvalidEntry("Say when it was answered: date and time.", field="completed_at") from error


def _after(request: HttpRequest, person: Participant, visit: str, following: Form | None) -> str:
    if "next" in request.POST and following:
        return reverse("admin:response", args=[person.identifier, visit, following.slug])
    return reverse("admin:participant", args=[person.identifier]) + f"?visit={visit}"
