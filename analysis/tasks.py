"""What the workers run. A task takes a key or nothing, and running it twice changes nothing."""

from __future__ import annotations

from celery import shared_task

from analysis import due_looks, jobs, schedules
from analysis.job_queue import RUN_JOB


@shared_task(name=RUN_JOB)  # type: ignore[untyped-decorator]
def run_job(job_id: int) -> None:
    jobs.run(int(job_id))


@shared_task(name=schedules.SWEEP)  # type: ignore[untyped-decorator]
def sweep() -> None:
    jobs.sweep()


@shared_task(name=schedules.DUE_LOOKS)  # type: ignore[untyped-decorator]
def order_due_looks() -> None:
    due_looks.order_due_looks()
