"""Jobs of the workers: done once, whatever dies meanwhile, and telling nobody more than a code."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from analysis import closed_store, cuts, heartbeat, jobs, work
from analysis.looks import order_look
from analysis.models import DataCut, Job, Look, Plan
from studies.acting import Program
from studies.errors import AlreadyDone, NotAllowed
from tests.analysis.conftest import Calculations
from tests.analysis.small_trial import SmallTrial
from tests.conftest import django_as

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folders")]
Connect = Callable[[str], psycopg.Connection]
Pushed = list[tuple[int, str]]
AN_HOUR = timedelta(hours=1)


@pytest.fixture
def cut_job(trial: SmallTrial, pushed: Pushed) -> Job:
    return Job.objects.get(cut=cuts.order_cut(Program("test"), study=trial.study))


@pytest.fixture
def look(trial: SmallTrial, plan: Plan, pushed: Pushed, calculations: Calculations) -> Look:
    """A look whose blinded jobs are done; the plan is registered."""
    ordered = order_look(Program("test"), study=trial.study, number=1)
    for kind in ("cut", "open_report"):
        jobs.run(Job.objects.get(kind=kind).pk)
    with django_as("unblinded"):
        closed_store.register_plan(Program("test"), plan=plan)
    return ordered


def state(job: Job) -> tuple[str, str, int]:
    job.refresh_from_db()
    return job.status, job.failure, job.attempt


def pretend_silence(job: Job, *, attempt: int = 1) -> None:
    """A worker took the job and has not been heard of for an hour."""
    Job.objects.filter(pk=job.pk).update(status="running", attempt=attempt, heartbeat_at=timezone.now() - AN_HOUR)


def test_ordering_puts_the_key_and_nothing_else_on_the_queue(cut_job: Job, pushed: Pushed):
    assert pushed == [(cut_job.pk, "blinded")]


def test_an_order_that_is_rolled_back_leaves_no_message(trial: SmallTrial, pushed: Pushed):
    def order_and_fail() -> None:
        with transaction.atomic():
            cuts.order_cut(Program("test"), study=trial.study)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        order_and_fail()
    assert pushed == []
    assert not Job.objects.exists()


def test_an_order_stands_when_the_broker_is_away(
    trial: SmallTrial, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def away(*_: object, **__: object) -> None:
        raise BrokerAway("no broker")

    monkeypatch.setattr("analysis.job_queue.current_app.send_task", away)
    cut = cuts.order_cut(Program("test"), study=trial.study)
    assert Job.objects.get(cut=cut).status == "queued"
    assert "waits for the next sweep" in caplog.text


def test_a_job_runs_to_its_end_and_shows_its_progress(cut_job: Job):
    jobs.run(cut_job.pk)
    assert state(cut_job) == ("done", "", 1)
    assert cut_job.done_steps == cut_job.all_steps > 20
    assert cut_job.finished_at is not None
    assert DataCut.objects.get().status == "taken"


def test_a_message_that_comes_twice_changes_nothing(cut_job: Job):
    jobs.run(cut_job.pk)
    before = state(cut_job), cut_job.finished_at
    jobs.run(cut_job.pk)
    assert (state(cut_job), cut_job.finished_at) == before


def test_of_many_workers_that_get_the_same_job_one_runs_it(cut_job: Job, monkeypatch: pytest.MonkeyPatch):
    runs: list[int] = []
    start = threading.Barrier(4)
    monkeypatch.setitem(
        work.WORK, Job.Kind.CUT, work.Work(lambda _: Job.Failure.NONE, lambda job, _: runs.append(job.pk))
    )

    def worker() -> None:
        start.wait()
        jobs.run(cut_job.pk)
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == [cut_job.pk]


def test_a_side_leaves_the_jobs_of_the_other_alone(cut_job: Job):
    with django_as("unblinded"):
        jobs.run(cut_job.pk)
        assert jobs.sweep() == []
    assert state(cut_job) == ("queued", "", 0)


def test_a_job_without_a_sign_of_life_is_put_back_and_run_again(cut_job: Job, pushed: Pushed):
    pretend_silence(cut_job)
    pushed.clear()
    assert jobs.sweep() == [cut_job.pk]
    assert pushed == [(cut_job.pk, "blinded")]
    assert state(cut_job) == ("queued", "", 1)
    assert jobs.sweep() == []
    jobs.run(cut_job.pk)
    assert state(cut_job) == ("done", "", 2)


def test_a_job_whose_worker_lives_is_left_alone(cut_job: Job):
    Job.objects.filter(pk=cut_job.pk).update(status="running", attempt=1, heartbeat_at=timezone.now())
    assert jobs.sweep() == []
    jobs.run(cut_job.pk)
    assert state(cut_job) == ("running", "", 1)


def test_a_queued_job_that_was_never_started_is_put_on_its_queue_again(cut_job: Job, pushed: Pushed):
    pushed.clear()
    assert jobs.sweep() == []
    Job.objects.filter(pk=cut_job.pk).update(heartbeat_at=timezone.now() - AN_HOUR)
    assert jobs.sweep() == [cut_job.pk]
    assert pushed == [(cut_job.pk, "blinded")]


def test_a_job_that_kills_its_worker_three_times_fails(cut_job: Job):
    pretend_silence(cut_job, attempt=jobs.MOST_ATTEMPTS)
    jobs.sweep()
    assert state(cut_job) == ("failed", "worker_lost", 3)
    assert DataCut.objects.get().status == "failed"


def test_a_worker_that_was_believed_dead_changes_nothing(cut_job: Job, monkeypatch: pytest.MonkeyPatch):
    def believed_dead(job: Job, progress: work.Progress) -> None:
        pretend_silence(job, attempt=job.attempt)
        assert jobs.sweep() == [job.pk]
        progress(1, 2)

    monkeypatch.setitem(work.WORK, Job.Kind.CUT, work.Work(lambda _: Job.Failure.NONE, believed_dead))
    jobs.run(cut_job.pk)
    assert state(cut_job) == ("queued", "", 1)
    assert cut_job.done_steps == 0


def test_the_sign_of_life_is_renewed_while_the_work_lasts(cut_job: Job, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(heartbeat, "EVERY_SECONDS", 0.05)
    renewed = threading.Event()

    def long_work(job: Job, _: work.Progress) -> None:
        first = Job.objects.get(pk=job.pk).heartbeat_at
        for _again in range(100):
            if Job.objects.get(pk=job.pk).heartbeat_at != first:
                renewed.set()
                return
            renewed.wait(0.05)

    monkeypatch.setitem(work.WORK, Job.Kind.CUT, work.Work(lambda _: Job.Failure.NONE, long_work))
    jobs.run(cut_job.pk)
    assert renewed.is_set()


def test_a_job_that_loses_the_database_waits_for_the_sweep(cut_job: Job, monkeypatch: pytest.MonkeyPatch):
    def broken(_: Job, __: work.Progress) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setitem(work.WORK, Job.Kind.CUT, work.Work(lambda _: Job.Failure.NONE, broken))
    jobs.run(cut_job.pk)
    assert state(cut_job) == ("running", "", 1)


def test_a_failure_shows_a_code_from_the_list_and_is_written_on_the_cut(cut_job: Job, monkeypatch: pytest.MonkeyPatch):
    def differs(*_: object, **__: object) -> None:
        raise cuts.CountsDiffer("score.parquet holds 3 rows")

    monkeypatch.setattr(cuts, "take", differs)
    jobs.run(cut_job.pk)
    assert state(cut_job) == ("failed", "counts_differ", 1)
    assert DataCut.objects.get().status == "failed"


def test_a_failed_job_can_be_ordered_again_and_then_runs(cut_job: Job, pushed: Pushed, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as broken:
        broken.setattr(cuts, "take", lambda *_, **__: 1 / 0)
        jobs.run(cut_job.pk)
    assert state(cut_job) == ("failed", "error", 1)
    pushed.clear()
    jobs.retry(Program("test"), job=cut_job)
    assert pushed == [(cut_job.pk, "blinded")]
    assert DataCut.objects.get().status == "ordered"
    jobs.run(cut_job.pk)
    assert state(cut_job) == ("done", "", 1)
    with pytest.raises(AlreadyDone, match="has failed"):
        jobs.retry(Program("test"), job=cut_job)


def test_only_the_data_manager_orders_a_job_again(cut_job: Job, trial: SmallTrial):
    pretend_silence(cut_job, attempt=3)
    jobs.sweep()
    with pytest.raises(NotAllowed, match="order this job again"):
        jobs.retry(trial.physician, job=cut_job)


def test_a_job_waits_for_what_it_builds_on_and_says_so(trial: SmallTrial, plan: Plan, pushed: Pushed):
    order_look(Program("test"), study=trial.study, number=1)
    report = Job.objects.get(kind="open_report")
    jobs.run(report.pk)
    assert state(report) == ("queued", "not_ready", 0)


def test_a_job_that_waits_too_long_fails_and_comes_back_with_what_it_waited_for(
    trial: SmallTrial, plan: Plan, pushed: Pushed, monkeypatch: pytest.MonkeyPatch
):
    look = order_look(Program("test"), study=trial.study, number=1)
    cut_job, report = Job.objects.get(kind="cut"), Job.objects.get(kind="open_report")
    with monkeypatch.context() as broken:
        broken.setattr(cuts, "take", lambda *_, **__: 1 / 0)
        jobs.run(cut_job.pk)
    Job.objects.filter(pk=report.pk).update(ordered_at=timezone.now() - 2 * jobs.PATIENCE)
    jobs.run(report.pk)
    assert state(report) == ("failed", "not_ready", 0)
    look.refresh_from_db()
    assert look.status == "failed"
    jobs.retry(Program("test"), job=cut_job)
    assert state(report)[0] == state(cut_job)[0] == "queued"
    look.refresh_from_db()
    assert look.status == "ordered"


def test_a_job_waits_on_while_what_it_waits_for_has_not_failed(trial: SmallTrial, plan: Plan, pushed: Pushed):
    """A worker that was away for a night finds all of the look's jobs to do, in whatever order they come."""
    order_look(Program("test"), study=trial.study, number=1)
    Job.objects.update(ordered_at=timezone.now() - 2 * jobs.PATIENCE)
    report = Job.objects.get(kind="open_report")
    jobs.run(report.pk)
    assert state(report) == ("queued", "not_ready", 0)


