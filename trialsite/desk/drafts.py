"""Drafts: what was typed but not saved, kept on the server. Not data."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from studies.models import Draft, User
from trialsite.desk.page import user_of

LONGEST = 100_000
_NOT_CONTENT = ("csrfmiddlewaretoken", "reason")


@require_POST
def keep(request: HttpRequest) -> HttpResponse:
    """Keep what stands in a form. Answers with the time, which the page shows."""
    form = request.GET.get("form", "")
    content = {k: v for k, v in request.POST.dict().items() if k not in _NOT_CONTENT}
    if not form or len(form) > 120 or sum(len(str(v)) for v in content.values()) > LONGEST:
        return JsonResponse({"detail": "This draft cannot be kept."}, status=400)
    Draft.objects.update_or_create(user=user_of(request), form=form, defaults={"content": content})
    return JsonResponse({"kept_at": f"{timezone.now():%H:%M} UTC"})


def read(user: User, form: str) -> dict[str, str]:
    draft = Draft.objects.filter(user=user, form=form).first()
    return cast("dict[str, str]", draft.content) if draft else {}


def forget(user: User, form: str) -> None:
    Draft.objects.filter(user=user, form=form).delete()
