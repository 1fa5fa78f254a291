"""Who meets what a protocol marks as telling the arm, among records of any kind: whole rows, and single values of rows.

What does tell it, `studies.protocol.arm_revealing.Revealing` says; here that becomes conditions for lists and pages.
Instruments and forms, whose marks rest on measurement, are in outcomes/arm_revealing.py.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Case, ForeignKey, Model, Q, QuerySet, Value, When

from studies.models import Participant, ProtocolVersion, User
from studies.permissions import (
    arm_revealing_scope,
    may_see_arm_revealing,
    require,
    studies_of_the_unit,
    visible_studies,
)
from studies.protocol import cached_definition
from studies.protocol.arm_revealing import Revealing

_KEPT = "_protocols_in_sight"
# By which key a row leads to its participant, where it has none of its own.
_OWNERS = ("participant", "response", "session")


def protocols_in_sight(user: User) -> list[tuple[int, int, str]]:
    """Key, study and text of the protocol versions that a person sees. Read once per user object: per request."""
    kept: list[tuple[int, int, str]] | None = getattr(user, _KEPT, None)
    if kept is None:
        versions = ProtocolVersion.objects.filter(study__in=visible_studies(user))
        kept = list(versions.values_list("pk", "study_id", "source"))
        setattr(user, _KEPT, kept)
    return kept


def shown_rows(user: User, model: type[Model]) -> Q:
    """A condition for the rows of a model that a person may see, as far as marks go; its scope is another matter."""
    path = _to_participant(model)
    if path is None:
        return Q()
    kind = model._meta.model_name or ""
    marked = [version for version, _, source in protocols_in_sight(user) if _marks(source).tells(kind)]
    telling = Q(**{f"{path}__protocol_version__in": marked})
    return ~telling | arm_revealing_scope(user, path) if marked else Q()


def kept_values(user: User, model: type[Model]) -> dict[str, Q]:
    """For each field of a model that is kept from a person in some study: the rows in which it is."""
    path = _to_participant(model)
    if path is None:
        return {}
    by_field: dict[str, list[int]] = {}
    unit = studies_of_the_unit(user)
    for version, study, source in protocols_in_sight(user):
        if study not in unit:
            for field in _marks(source).columns(model._meta.model_name or ""):
                by_field.setdefault(field, []).append(version)
    return {
        field: Q(**{f"{path}__protocol_version__in": versions}) & ~arm_revealing_scope(user, path)
        for field, versions in by_field.items()
    }


def told(user: User, rows: QuerySet[Any]) -> QuerySet[Any]:
    """For a page: the rows that a person may see, each with `kept`, whether a value of it is not told."""
    kept: Value | Case = Value(False)
    for condition in kept_values(user, rows.model).values():
        kept = Case(When(condition, then=Value(True)), default=kept)
    shown: QuerySet[Any] = rows.filter(shown_rows(user, rows.model)).annotate(kept=kept)
    return shown


def is_kept(user: User, participant: Participant, kind: str) -> bool:
    """Whether a kind of record, or any value of it, is kept from a person who sees the participant."""
    marks = _marks(participant.protocol_version.source)
    return bool(marks.tells(kind) or marks.columns(kind)) and not may_see_arm_revealing(user, participant.site)


def require_shown(user: User, participant: Participant, kind: str) -> None:
    """Raise NotAllowed where a kind of record is kept from a person."""
    require(not is_kept(user, participant, kind), "see this: it is kept at the infusion unit")


@lru_cache(maxsize=16)
def _marks(source: str) -> Revealing:
    return Revealing.of([cached_definition(source)])


@lru_cache(maxsize=128)
def _to_participant(model: type[Model]) -> str | None:
    """How a row leads to its participant; None where it belongs to nobody."""
    for name in _OWNERS:
        try:
            key = model._meta.get_field(name)
        except FieldDoesNotExist:
            continue
        if isinstance(key, ForeignKey):
            return name if key.related_model is Participant else f"{name}__participant"
    return None
