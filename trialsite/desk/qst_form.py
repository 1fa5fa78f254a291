"""One QST session, in the order of testing; trials as measured, values computed when saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone

from outcomes.models import QSTSession
from outcomes.qst import trial_problem
from outcomes.qst_layout import AREAS, Cell, layout
from outcomes.qst_sessions import SessionEntry, TrialEntry, correct_session, save_session
from studies.errors import InvalidEntries, InvalidEntry, TrialError
from studies.models import Draft, Participant, Visit
from studies.permissions import may_enter_qst, require
from trialsite.desk import drafts
from trialsite.desk.page import find_participant, in_sight, page, refusals, say, shows_refusals, user_of


@dataclass(frozen=True)
class Block:
    """The cells of one parameter in one area, with what was typed and what is wrong."""

    area: str
    parameter: str
    label: str
    unit: str
    cells: list[tuple[Cell, str, str]]


@shows_refusals
def qst(request: HttpRequest, identifier: str, visit: str) -> HttpResponse:
    person = find_participant(request, identifier)
    found = get_object_or_404(person.visits.select_related("participant__site"), code=visit)
    require(may_enter_qst(user_of(request), person.site), "see or enter QST here")
    saved = QSTSession.objects.filter(visit=found).first()
    key = f"qst/{person.pk}/{visit}"
    if drafts.discarded(request, key):
        return redirect(request.path)
    draft = None if request.method == "POST" else drafts.find(user_of(request), key)
    typed = _typed(request, draft, saved)
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            _save(request, person, found, saved)
        except TrialError as error:
            errors = refusals(error)
            drafts.keep_typed(request, key)
        else:
            drafts.forget(user_of(request), key)
            say(request, f"QST of visit {visit} saved.")
            return redirect(reverse("admin:participant", args=[identifier]) + f"?visit={visit}")
    return page(
        request,
        "qst.html",
        room="participants",
        title=f"QST · {visit}",
        status=422 if errors else 200,
        **in_sight(request, person),
        visit=found,
        saved=saved,
        typed=typed,
        errors=errors,
        blocks=_blocks(typed, errors),
        values=saved.values.order_by("area", "parameter") if saved else (),
        areas=["hand", "foot", "face", "trunk"],
        now=f"{timezone.now().astimezone(ZoneInfo(person.site.time_zone)):%Y-%m-%dT%H:%M}",
        drafted=draft,
        draft=reverse("admin:draft") + f"?form={key}",
    )


def _typed(request: HttpRequest, draft: Draft | None, saved: QSTSession | None) -> Mapping[str, str]:
    if request.method == "POST":
        return request.POST.dict()
    if draft is not None:
        return drafts.texts(draft)
    if saved is None:
        return {}
    return {
        _name(t.area, Cell(t.parameter, t.direction, t.trial)): "" if t.value is None else f"{t.value:g}"
        for t in saved.trials.all()
    }


def _name(area: str, cell: Cell) -> str:
    return f"{area}.{cell.parameter}.{cell.direction or 'trial'}.{cell.trial}"


def _blocks(typed: Mapping[str, str], errors: Mapping[str, str]) -> list[Block]:
    return [
        Block(
            area,
            row.parameter,
            row.label,
            row.unit,
            [(c, typed.get(_name(area, c), ""), errors.get(_name(area, c), "")) for c in row.cells],
        )
        for area in AREAS
        for row in layout()
    ]


def _trials(request: HttpRequest) -> list[TrialEntry]:
    """Every cell: a number, or not done where it was left empty but its parameter was begun."""
    trials, problems = [], []
    for area in AREAS:
        for row in layout():
            texts = {c: request.POST.get(_name(area, c), "").strip().replace(",", ".") for c in row.cells}
            if not any(texts.values()):
                continue
            for cell, text in texts.items():
                try:
                    value = float(text) if text else None
                except ValueError:
                    problems.append(
                        InvalidEntry(
                            f"{row.label} is {text!r}; a number ({row.unit}) is expected. Check it, or leave the field"
                            " empty: not done.",
                            field=_name(area, cell),
                        )
                    )
                    continue
                if value is not None and (said := trial_problem(cell.parameter, value)):
                    problems.append(InvalidEntry(said, field=_name(area, cell)))
                missing = "not_done" if value is None else None
                trials.append(TrialEntry(area, cell.parameter, cell.trial, value, cell.direction, missing))
    if problems:
        raise InvalidEntries(problems)
    if not trials:
        raise InvalidEntry("Enter at least one trial, or mark the visit as missed.")
    return trials


def _save(request: HttpRequest, person: Participant, visit: Visit, saved: QSTSession | None) -> None:
    trials = _trials(request)
    if saved is not None:
        correct_session(user_of(request), session=saved, trials=trials, reason=request.POST.get("reason", ""))
        return
    try:
        tested_at = datetime.fromisoformat(request.POST.get("tested_at", ""))
    except ValueError as error:
        raise InvalidEntry("Say when the session took place: date and time.", field="tested_at") from error
    entry = SessionEntry(
        participant=person,
        visit=visit,
        tested_at=tested_at.replace(tzinfo=ZoneInfo(person.site.time_zone)),
        tester=request.POST.get("tester", "") or user_of(request).get_username(),
        test_area=request.POST.get("test_area", ""),
        control_area=request.POST.get("control_area", ""),
        trials=trials,
    )
    save_session(user_of(request), entry=entry)
