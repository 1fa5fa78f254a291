"""Answers that a script sends, one by one or, after a lost connection, all that waited on the device."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from outcomes.models import Invitation, OwnAnswer
from outcomes.self_completion import (
    FormClosed,
    GivenAnswer,
    as_participant,
    save_answers,
    submit,
)
from studies.errors import ConsentMissing, InvalidEntries, InvalidEntry
from trialsite.participant_door.questions import read, sheet_of
from trialsite.participant_door.threshold import DEVICE, at_the_door, device_of, refuse, shelf_of, too_many

MOST_BYTES, MOST_ANSWERS = 100_000, 500


class _Unreadable(Exception):
    """What was sent is not what this door's own script sends."""


@require_POST
@at_the_door
def answers(request: HttpRequest) -> HttpResponse:
    """Take answers, and the form if `send` is there. The answer to a key that came before is what it was then.

    200 {kept: [{key, item, received_at}], sent_at}; 409 closed, or other_form: they belong to another than is open on
    this device; 422 problems by question; 404 nothing here.
    """
    now = timezone.now()
    device = device_of(request)
    if device is None:
        if request.COOKIES.get(DEVICE) and not too_many(request, now):
            refuse(request, now)
        return JsonResponse({"code": "nothing_here"}, status=404)
    try:
        body, given, send = _read(request)
        # The device may have begun another form since: what belongs to the first must not be taken for the second.
        if body.get("form", shelf_of(device.invitation)) != shelf_of(device.invitation):
            return JsonResponse({"code": "other_form"}, status=409)
        problems = _problems(device.invitation, given)
        if problems:
            return JsonResponse({"code": "not_possible", "problems": problems}, status=422)
        kept, invitation = _keep(device.invitation, given, send, now)
    except _Unreadable:
        return JsonResponse({"code": "unreadable"}, status=400)
    except InvalidEntries as error:
        return JsonResponse(
            {"code": "not_possible", "problems": {p.field: p.message for p in error.problems}}, status=422
        )
    except InvalidEntry:
        said = _("Answer at least one question before you send the form.")
        return JsonResponse({"code": "not_possible", "problems": {"": said}}, status=422)
    except (FormClosed, ConsentMissing):
        return JsonResponse({"code": "closed"}, status=409)
    told = [{"key": str(a.key), "item": a.item, "received_at": a.received_at.isoformat()} for a in kept]
    sent_at = invitation.submitted_at.isoformat() if invitation.submitted_at else None
    return JsonResponse({"kept": told, "sent_at": sent_at})


def _read(request: HttpRequest) -> tuple[dict[str, Any], list[GivenAnswer], dict[str, Any] | None]:
    """What was sent; in it the answers, and how the form is sent off, if it is. Raises _Unreadable."""
    if len(request.body) > MOST_BYTES:
        raise _Unreadable
    try:
        body = json.loads(request.body)
        sent_at = _moment(body["sent_at"])
        given = [_answer(each, sent_at) for each in body["answers"]]
        send = {"device_at": _moment(body["send"]["at"]), **_offset(body["send"])} if body.get("send") else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Unreadable from error
    if len(given) > MOST_ANSWERS:
        raise _Unreadable
    return body, given, send


def _answer(each: dict[str, Any], sent_at: datetime) -> GivenAnswer:
    value = each.get("value")
    return GivenAnswer(
        key=UUID(each["key"]),
        item=str(each["item"])[:30],
        value=None if value is None else float(str(value).replace(",", ".")),
        missing_reason=each.get("missing"),
        device_at=_moment(each["at"]),
        sent_at=sent_at,
        **_offset(each),
    )


def _offset(each: dict[str, Any]) -> dict[str, int]:
    return {"offset_minutes": int(each["offset"])}


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without an offset")
    # A clock may be wrong by years; at the ends of the calendar its moment has no other time zone.
    if not 1 < moment.year < 9999:
        raise ValueError("no moment of a clock")
    return moment


def _problems(invitation: Invitation, given: list[GivenAnswer]) -> dict[str, str]:
    """What cannot be, by question, in the participant's language; what was saved before is not looked at again."""
    known = set(invitation.answers.filter(key__in=[answer.key for answer in given]).values_list("key", flat=True))
    questions = {question.item: question for question in sheet_of(invitation, {}).questions}
    said = {}
    for answer in given:
        if answer.key not in known and answer.value is not None and answer.item in questions:
            said[answer.item] = read(questions[answer.item], f"{answer.value:.12g}")[1]
    return {item: message for item, message in said.items() if message}


def _keep(
    invitation: Invitation, given: list[GivenAnswer], send: dict[str, Any] | None, now: datetime
) -> tuple[list[OwnAnswer], Invitation]:
    who = as_participant(invitation.participant)
    with transaction.atomic():
        kept = save_answers(who, invitation=invitation, given=given, at=now) if given else []
        if send is not None:
            invitation = submit(who, invitation=invitation, at=now, language=get_language() or "", **send)
    return kept, invitation
