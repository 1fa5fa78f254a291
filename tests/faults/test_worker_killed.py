"""A worker killed in the middle of a look: the look completes once, and nobody has to do anything."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

import psycopg
import pytest
import redis

from analysis import closed_store, jobs
from analysis.looks import order_look
from analysis.models import Job, Look
from analysis.schedules import ensure_schedules
from studies.acting import Program
from tests.analysis.signing import signed_plan
from tests.analysis.small_trial import make_small_trial
from tests.conftest import django_as
from tests.faults.running_site import Site, comes_about, explained
from trialsite.services.connection import redis_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
Connect = Callable[[str], psycopg.Connection]


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
