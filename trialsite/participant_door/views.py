"""Pages of the participants' door. Each works without a script: a screen is a form, sent question by question."""

from __future__ import annotations

from uuid import UUID, uuid4, uuid5

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from outcomes import door_keys
from outcomes.contact_preferences import LANGUAGES, contact_of
from outcomes.invitations import next_diary_day
from outcomes.models import DoorKey, Invitation, OwnAnswer
from outcomes.self_completion import (
    FormClosed,
    GivenAnswer,
    answers_so_far,
    as_participant,
    code_for_another_device,
    is_open,
    let_in,
    save_answers,
    submit,
)
from studies.errors import ConsentMissing, InvalidEntry
from trialsite.participant_door.questions import REFUSED, Question, Sheet, read, sheet_of
from trialsite.participant_door.threshold import (
    DEVICE,
    LANGUAGE,
    LAYOUT,
    PATH,
    at_the_door,
    device_of,
    nothing_here,
    open_for,
    refuse,
    remember,
    shelf_of,
    too_many,
)

LAYOUTS = ("one", "list")
END = "end"


@require_http_methods(["GET", "POST"])
@at_the_door
def entrance(request: HttpRequest) -> HttpResponse:
    """Where a short code is entered."""
    now = timezone.now()
    if request.method == "GET":
        return render(request, "participant_door/entrance.html", {"unknown": not request.COOKIES.get(DEVICE)})
    if too_many(request, now):
        return nothing_here(request, 429)
    key = door_keys.find(DoorKey.Kind.CODE, request.POST.get("code", ""), at=now)
    return _let_in(request, key)


@require_http_methods(["GET", "POST"])
@at_the_door
def link(request: HttpRequest, token: str) -> HttpResponse:
    """What a link opens: one button. Reading it uses nothing up, so that programs that look at e-mails do no harm."""
    now = timezone.now()
    if too_many(request, now):
        return nothing_here(request, 429)
    key = door_keys.find(DoorKey.Kind.LINK, token, at=now)
    if key is None:
        device = device_of(request)
        if device is not None and door_keys.was_for(token, device.invitation):
            return redirect("participant_door:form")
        return refuse(request, now)
    if request.method == "GET":
        return render(request, "participant_door/begin.html", {"day": key.invitation.day})
    return _let_in(request, key)


def _let_in(request: HttpRequest, key: DoorKey | None) -> HttpResponse:
    now = timezone.now()
    secret = let_in(key, at=now) if key is not None else None
    if key is None or secret is None:
        return refuse(request, now)
    return open_for(redirect("participant_door:form"), secret, key.invitation)


@require_http_methods(["GET", "POST"])
@at_the_door
def form(request: HttpRequest) -> HttpResponse:
    """The form on this device: all questions are in the page, one or all of them to be seen."""
    now = timezone.now()
    device = device_of(request)
    if device is None:
        if request.COOKIES.get(DEVICE) and not too_many(request, now):
            return refuse(request, now)
        return redirect("participant_door:entrance")
    if not is_open(device.invitation, at=now):
        return redirect("participant_door:done")
    sheet = sheet_of(device.invitation, answers_so_far(device.invitation))
    if request.method == "POST":
        try:
            return _take(request, device, sheet)
        except (FormClosed, ConsentMissing):
            return redirect("participant_door:done")
    return _show(request, device, sheet, request.GET.get("q", ""))


def _take(request: HttpRequest, device: DoorKey, sheet: Sheet) -> HttpResponse:
    """Save what changed on the screen, all or nothing, and go where the button leads."""
    if request.POST.get("shelf", shelf_of(device.invitation)) != shelf_of(device.invitation):
        said = _("Another form was opened on this device; this is it. What you entered last was not taken.")
        return _show(request, device, sheet, "", status=409, message=said)
    given = _changed(request, device.invitation, sheet)
    here = request.POST.get("here", "")
    if any(question.message for question in sheet.questions):
        return _show(request, device, sheet, _first_wrong(sheet, here), status=422)
    who, now = as_participant(device.invitation.participant), timezone.now()
    if given:
        save_answers(who, invitation=device.invitation, given=given, at=now)
    if request.POST.get("go") == "send":
        try:
            submit(who, invitation=device.invitation, at=now, language=get_language() or "")
        except InvalidEntry:
            said = _("Answer at least one question before you send the form.")
            return _show(request, device, sheet, END, status=422, message=said)
        return redirect("participant_door:done")
    return _to(_next(sheet, here, request.POST.get("go", "next")))


def _changed(request: HttpRequest, invitation: Invitation, sheet: Sheet) -> list[GivenAnswer]:
    """What differs from what is saved; what is wrong is put beside its question."""
    nonce = _nonce(request)
    before = answers_so_far(invitation)
    given = []
    for question in sheet.questions:
        if f"item-{question.item}" not in request.POST and f"missing-{question.item}" not in request.POST:
            continue
        typed = request.POST.get(f"item-{question.item}", "").strip()
        refused = REFUSED in (typed, request.POST.get(f"missing-{question.item}"))
        text = "" if typed == REFUSED else typed
        number, question.message = read(question, text)
        question.typed, question.refused = text, refused and not text
        answer = before.get(question.item)
        if not question.message and _differs(number, refused=question.refused, saved=answer):
            given.append(_answer(question, number, nonce, answer))
    return given