def test_a_finished_cut_wakes_what_waits_for_it_on_both_queues(trial: SmallTrial, plan: Plan, pushed: Pushed):
    order_look(Program("test"), study=trial.study, number=1)
    keys = dict(Job.objects.values_list("kind", "pk"))
    pushed.clear()
    jobs.run(keys["cut"])
    assert pushed == [
        (keys["open_report"], "blinded"),
        (keys["closed_cut"], "unblinded"),
        (keys["closed_report"], "unblinded"),
    ]


def test_the_unblinded_side_never_reaches_for_the_queue_of_the_other(look: Look, pushed: Pushed):
    pushed.clear()
    with django_as("unblinded"):
        jobs.run(Job.objects.get(kind="closed_cut").pk)
    assert {queue for _, queue in pushed} == {"unblinded"}


def test_data_that_break_the_closed_part_leave_nothing_to_see_at_the_open_door(
    look: Look, calculations: Calculations, as_role: Connect, caplog: pytest.LogCaptureFixture
):
    """A failure that depends on the data may depend on the arms: in public the job is done as any other is."""
    calculations.raises = ValueError("arm KET has 2 participants")
    job = Job.objects.get(kind="closed_report")
    with caplog.at_level(logging.DEBUG), django_as("unblinded"):
        jobs.run(Job.objects.get(kind="closed_cut").pk)
        jobs.run(job.pk)
        [(_, detail)] = closed_store.details(job.pk)
        sealed = closed_store.sealed_result(look.pk)
    assert "Traceback" in detail
    assert "arm KET has 2 participants" in detail
    assert "KET" not in caplog.text
    assert state(job) == ("done", "", 1)
    assert job.done_steps == job.all_steps == 4
    look.refresh_from_db()
    assert (look.status, look.closed_status) == ("reported", "reported")
    assert sealed is not None
    assert (sealed.values["kind"], sealed.values["decision"]["estimable"]) == ("failed", False)
    assert "arm KET has 2 participants" in sealed.values["why"]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_role("app").execute("SELECT * FROM concealed.job_detail")


