"""Ordering background work: a row in the database, and its key, nothing else, on the queue of its side."""

from __future__ import annotations

import logging
from functools import partial

from celery import current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from analysis.models import DataCut, Job, Look, SimulationChunk
from studies.models import Study

RUN_JOB = "analysis.run_job"
_log = logging.getLogger(__name__)
_SIDES = {
    Job.Kind.CUT: Job.Side.BLINDED,
    Job.Kind.OPEN_REPORT: Job.Side.BLINDED,
    Job.Kind.CLOSED_CUT: Job.Side.UNBLINDED,
    Job.Kind.CLOSED_REPORT: Job.Side.UNBLINDED,
    Job.Kind.SIMULATION: Job.Side.BLINDED,
}


def order_job(
    kind: Job.Kind,
    *,
    study: Study,
    ordered_by: str,
    cut: DataCut | None = None,
    look: Look | None = None,
    chunk: SimulationChunk | None = None,
) -> Job:
    """Order one piece of work, once: a job ordered before is returned as it is."""
    now = timezone.now()
    job, new = Job.objects.get_or_create(
        kind=kind,
        cut=cut,
        look=look,
        chunk=chunk,
        defaults={
            "study": study,
            "side": _SIDES[kind],
            "ordered_by": ordered_by,
            "ordered_at": now,
            "heartbeat_at": now,
        },
    )
    if new:
        transaction.on_commit(partial(push, job.pk, job.side))
    return job


def push(job_id: int, side: str) -> None:
    """Put a job's key on the queue of its side. A broker that is away is no error: the sweep comes later."""
    try:
        current_app.send_task(RUN_JOB, args=[job_id], queue=side, ignore_result=True)
    except OperationalError:
        _log.warning("The broker is away; job %s waits for the next sweep.", job_id)
