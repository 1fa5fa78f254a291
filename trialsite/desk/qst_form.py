"""One QST session, in the order of testing: entered, computed as one goes, and read again with its profile.

The tester is masked: nothing on this page tells of the infusion; and of earlier sessions, before this one is saved,
only where they were done, so that nobody finds what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from outcomes.models import Device, QSTSession
from outcomes.qst_corrections import correct_session
from outcomes.qst_entries import MISSING_REASONS, refuse_impossible
from outcomes.qst_flags import testers_at
from outcomes.qst_profiles import latest_of
from outcomes.qst_sessions import save_session
from studies.arm_revealing import require_shown
from studies.errors import InvalidEntries, InvalidEntry, TrialError
from studies.models import Draft, Participant, Visit
from studies.permissions import may_enter_qst, require
from trialsite.desk import drafts
from trialsite.desk.page import find_participant, in_sight, page, refusals, say, shows_refusals, user_of
from trialsite.desk.qst_entry import PLACES, CircumstancesForm, Typed, read_session, typed_of
from trialsite.desk.qst_shown import QST_KINDS, Question, Seen, blocks_of, see


@shows_refusals
def qst(request: HttpRequest, identifier: str, visit: str) -> HttpResponse:
    """The session of a visit: to be entered or corrected; for those who may not, what was found."""
    person, found, saved = _found(request, identifier, visit)
    enters = may_enter_qst(user_of(request), person.site)
    require(enters or (saved is not None and request.method != "POST"), "enter QST here")
    key = f"qst/{person.pk}/{visit}"
    if drafts.discarded(request, key):
        return redirect(request.path)
    draft = None if request.method == "POST" else drafts.find(user_of(request), key)
    typed = _typed(request, draft, saved)
    read = _read(request, typed, person, found, saved) if typed else None
    errors: dict[str, str] = {}
    if request.method == "POST" and "preview" not in request.POST and read is not None:
        try:
            _save(request, read, saved)
        except TrialError as error:
            errors = refusals(error)
            drafts.keep_typed(request, key)
        else:
            drafts.forget(user_of(request), key)
            say(request, f"QST of visit {visit} saved.")
            return redirect(reverse("admin:qst", args=[identifier, visit]))
    seen = see(read.entry, saved) if read else None
    return page(
        request,
        "qst.html",
        room="participants",
        title=f"QST · {visit}",
        status=422 if errors else 200,
        masked=True,
        **in_sight(request, person),
        visit=found,
        saved=saved,
        enters=enters,
        typed=typed,
        errors=errors,
        form=_form(request, person, saved, typed),
        devices=_devices(person, typed, saved),
        areas=blocks_of(typed, errors, seen),
        computed=seen.computed(saved) if seen else "",
        asked=_by_place(seen),
        reasons=MISSING_REASONS,
        drafted=draft,
        draft=reverse("admin:draft") + f"?form={key}",
    )


@require_POST
@shows_refusals
def compute(request: HttpRequest, identifier: str, visit: str) -> HttpResponse:
    """What is typed so far, computed and looked at; nothing is saved."""
    person, found, saved = _found(request, identifier, visit)
    require(may_enter_qst(user_of(request), person.site), "enter QST here")
    read = _read(request, request.POST.dict(), person, found, saved)
    seen = see(read.entry, saved)
    return JsonResponse(
        {
            "values": seen.outputs,
            "questions": [{"place": q.place, "name": q.name, "html": q.html()} for q in seen.questions],
            "faults": {problem.field: problem.message for problem in read.problems},
            "computed": seen.computed(),
        }
    )


def _found(request: HttpRequest, identifier: str, visit: str) -> tuple[Participant, Visit, QSTSession | None]:
    person = find_participant(request, identifier)
    found = get_object_or_404(person.visits.select_related("participant__site"), code=visit)
    rows = QSTSession.objects.select_related("participant__site", "participant__study", "visit", "conditioning")
    saved = rows.prefetch_related("trials", "flags", "device_uses__device").filter(visit=found).first()
    if saved:
        for kind in QST_KINDS:
            require_shown(user_of(request), person, kind)
    return person, found, saved


def _typed(request: HttpRequest, draft: Draft | None, saved: QSTSession | None) -> Mapping[str, str]:
    if request.method == "POST":
        return request.POST.dict()
    if draft is not None:
        return drafts.texts(draft)
    return typed_of(saved) if saved else {}


def _form(
    request: HttpRequest, person: Participant, saved: QSTSession | None, typed: Mapping[str, str]
) -> CircumstancesForm:
    testers = {m.user.username: m.user.display_name for m in testers_at([person]).values()}
    if saved:
        testers.setdefault(saved.tester, saved.tester)
    now = timezone.now().astimezone(ZoneInfo(person.site.time_zone))
    initial = {"tester": user_of(request).get_username(), "tested_at": f"{now:%Y-%m-%dT%H:%M}"}
    if not typed and (last := latest_of(person)):
        initial |= {name: getattr(last, name) for name in PLACES}
    return CircumstancesForm(testers, typed or None, initial=initial)


def _read(
    request: HttpRequest, typed: Mapping[str, str], person: Participant, visit: Visit, saved: QSTSession | None
) -> Typed:
    return read_session(typed, _form(request, person, saved, typed), person=person, visit=visit, saved=saved)


def _save(request: HttpRequest, read: Typed, saved: QSTSession | None) -> None:
    """Save or correct. Raises what cannot be read, what cannot be, and then what is asked and not answered."""
    problems = list(read.problems)
    try:
        refuse_impossible(read.entry)
    except InvalidEntries as error:
        told = {problem.field for problem in problems}
        problems += [problem for problem in error.problems if problem.field not in told]
    if problems:
        raise InvalidEntries(problems)
    if not read.entry.trials:
        raise InvalidEntry("Enter at least one trial, or mark the visit as missed.")
    entry = read.entry
    if unanswered := see(entry, saved).unanswered:
        raise InvalidEntries([InvalidEntry(_asks(question), field=f"flag.{question.name}") for question in unanswered])
    if saved is None:
        save_session(user_of(request), entry=entry)
        return
    correct_session(
        user_of(request),
        session=saved,
        trials=entry.trials,
        reason=request.POST.get("reason", ""),
        comments=entry.comments,
        circumstances=read.circumstances,
        conditioning=entry.conditioning,
        devices=entry.devices,
    )


def _asks(question: Question) -> str:
    return f"{question.message} If it is right, say so beside it; else correct it."


def _devices(person: Participant, typed: Mapping[str, str], saved: QSTSession | None) -> list[dict[str, Any]]:
    """The devices of the site, with what is chosen; those of a saved session with the calibration that held then."""
    due = {use.device_id: use.calibration_due_on for use in saved.device_uses.all() if use.standing} if saved else {}
    of_site = Device.objects.filter(site=person.site_id).filter(Q(retired_on=None) | Q(pk__in=due))
    return [
        {
            "device": device,
            "due": due.get(device.pk, device.calibration_due_on),
            "chosen": f"device.{device.pk}" in typed,
        }
        for device in of_site.order_by("kind", "name", "serial")
    ]


def _by_place(seen: Seen | None) -> dict[str, list[Question]]:
    found: dict[str, list[Question]] = {}
    for question in seen.questions if seen else ():
        found.setdefault(question.place, []).append(question)
    return found
