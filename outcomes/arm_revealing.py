"""Who meets what tells the arm among measurements: side effects, and what was raised because of them.

What does tell it, `studies.protocol.arm_revealing.Revealing` says: the marks of the participant's protocol version, and
the instruments whose own files are flagged. Nothing else here, in pages, API, history or cuts judges it. Of records of
other kinds studies/arm_revealing.py makes the same into conditions.
"""

from __future__ import annotations

from functools import lru_cache

from django.db.models import Q, QuerySet

from outcomes.models import InstrumentVersion, Response
from outcomes.scoring import instrument_keys, load_instrument
from studies.arm_revealing import protocols_in_sight, shown_rows
from studies.models import Finding, Participant, SafetyAlert, User
from studies.permissions import arm_revealing_scope, of_visible_participants
from studies.protocol import cached_definition
from studies.protocol.arm_revealing import Revealing


@lru_cache(maxsize=1)
def flagged_instruments() -> frozenset[str]:
    """The instruments whose own files say that they tell the arm, in whatever study."""
    return frozenset(key for key in instrument_keys() if load_instrument(key).arm_revealing)


def revealing_of(participant: Participant) -> Revealing:
    """What tells the arm of a participant."""
    return _by_protocol(participant.protocol_version.source)


@lru_cache(maxsize=16)
def _by_protocol(source: str) -> Revealing:
    return Revealing.of([cached_definition(source)], flagged=flagged_instruments())


def tells(participant: Participant, instrument: InstrumentVersion) -> bool:
    """Whether a participant's answers to an instrument tell the arm."""
    return instrument.arm_revealing or revealing_of(participant).tells("response", instrument=instrument.key)


def revealing_responses(participant: Participant) -> frozenset[int]:
    """Keys of a participant's responses to instruments that tell the arm."""
    tells = Q(instrument__arm_revealing=True) | Q(instrument__key__in=revealing_of(participant).instruments)
    return frozenset(Response.objects.filter(tells, participant=participant).values_list("pk", flat=True))


def visible_responses(user: User, path: str = "") -> Q:
    """A condition for rows of responses that a person may see; `path` leads from the row to the response."""
    visible = of_visible_participants(user, f"{path}participant")
    return visible & (~_telling_responses(user, path) | arm_revealing_scope(user, f"{path}participant"))


def visible_alerts(user: User) -> QuerySet[SafetyAlert]:
    """Alerts that a person may see: one that a side effect raised is for the infusion unit alone."""
    visible = SafetyAlert.objects.filter(of_visible_participants(user), shown_rows(user, SafetyAlert))
    return visible.filter(~_from_telling_records(user) | arm_revealing_scope(user))


def visible_findings(user: User) -> QuerySet[Finding]:
    """Findings that a person may see: what came from a side effect or from the bedside is the infusion unit's."""
    tells = _from_telling_records(user) | Q(source_kind="infusion")
    for version, revealing in _protocols(user):
        tells |= Q(participant__protocol_version=version, key__in=revealing.findings)
    visible = Finding.objects.filter(of_visible_participants(user), shown_rows(user, Finding))
    return visible.filter(~tells | arm_revealing_scope(user))


def _from_telling_records(user: User) -> Q:
    """Rows that say what other rows said: as revealing as those."""
    responses = Response.objects.filter(_telling_responses(user)).values("pk")
    tells = Q(source_kind="response", source_record__in=responses)
    for version, revealing in _protocols(user):
        tells |= Q(participant__protocol_version=version, source_kind__in=revealing.records)
    return tells


def _telling_responses(user: User, path: str = "") -> Q:
    """Responses that tell the arm: by the file of the instrument, or by the protocol of the participant."""
    tells = Q(**{f"{path}instrument__arm_revealing": True})
    for version, revealing in _protocols(user):
        of_version = Q(**{f"{path}participant__protocol_version": version})
        marked = Q(**{f"{path}instrument__key__in": revealing.instruments})
        tells |= of_version if revealing.tells("response") else of_version & marked
    return tells


def _protocols(user: User) -> list[tuple[int, Revealing]]:
    """The protocol versions of the studies that a person sees, with what each marks."""
    return [(key, _by_protocol(source)) for key, _, source in protocols_in_sight(user)]
