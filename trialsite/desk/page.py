"""What every page of the desk shares: the rooms, the participant in sight, refusals shown beside the entry."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from outcomes.arm_revealing import visible_alerts
from studies.errors import InvalidEntries, NotAllowed, TrialError
from studies.models import Participant, User
from studies.permissions import may_see_identity, visible_participants

ROOMS = (
    ("today", "Today", "admin:index"),
    ("participants", "Participants", "admin:participants"),
    ("infusions", "Infusions", "admin:infusions"),
    ("safety", "Safety", "admin:safety"),
    ("data", "Data", "admin:data"),
    ("reports", "Reports", "admin:reports"),
    ("study", "Study", "admin:study"),
)
View = Callable[..., HttpResponse]


def user_of(request: HttpRequest) -> User:
    return cast(User, request.user)


def page(
    request: HttpRequest, template: str, *, room: str, title: str, status: int = 200, **context: Any
) -> HttpResponse:
    """A page of the desk."""
    shown = {"rooms": rooms(), "room": room, "title": title, **context}
    return render(request, f"desk/{template}", shown, status=status)


def rooms() -> list[tuple[str, str, str]]:
    """The rooms of the desk: name, label, address."""
    return [(name, label, reverse(url)) for name, label, url in ROOMS]


def find_participant(request: HttpRequest, identifier: str) -> Participant:
    """The participant, if the person may see it. Raises Http404: the same for unknown and for out of sight."""
    rows = visible_participants(user_of(request)).select_related(
        "site", "study", "protocol_version", "allocation", "infusion"
    )
    return get_object_or_404(rows, identifier=identifier)


def in_sight(request: HttpRequest, participant: Participant) -> dict[str, Any]:
    """What the bar of a participant shows."""
    return {
        "participant": participant,
        "open_alerts": visible_alerts(user_of(request))
        .filter(participant=participant, acknowledged_at__isnull=True)
        .count(),
        "may_see_identity": may_see_identity(user_of(request), participant.site),
    }


def refusals(error: TrialError) -> dict[str, str]:
    """A refusal as messages by field; what belongs to no field is under the empty name.

    Raises the refusal again where the person may not do this at all: that is no matter of what was typed.
    """
    if isinstance(error, NotAllowed):
        raise error
    problems = error.problems if isinstance(error, InvalidEntries) else [error]
    return {problem.field or "": problem.message for problem in problems}


def show_on(form: Form, error: TrialError) -> None:
    """Put a refusal beside the entries it is about; what belongs to no field stands at the top."""
    for field, message in refusals(error).items():
        form.add_error(field if field in form.fields else None, message)


def shows_refusals(view: View) -> View:
    """A page whose verb refuses the person or the moment says so in a sentence, never by a traceback."""

    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except NotAllowed as error:
            return page(request, "refused.html", room="", title="Not allowed", status=403, message=error.message)

    return shown


def key_in(request: HttpRequest, name: str) -> int:
    """A row's key as it was posted; 0, which no row has, for whatever is none."""
    text = request.POST.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def say(request: HttpRequest, text: str) -> None:
    """Say on the next page what was done."""
    messages.success(request, text)


def warn(request: HttpRequest, text: str) -> None:
    """Say on the next page what was not done, or needs to be looked at."""
    messages.warning(request, text)


__all__ = [
    "Http404",
    "find_participant",
    "in_sight",
    "key_in",
    "page",
    "refusals",
    "rooms",
    "say",
    "show_on",
    "shows_refusals",
    "user_of",
    "warn",
]
