"""A sign of life while work is done: a thread that stamps the job on a connection of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, connection
from django.db.models.functions import Now

from analysis.models import Job

EVERY_SECONDS = 4.0
_log = logging.getLogger(__name__)


@contextmanager
def beating(job: Job) -> Iterator[None]:
    """Stamp the job every few seconds while the block runs; it stops with the process, however that ends."""
    stop = threading.Event()
    thread = threading.Thread(target=_beat, args=(job, stop), name=f"heartbeat of job {job.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat(job: Job, stop: threading.Event) -> None:
    try:
        while not stop.wait(EVERY_SECONDS):
            _stamp(job)
    finally:
        connection.close()


def _stamp(job: Job) -> None:
    # Only for the attempt that was claimed: a worker believed dead must not keep a job from its successor.
    ours = Job.objects.filter(pk=job.pk, attempt=job.attempt, status=Job.Status.RUNNING)
    try:
        ours.update(heartbeat_at=Now())
    except (DatabaseError, InterfaceError):
        _log.warning("The sign of life of job %s could not be written; trying again.", job.pk)
        connection.close()
