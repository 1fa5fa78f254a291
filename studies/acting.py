"""Who acts, why, and (in demonstrations only) when: what the audit triggers write beside every change.

`acting` is entered once per request, command or task, and by every verb. Our database backend tells the database,
in three transaction-local settings, before the next statement of an open transaction (trialsite/postgresql).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

from django.db import transaction
from django.utils import timezone

from studies.errors import database_refusals

P = ParamSpec("P")
R = TypeVar("R")


class Actor(Protocol):
    """Whoever can be named in the audit trail: a user of the open door or an account of the closed one."""

    def get_username(self) -> str: ...


A = TypeVar("A", bound=Actor)


@dataclass(frozen=True, slots=True)
class Acting:
    username: str = ""
    reason: str = ""
    entered_at: datetime | None = None


_acting: ContextVar[Acting] = ContextVar("acting", default=Acting())  # noqa: B039 - frozen


def current() -> Acting:
    return _acting.get()


def moment() -> datetime:
    """Now; or, while a simulation is entered, the moment that it gives."""
    return current().entered_at or timezone.now()


TELL = (
    "SELECT set_config('trialsite.actor', %s, true), set_config('trialsite.reason', %s, true),"
    " set_config('trialsite.entered_at', %s, true)"
)


def told() -> list[str]:
    """What the database is told of the current actor: the values of TELL."""
    now = current()
    return [now.username, now.reason, now.entered_at.isoformat() if now.entered_at else ""]


@contextmanager
def acting(user: Actor, reason: str = "", *, entered_at: datetime | None = None) -> Iterator[None]:
    """Act as `user` for `reason` until the block ends, in this and later transactions.

    entered_at: the time of entry a simulation gives; the database honours it only in a demonstration.
    """
    before = _acting.get()
    token = _acting.set(Acting(user.get_username(), reason or before.reason, entered_at or before.entered_at))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def nobody() -> Iterator[None]:
    """Act as nobody, and leave nobody behind: whatever is entered inside ends with the block.

    A request is answered inside: an error on its way out must not leave its user to the thread's next request.
    """
    token = _acting.set(Acting())
    try:
        yield
    finally:
        _acting.reset(token)


def verb(because: str) -> Callable[[Callable[Concatenate[A, P], R]], Callable[Concatenate[A, P], R]]:
    """One thing people do: one transaction, the acting user first, everything else by keyword.

    because: the reason written in the audit trail when the caller gives none (`reason=`); it says what
    happened ("participant randomised"), for changes that follow from the act itself. What a constraint of the
    database refuses is raised as Contradiction, with the sentence that the model has for it.
    """

    def decorate(function: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[A, P], R]:
        @wraps(function)
        def run(user: A, *args: P.args, **kwargs: P.kwargs) -> R:
            reason = str(kwargs.get("reason") or because)
            # Acting first: the transaction then opens with its actor in one round trip.
            with acting(user, reason), database_refusals(), transaction.atomic():
                return function(user, *args, **kwargs)

        return cast("Callable[Concatenate[A, P], R]", run)

    return decorate


@dataclass(frozen=True, slots=True)
class Program:
    """A program that acts by itself (a scheduled job, an import): named in the audit trail like a person."""

    name: str

    def get_username(self) -> str:
        return self.name
