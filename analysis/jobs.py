"""Running background work so that it is done once, whatever dies meanwhile.

    queued --claim--> running --finish--> done
       ^                 |   \\--------> failed --retry--> queued
       |                 | no sign of life for LOST_AFTER
       +----- sweep -----+   (failed as worker_lost after MOST_ATTEMPTS)

The state is in PostgreSQL; a message in the broker holds a job's key and may come twice or never. A claim
is a conditional UPDATE that counts the attempt; from then on only that attempt may write the job's state, so
that a worker that was believed dead changes nothing. `heartbeat_at` is the last sign of life: when a queued
job was last put on its queue, when the worker of a running one last said that it works.
"""

from __future__ import annotations

import logging
import traceback
from datetime import timedelta
from functools import partial

from adbc_driver_manager import OperationalError as StreamBroken
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from analysis import closed_store
from analysis.heartbeat import beating
from analysis.job_queue import push
from analysis.models import Job
from analysis.permissions import may_retry_job
from analysis.work import WORK, show_on_record
from studies.acting import Program, acting, verb
from studies.errors import AlreadyDone, TrialError
from studies.models import User
from studies.permissions import require

LOST_AFTER = timedelta(seconds=20)
REQUEUE_AFTER = timedelta(seconds=20)
# How long a job waits for what it builds on (another job, a plan's registration) before it fails.
PATIENCE = timedelta(hours=1)
MOST_ATTEMPTS = 3
_log = logging.getLogger(__name__)
_State = Job.Status


class JobLost(Exception):
    """Another worker has this job by now: this one stops and changes nothing."""


def run(job_id: int) -> None:
    """Run a job if it is this side's, due, and nobody else's. Safe to call any number of times."""
    job = Job.objects.filter(pk=job_id, side=own_side()).exclude(status__in=[_State.DONE, _State.FAILED]).first()
    if job is None or not _ready(job) or not _claim(job):
        return
    try:
        with beating(job):
            failure = _do(job)
    except JobLost:
        _log.warning("Job %s went to another worker.", job.pk)
        return
    except (OperationalError, InterfaceError, StreamBroken) as error:
        # The database went away: nothing can be written now. The sweep finds the job without a sign of life.
        _log.warning("Job %s lost the database (%s).", job.pk, type(error).__name__)
        return
    if failure:
        _fail(job, failure)
    else:
        _finish(job)


def sweep() -> list[int]:
    """Put this side's forgotten jobs back on their queue: never started, or dead on the way. Their keys.

    A job whose workers died MOST_ATTEMPTS times fails.
    """
    mine = Job.objects.filter(side=own_side())
    for job in mine.filter(_LOST, attempt__gte=MOST_ATTEMPTS):
        _fail(job, Job.Failure.WORKER_LOST)
    found = mine.filter(_LOST | Q(status=_State.QUEUED, heartbeat_at__lt=Now() - REQUEUE_AFTER))
    # One statement a job: of two sweeps at once, one finds it already put back.
    again = [key for key in found.values_list("pk", flat=True) if _put_back(found, key)]
    for key in again:
        push(key, own_side())
    return again


@verb(because="job ordered again")
def retry(user: User | Program, *, job: Job) -> Job:
    """Order a failed job again, with those that failed because they waited for it.

    Raises NotAllowed; AlreadyDone for a job that has not failed.
    """
    require(may_retry_job(user, job.study), "order this job again")
    if Job.objects.get(pk=job.pk).status != _State.FAILED:
        raise AlreadyDone("Only a job that has failed can be ordered again.")
    waited = Q(cut=job.cut_id, status=_State.FAILED, failure=Job.Failure.NOT_READY)
    for each in Job.objects.select_for_update().filter(Q(pk=job.pk) | waited):
        order_again(each)
    job.refresh_from_db()
    return job


def order_again(job: Job) -> None:
    """Put a job that failed back on its queue as if it had just been ordered; part of a verb that asks who may."""
    now = timezone.now()
    Job.objects.filter(pk=job.pk).update(
        status=_State.QUEUED,
        failure="",
        attempt=0,
        done_steps=0,
        finished_at=None,
        ordered_at=now,
        heartbeat_at=now,
    )
    show_on_record(job, failed=False)
    transaction.on_commit(partial(push, job.pk, job.side))


