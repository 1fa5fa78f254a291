"""Drafts: what was typed but not saved, kept on the server. Not data.

A draft is kept while one types, and when a save is refused; it goes when the form is saved or the draft discarded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from studies.models import Draft, Participant, User
from trialsite.desk.page import user_of

LONGEST = 100_000
_NOT_CONTENT = ("csrfmiddlewaretoken", "next", "discard")


@require_POST
def keep(request: HttpRequest) -> HttpResponse:
    """Keep what stands in a form. Answers with the moment, which the page shows."""
    form = request.GET.get("form", "")
    if not form or len(form) > 120 or not keep_typed(request, form):
        return JsonResponse({"detail": "This draft cannot be kept."}, status=400)
    return JsonResponse({"kept_at": timezone.now().isoformat()})


def keep_typed(request: HttpRequest, form: str) -> bool:
    """Keep what was posted as the draft of a form; False if it is too long to be one."""
    content = {k: v[0] if len(v) == 1 else v for k, v in request.POST.lists() if k not in _NOT_CONTENT}
    if sum(len(str(value)) for value in content.values()) > LONGEST:
        return False
    Draft.objects.update_or_create(user=user_of(request), form=form, defaults={"content": content})
    return True


def find(user: User, form: str) -> Draft | None:
    return Draft.objects.filter(user=user, form=form).first()


def content(draft: Draft | None) -> dict[str, Any]:
    """What was typed, by field; nothing without a draft."""
    return dict(draft.content) if draft else {}


def texts(draft: Draft | None) -> Mapping[str, str]:
    """What was typed, where every field is one text."""
    return {name: value if isinstance(value, str) else "" for name, value in content(draft).items()}


def discarded(request: HttpRequest, form: str) -> bool:
    """Whether the request asks to throw the draft away; it is gone then."""
    if request.method != "POST" or "discard" not in request.POST:
        return False
    forget(user_of(request), form)
    return True


def forget(user: User, form: str) -> None:
    Draft.objects.filter(user=user, form=form).delete()


def begun(user: User, participant: Participant) -> set[str]:
    """The forms of a participant that the user has a draft of."""
    keys = Draft.objects.filter(user=user, form__regex=rf"^[a-z_]+/{participant.pk}(/|$)")
    return set(keys.values_list("form", flat=True))
