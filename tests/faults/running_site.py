"""Real processes of a site for one test: its own database and folders, the suite's own broker."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings as django_settings
from django.db import connection

from trialsite.services.connection import database_url
from trialsite.services.layout import Layout
from trialsite.services.site import CELERY, WORKER, environment

# A worker's start, LOST_AFTER, two turns of the sweep, the look itself, on a busy machine.
LONGEST = 120.0


@dataclass
class Site:
    """The processes of one test, with its own database, folders and the suite's own broker.

    `marks`, `cuts` and `closed` are in `folder`, beside a log of each.
    """

    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def worker(
        self, queue: str = "unblinded", *, app: str = "tests.faults.slow_worker", manner: list[str] = WORKER
    ) -> subprocess.Popen[bytes]:
        command = [*CELERY, "worker", "-Q", queue, *manner]
        command[command.index("--app") + 1] = app
        account = "unblinded" if queue == "unblinded" else "app"
        return self._start(command, role=account, account=account, log=queue)

    def beat(self) -> subprocess.Popen[bytes]:
        return self._start([*CELERY, "beat", "--pidfile="], role="app", account="beat", log="beat")

    @property
    def marks(self) -> list[int]:
        """The processes that have begun what never ends."""
        return [int(path.name) for path in (self.folder / "marks").iterdir()]

    def _start(self, command: list[str], *, role: str, account: str, log: str) -> subprocess.Popen[bytes]:
        name = str(connection.settings_dict["NAME"])
        own = {
            "DATABASE_URL": database_url(role, name),
            "TRIALSITE_CUTS": str(self.folder / "cuts"),
            "TRIALSITE_CLOSED": str(self.folder / "closed"),
            "SLOW_WORKER_MARKS": str(self.folder / "marks"),
        }
        with (self.folder / f"{log}.log").open("ab") as output:
            process = subprocess.Popen(
                command,
                env=environment(role, Layout.of_environment(), broker_account=account) | own,
                cwd=django_settings.BASE_DIR,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def stop(self) -> None:
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


@contextmanager
def explained(site: Site) -> Iterator[None]:
    """Show what the processes said when something did not come about."""
    try:
        yield
    except AssertionError as error:
        error.add_note(site.logs())
        raise


def comes_about(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.2)
    return False
