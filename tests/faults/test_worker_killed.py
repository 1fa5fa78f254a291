"""A worker killed in the middle of a look: the look completes once, and nobody has to do anything."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings as django_settings
from django.db import connection

from analysis import closed_store, jobs
from analysis.looks import order_look
from analysis.models import Job, Look
from analysis.schedules import ensure_schedules
from studies.acting import Program
from tests.analysis.signing import signed_plan
from tests.analysis.small_trial import make_small_trial
from tests.conftest import django_as
from trialsite.services.connection import database_url, redis_url
from trialsite.services.layout import Layout
from trialsite.services.site import CELERY, WORKER, environment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
Connect = Callable[[str], psycopg.Connection]
# A worker's start, LOST_AFTER, two turns of the sweep, the look itself, on a busy machine.
LONGEST = 120.0


@dataclass
class Site:
    """The processes of one test, with its own database, folders and the suite's own broker."""

    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def worker(self) -> subprocess.Popen[bytes]:
        command = [*CELERY, "worker", "-Q", "unblinded", *WORKER]
        command[command.index("--app") + 1] = "tests.faults.slow_worker"
        return self._start(command, role="unblinded", account="unblinded")

    def beat(self) -> subprocess.Popen[bytes]:
        return self._start([*CELERY, "beat", "--pidfile="], role="app", account="beat")

    @property
    def marks(self) -> list[int]:
        """The processes that have begun the look."""
        return [int(path.name) for path in (self.folder / "marks").iterdir()]

    def _start(self, command: list[str], *, role: str, account: str) -> subprocess.Popen[bytes]:
        name = str(connection.settings_dict["NAME"])
        own = {
            "DATABASE_URL": database_url(role, name),
            "TRIALSITE_CUTS": str(self.folder / "cuts"),
            "TRIALSITE_CLOSED": str(self.folder / "closed"),
            "SLOW_WORKER_MARKS": str(self.folder / "marks"),
        }
        with (self.folder / f"{account}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=environment(role, Layout.of_environment(), broker_account=account) | own,
                cwd=django_settings.BASE_DIR,
                stdout=log,
                stderr=log,
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


@pytest.fixture
def site(settings: Any, tmp_path: Path) -> Iterator[Site]:
    settings.CUTS_DIR = tmp_path / "cuts"
    settings.CLOSED_DIR = tmp_path / "closed"
    (tmp_path / "marks").mkdir()
    site = Site(tmp_path)
    with ExitStack() as stack:
        stack.callback(site.stop)
        yield site


@pytest.fixture
def look(site: Site, as_role: Connect) -> Look:
    """A look whose cut is taken and whose closed side waits for its worker; beat's schedule is written."""
    trial = make_small_trial(as_role("unblinded"))
    plan = signed_plan(trial.protocol)
    with django_as("unblinded"):
        closed_store.register_plan(Program("test"), plan=plan)
    ensure_schedules()
    look = order_look(Program("test"), study=trial.study, number=1)
    jobs.run(Job.objects.get(kind="cut").pk)
    return look


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


def worker_ended(site: Site) -> bool:
    return site.running[-1].poll() is not None


def closed_report() -> Job:
    return Job.objects.get(kind="closed_report")


def kill_whole_worker(worker: subprocess.Popen[bytes], _: Site) -> None:
    """As the kernel does when a machine runs out of memory, or a container is removed."""
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def kill_process_at_work(_: subprocess.Popen[bytes], site: Site) -> None:
    """Only the child that computes; the worker stays and gets the message back at once."""
    [pid] = site.marks
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("kill", [kill_whole_worker, kill_process_at_work])
def test_a_look_whose_unblinded_worker_is_killed_completes_once_without_anyone_acting(
    look: Look, site: Site, kill: Callable[[subprocess.Popen[bytes], Site], None]
):
    first = site.worker()
    with explained(site):
        assert comes_about(lambda: len(site.marks) == 1 or worker_ended(site)), "the look did not begin"
        assert len(site.marks) == 1, "the worker ended by itself"
    assert closed_report().status == "running"
    kill(first, site)
    site.beat()
    if first.poll() is not None:
        site.worker()
    with explained(site):
        assert comes_about(lambda: closed_report().status == "done"), "the look did not complete"
    look.refresh_from_db()
    assert look.closed_status == "reported"
    assert closed_report().attempt == 2
    assert len(site.marks) == 2
    with django_as("unblinded"):
        [sealed] = closed_store.sealed_results(look.study_id)
    assert set(sealed.values["means"]) == {"KET", "PLA"}


def test_nothing_of_the_look_was_in_the_broker_or_in_the_workers_log(look: Look, site: Site):
    site.worker()
    with explained(site):
        assert comes_about(lambda: len(site.marks) == 1 or worker_ended(site)), "the look did not begin"
        assert len(site.marks) == 1, "the worker ended by itself"
    assert "KET" not in site.logs()
    assert "PLA" not in site.logs()
    dump = _everything_in_the_broker()
    assert b"analysis.run_job" in dump
    for word in (b"KET", b"PLA", b"SMALL", b"readings"):
        assert word not in dump


def _everything_in_the_broker() -> bytes:
    with redis.Redis.from_url(redis_url("keeper")) as broker:
        return b"".join(key + (broker.dump(key) or b"") for key in broker.keys("*"))
