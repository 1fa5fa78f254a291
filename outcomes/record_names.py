"""What the records of measurement are called, for the history: the form and its visit or day."""

from __future__ import annotations

from django.db.models import Model, Value

from outcomes.models import ConditioningStimulus, DeviceUse, Invitation, QSTFlag, QSTSession, Response
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
    return names | _of_sessions(participant)


# Of QST: model, how it reaches its visit, and what a record of it is called after the session.
_QST: dict[str, tuple[type[Model], str, str]] = {
    "qstsession": (QSTSession, "visit__code", ""),
    "qstflag": (QSTFlag, "session__visit__code", ": question"),
    "deviceuse": (DeviceUse, "session__visit__code", ": device"),
    "conditioningstimulus": (ConditioningStimulus, "session__visit__code", ": conditioning stimulus"),
}


def _of_sessions(participant: Participant) -> dict[tuple[str, int], str]:
    """Sessions, their trials and what hangs on them, in one query."""
    rows = [
        model._default_manager.filter(participant=participant).order_by().values_list(Value(kind), "pk", visit)
        for kind, (model, visit, _) in _QST.items()
    ]
    names: dict[tuple[str, int], str] = {}
    for kind, key, code in rows[0].union(*rows[1:], all=True):
        names[kind, key] = f"QST, {code}{_QST[kind][2]}"
        if kind == "qstsession":
            names["qsttrial", key] = f"QST, {code}: trials"
    return names


def _when(form: Response | Invitation) -> str:
    """The visit or the day of a form."""
    return form.visit.code if form.visit else f"{form.day:%-d %b %Y}"
