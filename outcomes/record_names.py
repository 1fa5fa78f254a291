"""What the records of measurement are called, for the history: the form and its visit or day."""

from __future__ import annotations

from outcomes.models import Invitation, QSTSession, Response
from studies.models import Participant


def names_of(participant: Participant, *, hidden: frozenset[int]) -> dict[tuple[str, int], str]:
    """Names by (kind, record), of a participant's forms and QST sessions and of the answers in them.

    hidden: keys of responses that the reader may not tell apart.
    """
    names: dict[tuple[str, int], str] = {}
    responses = Response.objects.filter(participant=participant).exclude(pk__in=hidden)
    for response in responses.select_related("instrument", "visit"):
        at = "" if response.minute is None else f", {response.minute} min"
        name = f"{response.instrument.name}, {_when(response)}{at}"
        names["response", response.pk] = name
        names["responseitem", response.pk] = f"{name}: answers"
    asked = Invitation.objects.filter(participant=participant).select_related("instrument", "visit")
    names |= {("invitation", each.pk): f"Asked for {each.instrument.name}, {_when(each)}" for each in asked}
    for key, code in QSTSession.objects.filter(participant=participant).values_list("pk", "visit__code"):
        names["qstsession", key] = f"QST, {code}"
        names["qsttrial", key] = f"QST, {code}: trials"
    return names


def _when(form: Response | Invitation) -> str:
    """The visit or the day of a form."""
    return form.visit.code if form.visit else f"{form.day:%-d %b %Y}"
