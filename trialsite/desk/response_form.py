"""One questionnaire: in the order of the paper, previous answers in grey, nothing typed is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation.trans_real import parse_accept_lang_header

from outcomes import instrument_versions
from outcomes.circumstances import BY_STAFF
from outcomes.due import Form, State, forms_of
from outcomes.models import InstrumentVersion, Response, ResponseItem, Score
from outcomes.responses import MISSING_REASONS, ResponseEntry, correct_response, save_response
from outcomes.scoring import Instrument, load_instrument
from outcomes.wording import Wording, languages_of, neutral, wording_for
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
from trialsite.desk.response_values import REASON_WORDS, answer_of, moment_of, sent_twice, unknown_items, values_of

# Up to this many options an item is a row of buttons with their digits; beyond, a field for a number.
BUTTONS = 11
# Asks for numbers and neutral labels where a wording is loaded.
LABELS = "labels"
LANGUAGE_NAMES = {"de": "Deutsch", "en": "English", "fr": "français", "es": "español", "it": "italiano"}


@dataclass
class Entry:
    """What stands in one item of the page: as typed, and what is wrong with it. `options`: codes and their words."""

    id: str
    number: str
    label: str
    low: float
    high: float
    integer: bool
    options: list[tuple[str, str]] = field(default_factory=list)
    worded: bool = False
    typed: str = ""
    missing: str = ""
    before: str = ""
    message: str = ""


@shows_refusals
def response(request: HttpRequest, identifier: str, visit: str, slug: str) -> HttpResponse:
    person = find_participant(request, identifier)
    form, following = _form_and_next(person, visit, slug)
    require(
        may_enter_response(user_of(request), person.site, arm_revealing=form.arm_revealing),
        f"see or enter {form.label} at site {person.site.code}",
    )
    saved = Response.objects.select_related("instrument").filter(pk=form.response_id or 0).first()
    if saved and saved.source == Response.Source.PARTICIPANT:
        return redirect("admin:own_form", identifier, saved.pk)
    version = saved.instrument if saved else instrument_versions.current([form.assessment.key])[form.assessment.key]
    instrument = load_instrument(version.key, version.version)
    shown, languages = _wording(request, version, saved)
    key = f"response/{person.pk}/{visit}/{slug}"
    if drafts.discarded(request, key):
        return redirect(request.path)
    draft = None if request.method == "POST" else drafts.find(user_of(request), key)
    errors: dict[str, str] = {}
    typed = _typed(request, draft, saved)
    if request.method == "POST":
        try:
            _save(request, person, form, instrument, saved, shown)
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
        entries=_entries(instrument, shown, typed, errors, _previous(person, form)),
        errors=errors,
        typed=typed,
        reasons={reason: REASON_WORDS[reason] for reason in MISSING_REASONS},
        words=REASON_WORDS,
        shown=shown,
        languages=languages,
        proxies=[] if instrument.completed_by == "clinician" or form.assessment.asked_of else Response.Proxy.choices,
        imported=_imported(saved),
        drafted=draft,
        draft=reverse("admin:draft") + f"?form={key}",
        following=following,
        may_correct_taken=saved is not None and saved.source in BY_STAFF,
    )


def _wording(
    request: HttpRequest, version: InstrumentVersion, saved: Response | None
) -> tuple[Wording, list[tuple[str, str]]]:
    """The words of the form, and the other languages it can be read in: (tag, name).

    A saved form is in the language it was shown in; a new one in that asked for, else in one that the browser prefers.
    """
    loaded = languages_of(version)
    if not loaded:
        return neutral(load_instrument(version.key, version.version)), []
    asked = request.POST.get("language") or request.GET.get("language") or ((saved.language or LABELS) if saved else "")
    shown = wording_for(version, asked or _read_by(request, loaded))
    named = [(tag, LANGUAGE_NAMES.get(tag, tag)) for tag in loaded] + [(LABELS, "Numbers and labels")]
    return shown, [(tag, name) for tag, name in named if tag != (shown.language if shown.licensed else LABELS)]


def _read_by(request: HttpRequest, loaded: Sequence[str]) -> str:
    """The first loaded language that the browser prefers, else the first."""
    preferred = [tag.split("-")[0] for tag, _ in parse_accept_lang_header(request.headers.get("accept-language", ""))]
    ranked = sorted(loaded, key=lambda tag: preferred.index(base) if (base := tag.split("-")[0]) in preferred else 99)
    return ranked[0]


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
    instrument: Instrument,
    shown: Wording,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    previous: Mapping[str, str],
) -> list[Entry]:
    entries = []
    for name, item in instrument.items.items():
        wording = shown.items[name]
        entry = Entry(name, name, wording.text, item.min, item.max, item.integer)
        entry.typed, entry.missing = answer_of(typed, name)
        entry.before, entry.message = previous.get(name, ""), errors.get(name, "")
        options = [(f"{code:g}", wording.choices.get(code, "")) for code in item.counts]
        # What was typed and is none of the options stays in sight, in a field.
        if len(options) <= BUTTONS and (not entry.typed or entry.typed in [code for code, _ in options]):
            entry.options, entry.worded = options, any(word for _, word in options)
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
    request: HttpRequest,
    person: Participant,
    form: Form,
    instrument: Instrument,
    saved: Response | None,
    shown: Wording,
) -> None:
    posted = request.POST.dict()
    items, missing, problems = values_of(posted, instrument)
    problems += [*sent_twice(request.POST, instrument), *unknown_items(posted, instrument)]
    if saved is None:
        completed_at, unreadable = moment_of(posted.get("completed_at", ""), person)
        problems += unreadable
    else:
        completed_at = saved.completed_at
    if problems or completed_at is None:
        raise InvalidEntries(problems)
    if saved is not None:
        reason = posted.get("reason", "")
        correct_response(user_of(request), response=saved, items=items, missing=missing, reason=reason)
        return
    whole = posted.get("whole", "")
    entry = ResponseEntry(
        participant=person,
        instrument=instrument.key,
        visit=form.visit,
        minute=form.assessment.minute,
        respondent=form.assessment.asked_of or "",
        items=items,
        missing={} if whole else missing,
        completed_at=completed_at,
        source=posted.get("source", "") or Response.Source.STAFF,
        proxy=posted.get("proxy", ""),
        status=whole,
        not_done_reason=posted.get("not_done_reason", ""),
        language=shown.language if shown.licensed else "",
        wording_version=shown.version,
    )
    if entry.source not in BY_STAFF:
        raise InvalidEntry("Say how it was taken: with the participant, or from paper.", field="source")
    save_response(user_of(request), entry=entry)


def _after(request: HttpRequest, person: Participant, visit: str, following: Form | None) -> str:
    if "next" in request.POST and following:
        return reverse("admin:response", args=[person.identifier, visit, following.slug])
    return reverse("admin:participant", args=[person.identifier]) + f"?visit={visit}"