def test_why_the_unblinded_side_failed_is_told_to_nobody_but_the_closed_side(
    look: Look, calculations: Calculations, caplog: pytest.LogCaptureFixture
):
    """What the machine refuses does not depend on the arms, and can be tried again."""
    calculations.raises = OSError("no space for the report of KET")
    job = Job.objects.get(kind="closed_report")
    with caplog.at_level(logging.DEBUG), django_as("unblinded"):
        jobs.run(Job.objects.get(kind="closed_cut").pk)
        jobs.run(job.pk)
        [(_, detail)] = closed_store.details(job.pk)
    assert "no space for the report of KET" in detail
    assert "KET" not in caplog.text
    assert state(job) == ("failed", "error", 1)
    look.refresh_from_db()
    assert (look.status, look.closed_status) == ("reported", "failed")


def test_a_code_that_could_depend_on_the_arms_is_not_shown(look: Look, calculations: Calculations):
    """Whether an arm has too few data tells something of the arms: app could try it on chosen cuts."""
    too_few = cuts.CutDoesNotVerify("")
    too_few.code = "too_few_data"
    calculations.raises = too_few
    job = Job.objects.get(kind="closed_report")
    with django_as("unblinded"):
        jobs.run(Job.objects.get(kind="closed_cut").pk)
        jobs.run(job.pk)
    assert state(job) == ("failed", "error", 1)


def test_the_unblinded_worker_may_write_nothing_of_a_job_but_its_state(look: Look, as_role: Connect):
    unblinded = as_role("unblinded")
    for statement in (
        "UPDATE analysis_job SET ordered_by = 'KET'",
        "UPDATE analysis_look SET unplanned_reason = 'KET'",
        "INSERT INTO analysis_openreport (look_id, sha256) VALUES (1, 'KET')",
        "DELETE FROM analysis_job",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), unblinded.transaction():
            unblinded.execute(statement)


def test_a_cut_swapped_under_the_unblinded_worker_is_refused(look: Look, folders: Path):
    path = cuts.blinded_folder(look.cut.name) / "allocation.parquet"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"\0")
    job = Job.objects.get(kind="closed_cut")
    with django_as("unblinded"):
        jobs.run(job.pk)
    assert state(job) == ("failed", "cut_does_not_verify", 1)
