"""Waiting at the command line for jobs that the workers run."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.core.management.base import CommandError

from analysis.models import Job

_EVERY_SECONDS = 0.5
_AT_MOST_SECONDS = 600.0


def wait_for(jobs: list[Job], say: Callable[[str], object]) -> None:
    """Say what changes until all jobs are done. Raises CommandError when one failed, or after ten minutes."""
    said: dict[int, str] = {}
    until = time.monotonic() + _AT_MOST_SECONDS
    while time.monotonic() < until:
        now = list(Job.objects.filter(pk__in=[job.pk for job in jobs]).order_by("pk"))
        for job in now:
            line = _line(job)
            if said.get(job.pk) != line:
                said[job.pk] = line
                say(line)
        if failed := [job for job in now if job.status == Job.Status.FAILED]:
            raise CommandError(f"{failed[0].get_kind_display()} failed: {failed[0].get_failure_display()}.")
        if all(job.status == Job.Status.DONE for job in now):
            return
        time.sleep(_EVERY_SECONDS)
    raise CommandError("The workers did not finish in ten minutes. Are both of them running?")


def _line(job: Job) -> str:
    line = f"{job.get_kind_display()}: {job.get_status_display()}, {job.done_steps} of {job.all_steps} steps"
    return f"{line}. {job.get_failure_display()}" if job.failure else line
