"""What the workers run. A task takes a key or nothing, and running it twice changes nothing.

What computes is imported by the first task that needs it: the worker of messages starts without.
"""

from __future__ import annotations

from celery import shared_task

from analysis import schedules
from analysis.job_queue import RUN_JOB


@shared_task(name=RUN_JOB)  # type: ignore[untyped-decorator]
def run_job(job_id: int) -> None:
    from analysis import jobs  # noqa: PLC0415 - as said above

    jobs.run(int(job_id))


@shared_task(name=schedules.SWEEP)  # type: ignore[untyped-decorator]
def sweep() -> None:
    from analysis import jobs  # noqa: PLC0415 - as said above

    jobs.sweep()


@shared_task(name=schedules.DUE_LOOKS)  # type: ignore[untyped-decorator]
def order_due_looks() -> None:
    from analysis import due_looks  # noqa: PLC0415 - as said above

    due_looks.order_due_looks()
