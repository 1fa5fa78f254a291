"""Refusals, named for what happened. Each has a stable code and a sentence: what was met, what to do. Never an arm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, IntegrityError


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


# What the database itself refuses (studies/database/sql), by SQLSTATE.
_DATABASE_REFUSALS: dict[str, type[TrialError]] = {
    "TS001": NotAllowed,
    "TS002": ReasonMissing,
    "TS003": NotAllowed,
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
    """Turn the database's own refusals into ours, with its first line as the sentence."""
    try:
        yield
    except IntegrityError:
        raise
    except DatabaseError as error:
        kind = _DATABASE_REFUSALS.get(getattr(error.__cause__, "sqlstate", "") or "")
        if kind is None:
            raise
        raise kind(str(error).splitlines()[0]) from error
