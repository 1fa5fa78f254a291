"""The history of a value, a record or a participant, in words."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse

from outcomes.arm_revealing import revealing_of, revealing_responses
from outcomes.record_names import names_of
from studies import history as trail
from studies.models import record_kinds
from studies.permissions import may_see_arm_revealing
from trialsite.desk.page import find_participant, in_sight, page, shows_refusals, user_of

PER_PAGE = 50
# Kinds whose answers are rows of their own; the trail tells them under the record they belong to.
ANSWERS = {"response": "responseitem", "qstsession": "qsttrial"}


@shows_refusals
def history(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    user = user_of(request)
    kind, record, field = (request.GET.get(name, "") for name in ("kind", "record", "field"))
    marks, revealing = revealing_of(person), revealing_responses(person)
    events = trail.of_participant(user, person, revealing=marks, revealing_responses=revealing)
    if kind in record_kinds() and record.isdecimal():
        events = events.filter(kind__in=(kind, ANSWERS.get(kind, kind)), record=int(record))
    found = Paginator(events.order_by("-id"), PER_PAGE).get_page(request.GET.get("page"))
    rows = list(found)
    hidden = frozenset() if may_see_arm_revealing(user, person.site) else revealing
    names = names_of(person, hidden=hidden)
    changes = trail.in_words(
        user,
        person,
        rows,
        revealing=marks,
        revealing_responses=revealing,
        record_names=names,
        field=field,
    )
    return page(
        request,
        "history.html",
        room="participants",
        title=f"History of {person.identifier}",
        **in_sight(request, person),
        changes=changes,
        found=found,
        kind=kind,
        record=record,
        field=field,
    )