def own_side() -> Job.Side:
    """Which side's jobs this process may run."""
    return Job.Side.UNBLINDED if settings.DB_ROLE == "unblinded" else Job.Side.BLINDED


_LOST = Q(status=_State.RUNNING, heartbeat_at__lt=Now() - LOST_AFTER)


def _ready(job: Job) -> bool:
    """Whether nothing is missing. If so the job shows what; it fails when that takes too long."""
    missing = WORK[Job.Kind(job.kind)].waits_for(job)
    if not missing:
        return True
    # What was ordered before and is under way may be what is missing, however long its worker was away.
    under_way = Job.objects.filter(study=job.study_id, pk__lt=job.pk, status__in=[_State.QUEUED, _State.RUNNING])
    if timezone.now() - job.ordered_at > PATIENCE and not under_way.exists():
        _fail(job, missing)
    elif job.failure != missing:
        Job.objects.filter(pk=job.pk, status=_State.QUEUED).update(failure=missing)
    return False


def _claim(job: Job) -> bool:
    free = Job.objects.filter(Q(status=_State.QUEUED) | _LOST, pk=job.pk, attempt=job.attempt)
    job.attempt += 1
    job.status = _State.RUNNING
    return bool(
        free.update(
            status=_State.RUNNING,
            attempt=job.attempt,
            heartbeat_at=Now(),
            failure="",
            done_steps=0,
            finished_at=None,
        )
    )


def _do(job: Job) -> Job.Failure:
    try:
        WORK[Job.Kind(job.kind)].do(job, partial(_progress, job))
    except (JobLost, OperationalError, InterfaceError, StreamBroken):
        raise
    except Exception as error:  # whatever it was, the job must say that it failed
        return _reported(job, error)
    return Job.Failure.NONE


def _reported(job: Job, error: Exception) -> Job.Failure:
    """The code that everybody may see; the details go where only the right people read them."""
    code = getattr(error, "code", "") if isinstance(error, TrialError) else ""
    known = _TELLING if job.side == Job.Side.BLINDED else _TELLING_NO_ARM
    failure = Job.Failure(code) if code in known else Job.Failure.ERROR
    if job.side == Job.Side.UNBLINDED:
        closed_store.note_detail(job.pk, "".join(traceback.format_exception(error)))
        _log.error("Job %s failed: %s.", job.pk, failure)
    else:
        _log.error("Job %s failed: %s.", job.pk, failure, exc_info=error)
    return failure


_TELLING = frozenset(Job.Failure.values) - {""}
# Whether there are too few data may depend on the arms; these cannot.
_TELLING_NO_ARM = frozenset({Job.Failure.PLAN_NOT_REGISTERED, Job.Failure.CUT_DOES_NOT_VERIFY})


def _progress(job: Job, done: int, of: int) -> None:
    if not _ours(job).update(done_steps=done, all_steps=of):
        raise JobLost


def _finish(job: Job) -> None:
    if _ours(job).update(status=_State.DONE, finished_at=Now(), done_steps=F("all_steps")):
        _push_followers(job)


def _fail(job: Job, failure: Job.Failure) -> None:
    failed = Job.objects.filter(pk=job.pk, attempt=job.attempt, status=job.status)
    with acting(Program(f"{job.side} worker"), "job failed"), transaction.atomic():
        if failed.update(status=_State.FAILED, failure=failure, finished_at=Now()):
            show_on_record(job, failed=True)


def _ours(job: Job) -> QuerySet[Job]:
    return Job.objects.filter(pk=job.pk, attempt=job.attempt, status=_State.RUNNING)


def _put_back(found: QuerySet[Job], key: int) -> bool:
    return bool(found.filter(pk=key).update(status=_State.QUEUED, heartbeat_at=Now()))


def _push_followers(job: Job) -> None:
    """Wake what waits for the same cut. The unblinded side cannot, and need not, reach the other's queue."""
    if job.cut_id is None:
        return
    waiting = Job.objects.filter(cut=job.cut_id, status=_State.QUEUED)
    if job.side == Job.Side.UNBLINDED:
        waiting = waiting.filter(side=Job.Side.UNBLINDED)
    for key, side in waiting.order_by("pk").values_list("pk", "side"):
        push(key, side)
