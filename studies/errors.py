"""Refusals, named for what happened. Each has a stable code and a sentence: what was met, what to do. Never an arm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import DatabaseError, IntegrityError
from django.db.models import BaseConstraint


class TrialError(Exception):
    """Something the trial's rules do not allow. `field` names the entry at fault, where there is one."""

    code = "refused"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    def __reduce__(self) -> tuple[Any, ...]:
        """Exceptions travel between processes by their arguments; ours have one by keyword."""
        return _again, (type(self), self.message, self.field)


def _again(kind: type[TrialError], message: str, field: str | None) -> TrialError:
    return kind(message, field=field)


class NotAllowed(TrialError):
    """The person's role does not cover this, there."""

    code = "not_allowed"


class AlreadyDone(TrialError):
    code = "already_done"


class ConsentMissing(TrialError):
    code = "consent_missing"


class NotEligible(TrialError):
    code = "not_eligible"


class RandomisationRefused(TrialError):
    code = "randomisation_refused"


class InvalidEntry(TrialError):
    """A value that cannot be saved as it is."""

    code = "invalid_entry"


class InvalidEntries(TrialError):
    """Several values that cannot be saved; all of them at once."""

    code = "invalid_entries"

    def __init__(self, problems: list[InvalidEntry]) -> None:
        super().__init__(" ".join(problem.message for problem in problems))
        self.problems = problems

    def __reduce__(self) -> tuple[Any, ...]:
        return InvalidEntries, (self.problems,)


class ReasonMissing(TrialError):
    code = "reason_missing"


class ProtocolConflict(TrialError):
    code = "protocol_conflict"


class Contradiction(TrialError):
    """What was to be saved contradicts itself or what is saved already: a constraint of the database says so."""

    code = "conflict"


class OwnAnswersKept(TrialError):
    """What a participant entered is not edited by anybody; a clarification goes beside it."""

    code = "own_answers_kept"


# What the database itself refuses (studies/database/sql), by SQLSTATE.
_DATABASE_REFUSALS: dict[str, type[TrialError]] = {
    "TS001": NotAllowed,
    "TS002": ReasonMissing,
    "TS003": NotAllowed,
    "TS004": Contradiction,
    "TS005": OwnAnswersKept,
    "TS010": RandomisationRefused,
    "TS011": RandomisationRefused,
    "TS012": AlreadyDone,
    "TS013": ConsentMissing,
    "TS014": NotEligible,
    "TS015": RandomisationRefused,
    "TS016": RandomisationRefused,
    "TS019": RandomisationRefused,
}


@contextmanager
def database_refusals() -> Iterator[None]:
    """Turn the database's own refusals into ours: a constraint's own sentence, or the first line of a function's."""
    try:
        yield
    except IntegrityError as error:
        sentence = _sentence_of_constraint(error)
        if not sentence:
            raise
        raise Contradiction(sentence) from error
    except DatabaseError as error:
        kind = _DATABASE_REFUSALS.get(getattr(error.__cause__, "sqlstate", "") or "")
        if kind is None:
            raise
        raise kind(str(error).splitlines()[0]) from error


def _sentence_of_constraint(error: IntegrityError) -> str:
    """What the model that declares a violated constraint says to people; empty where it says nothing of its own."""
    name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
    constraints = (c for model in apps.get_models() for c in model._meta.constraints)
    sentence = next((c.violation_error_message for c in constraints if c.name == name), "")
    return "" if sentence == BaseConstraint.default_violation_error_message else str(sentence)