def _differs(number: float | None, *, refused: bool, saved: OwnAnswer | None) -> bool:
    if saved is None:
        return number is not None or refused
    return number != saved.value or (refused and saved.missing_reason != REFUSED)


def _answer(question: Question, number: float | None, nonce: UUID, before: OwnAnswer | None) -> GivenAnswer:
    """An answer under a key that follows from the screen, what is said and what stood there: sent twice, kept once."""
    reason = None if number is not None else REFUSED if question.refused else "not_answered"
    said = f"{question.item}={number}/{reason} after {before.pk if before else None}"
    return GivenAnswer(uuid5(nonce, said), question.item, number, reason)


def _nonce(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("screen", ""))
    except ValueError:
        return uuid4()


def _first_wrong(sheet: Sheet, here: str) -> str:
    wrong = [question.item for question in sheet.asked if question.message]
    return here if here in wrong or not wrong else wrong[0]


def _next(sheet: Sheet, here: str, go: str) -> str:
    """The question that a button leads to from the one that is shown."""
    items = [question.item for question in sheet.asked]
    place = items.index(here) if here in items else len(items)
    place += {"back": -1, "next": 1}.get(go, 0)
    return items[max(place, 0)] if place < len(items) else END


def _to(question: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse('participant_door:form')}?q={question}")


def _show(
    request: HttpRequest, device: DoorKey, sheet: Sheet, asked: str, *, status: int = 200, message: str = ""
) -> HttpResponse:
    items = [question.item for question in sheet.asked]
    first_open = next((question.item for question in sheet.asked if not question.answered), END)
    begun = any(question.answered for question in sheet.asked)
    here = asked if asked in (*items, END) else first_open if begun else items[0]
    layout = request.COOKIES.get(LAYOUT, LAYOUTS[0])
    return render(
        request,
        "participant_door/form.html",
        {
            "sheet": sheet,
            "here": here,
            "layout": layout if layout in LAYOUTS else LAYOUTS[0],
            "place": items.index(here) + 1 if here in items else len(items),
            "answered": sum(question.answered for question in sheet.asked),
            "open": [question for question in sheet.asked if not question.answered],
            "screen": uuid4(),
            "shelf": shelf_of(device.invitation),
            "telephone": _telephone(device.invitation),
            "message": message,
        },
        status=status,
    )


def _telephone(invitation: Invitation) -> str:
    """The site's number, in one piece on the screen."""
    return contact_of(invitation.participant.site).telephone.replace(" ", "\u00a0")


@at_the_door
def done(request: HttpRequest) -> HttpResponse:
    """What this device is told once its form is closed."""
    device = device_of(request)
    if device is None:
        return redirect("participant_door:entrance")
    invitation = device.invitation
    if is_open(invitation, at=timezone.now()):
        return redirect("participant_door:form")
    context = {
        "sent": invitation.submitted_at is not None,
        "next_day": next_diary_day(invitation.participant, after=invitation.day) if invitation.day else None,
        "telephone": _telephone(invitation),
        "shelf": shelf_of(invitation),
    }
    return render(request, "participant_door/done.html", context)


@require_POST
@at_the_door
def other_device(request: HttpRequest) -> HttpResponse:
    """A code to go on with on another device."""
    device, now = device_of(request), timezone.now()
    if device is None or not is_open(device.invitation, at=now):
        return redirect("participant_door:entrance")
    code = code_for_another_device(device.invitation, at=now)
    minutes = int(door_keys.SHORT_LIFE.total_seconds() // 60)
    address = request.build_absolute_uri(PATH)
    return render(request, "participant_door/other_device.html", {"code": code, "minutes": minutes, "address": address})


@require_POST
@at_the_door
def look(request: HttpRequest) -> HttpResponse:
    """Another language, or one question at a time against all in a list; kept on the device."""
    back = request.POST.get("back", "")
    safe = back if back.startswith(PATH) and "//" not in back and "\\" not in back else reverse("participant_door:form")
    response: HttpResponse = HttpResponseRedirect(safe)
    for name, allowed in ((LANGUAGE, LANGUAGES), (LAYOUT, LAYOUTS)):
        wanted = request.POST.get(name.rpartition("_")[2], "")
        if wanted in allowed:
            remember(response, name, wanted)
    return response


@require_POST
@at_the_door
def leave(request: HttpRequest) -> HttpResponse:
    """This is not my device: it forgets the form; what was answered is kept at the site."""
    device = device_of(request)
    if device is not None:
        device.delete()
    response = redirect("participant_door:entrance")
    response.delete_cookie(DEVICE, path=PATH)
    return response


def reload(request: HttpRequest) -> HttpResponse:
    """A screen that was sent without its token: open for too long, or sent by another site."""
    return render(request, "participant_door/reload.html", status=403)
