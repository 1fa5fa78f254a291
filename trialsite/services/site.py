"""The processes of a running site: two doors, three workers and beat, each with its own credentials only."""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from trialsite.services.broker import MESSAGES
from trialsite.services.connection import database_url, redis_url
from trialsite.services.failure import ServicesError
from trialsite.services.layout import Layout
from trialsite.services.processes import ProcessDiedError, Supervisor
from trialsite.services.waiting import wait_until

# Whatever else the caller's environment holds, a child never inherits somebody's address, role or door.
OWN_TO_A_PROCESS = ("DATABASE_URL", "REDIS_URL", "DB_ROLE", "TRIALSITE_DOOR")
LONGEST_SITE_START = 120.0  # seconds
MOST_DEATHS = 3  # of one process within a minute
# Workers tell each other nothing: their accounts at the broker have no channel for it.
SILENT = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
WORKER = ["--concurrency=1", "--prefetch-multiplier=1", *SILENT]
# Messages wait for a mail server, not for the processor: threads in one process, so that reminders to many do
# not hold up an alert.
MESSENGER = ["--pool=threads", "--concurrency=4", "--prefetch-multiplier=1", *SILENT]
CELERY = [sys.executable, "-m", "celery", "--app", "trialsite", "--quiet", "--skip-checks"]


class PortTakenError(ServicesError):
    """Somebody else listens on a port that a door needs."""


@dataclass(frozen=True)
class SiteProcess:
    """One process of the site: as which database role and at which broker account and door it runs."""

    name: str
    command: list[str]
    role: str
    broker_account: str
    door: str = "open"


def site_processes(port: int) -> list[SiteProcess]:
    """The processes of a site whose open door is at `port` and whose closed door is at the next."""
    return [
        SiteProcess("web", _gunicorn(port, workers=2), "app", "app"),
        SiteProcess("closed", _gunicorn(port + 1, workers=1), "unblinded", "unblinded", "closed"),
        SiteProcess("worker-blinded", _worker("blinded", WORKER), "app", "app"),
        SiteProcess("worker-messages", _worker(MESSAGES, MESSENGER), "app", "app"),
        SiteProcess("worker-unblinded", _worker("unblinded", WORKER), "unblinded", "unblinded", "closed"),
        SiteProcess("beat", [*CELERY, "beat", "--pidfile="], "app", "beat"),
    ]


def _gunicorn(port: int, *, workers: int) -> list[str]:
    options = ["--preload", f"--bind=127.0.0.1:{port}", f"--workers={workers}", "--threads=4"]
    quiet = ["--graceful-timeout=10", "--no-control-socket", "--log-level=warning"]
    return [sys.executable, "-m", "gunicorn", "trialsite.wsgi", *options, *quiet]


def _worker(queue: str, manner: list[str]) -> list[str]:
    return [*CELERY, "worker", "-Q", queue, f"--hostname={queue}@%h", *manner]


def inherited() -> dict[str, str]:
    """The caller's environment without anybody's address, role or door."""
    return {name: value for name, value in os.environ.items() if name not in OWN_TO_A_PROCESS}


def environment(role: str, layout: Layout, *, broker_account: str | None = None, door: str = "open") -> dict[str, str]:
    """The environment of a process that is `role` and knows no other role's address."""
    return inherited() | {
        "DATABASE_URL": database_url(role, layout=layout),
        "REDIS_URL": redis_url(broker_account or role, layout=layout),
        "DB_ROLE": role,
        "TRIALSITE_DOOR": door,
        "TRIALSITE_VAR": str(layout.var),
        "DJANGO_SETTINGS_MODULE": "trialsite.settings",
        "PYTHONUNBUFFERED": "1",
    }


def refuse_taken_ports(port: int) -> None:
    """Raise PortTakenError when the port of either door is in use."""
    for number in (port, port + 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError as refusal:
                raise PortTakenError(
                    f"Port {number} is in use ({refusal.strerror}). The open door needs PORT and the closed "
                    f"one PORT + 1; choose another: make demo PORT={port + 100}"
                ) from refusal


def start_site(supervisor: Supervisor, port: int) -> None:
    """Start all processes of the site and return when both doors and all workers are ready.

    Raises ProcessDiedError with the end of its log when one of them ends or a door stays shut.
    """
    for process in site_processes(port):
        _start(supervisor, process, port)
    for name, number in (("web", port), ("closed", port + 1)):
        _await_door(supervisor, name, number)


def _start(supervisor: Supervisor, process: SiteProcess, port: int) -> None:
    own = environment(process.role, supervisor.layout, broker_account=process.broker_account, door=process.door)
    # Links in e-mails lead to this site's own open door, unless it is reached by another name.
    own.setdefault("TRIALSITE_ADDRESS", f"http://localhost:{port}")
    supervisor.start(process.name, process.command, own)


def keep_running(supervisor: Supervisor, port: int, say: Callable[[str], object]) -> NoReturn:
    """Start again whatever of the site ends by itself.

    Raises ProcessDiedError when a server ended, or the same process too often within a minute.
    """
    processes = {process.name: process for process in site_processes(port)}
    deaths: list[tuple[str, float]] = []
    while True:
        name, now = supervisor.wait_for_death(), time.monotonic()
        deaths = [(other, when) for other, when in deaths if now - when < 60] + [(name, now)]
        often = sum(other == name for other, _ in deaths)
        if name not in processes or often > MOST_DEATHS:
            raise ProcessDiedError(f"{name} ended by itself:\n{supervisor.tail(name)}")
        say(f"{name} ended by itself; starting it again.")
        supervisor.stop(name)
        _start(supervisor, processes[name], port)


def _await_door(supervisor: Supervisor, name: str, port: int) -> None:
    up = wait_until(lambda: supervisor.dead_child() is not None or answers(port, "/readyz"), LONGEST_SITE_START)
    if (dead := supervisor.dead_child()) is not None:
        raise ProcessDiedError(f"{dead} ended by itself:\n{supervisor.tail(dead)}")
    if not up:
        raise ProcessDiedError(f"{name} is not ready at port {port}:\n{supervisor.tail(name)}")


def answers(port: int, path: str) -> bool:
    """Whether the door at `port` answers `path` with success now."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
