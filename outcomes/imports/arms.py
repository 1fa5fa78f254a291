"""Handing the arms of an imported trial to the unblinded side: the only place where they are kept.

The importing process is `app` and cannot write them. It starts a child with the credentials of `unblinded` before
anything is stored, and hands it participant keys with arms once the participants are there. The arms pass
through a pipe: they are in no argument, file, log or table that `app` can read, then or later.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Protocol

from django.conf import settings
from django.db import connection, transaction

from studies import closed_side
from studies.acting import Actor, acting
from studies.errors import TrialError
from studies.models import Participant, Study
from studies.unblinded_process import unblinded_environment

READY = "ready"
ARMS_DIFFER = 3
COMMAND = "store_imported_arms"


class ArmsNotStored(TrialError):
    """The unblinded side could not take the arms."""

    code = "arms_not_stored"


class ArmsDiffer(TrialError):
    """The file gives somebody another arm than the one stored."""

    code = "arms_differ"


class ClosedSide(Protocol):
    """Whoever keeps the arms."""

    def store(self, study: Study, arms: Mapping[int, str]) -> None:
        """Keep the arm of each participant key. Raises ArmsNotStored, ArmsDiffer."""


def store_arms(actor: Actor, *, study: Study, arms: Mapping[int, str]) -> None:
    """On the unblinded side: store arms that are not there yet, and see that all are as given. Safe to repeat.

    Raises ArmsDiffer, which names nobody: who it is stands in the closed side's own diary.
    """
    identifiers = dict(Participant.objects.filter(study=study, pk__in=arms).values_list("pk", "identifier"))
    closed_side.import_arms(actor, study=study, arms=arms, numbers=identifiers)
    stored = closed_side.read_arms(actor, study=study, purpose="import: are the arms stored as they were given?")
    differing = [identifiers[key] for key in arms if stored.get(key) != arms[key]]
    if differing:
        _note(actor, study, f"an import gave another arm than the one stored to {', '.join(sorted(differing))}")
        raise ArmsDiffer(
            "The arms in the file are not those stored, which stay. The closed side's diary names the participants."
        )


def _note(actor: Actor, study: Study, what: str) -> None:
    with acting(actor, what), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO concealed.event (actor, what, study_id) VALUES (%s, %s, %s)",
            [actor.get_username(), what, study.pk],
        )


class UnblindedProcess:
    """A child process that is `unblinded` and waits for arms on its standard input."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def store(self, study: Study, arms: Mapping[int, str]) -> None:
        """Hand the arms over and wait until they are kept. Raises ArmsNotStored, ArmsDiffer."""
        request = json.dumps({"study": study.pk, "arms": {str(key): arm for key, arm in arms.items()}})
        self._process.communicate(request)
        if self._process.returncode == ARMS_DIFFER:
            raise ArmsDiffer("The arms in the file are not those stored, which stay. Ask the closed side.")
        if self._process.returncode:
            raise ArmsNotStored(
                "The participants are stored, their arms are not; the unblinded side's own message is above. "
                "Run the same import again: it goes on from here."
            )


@contextmanager
def unblinded_process() -> Iterator[UnblindedProcess]:
    """Start the child and wait until it has reached the database as `unblinded`.

    Raises ArmsNotStored before anything is stored if it cannot.
    """
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, str(settings.BASE_DIR / "manage.py"), COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=_environment(),
        text=True,
    )
    with process:
        try:
            if _pipe(process.stdout).readline().strip() != READY:
                raise ArmsNotStored("The unblinded side cannot be reached; its own message is above.")
            yield UnblindedProcess(process)
        finally:
            # Without arms the child ends when its input does.
            if process.poll() is None:
                _pipe(process.stdin).close()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None  # noqa: S101 - the process was started with pipes
    return stream


def _environment() -> dict[str, str]:
    environment = unblinded_environment()
    if environment is None:
        raise ArmsNotStored("Set TRIALSITE_UNBLINDED_DATABASE_URL: arms are stored by the unblinded side.")
    return environment
