"""What happens without anybody ordering it: looks that are due, and jobs that were forgotten."""

from __future__ import annotations

from dataclasses import dataclass

from django_celery_beat.models import IntervalSchedule, PeriodicTask

SWEEP = "analysis.sweep"
DUE_LOOKS = "analysis.due_looks"


@dataclass(frozen=True, slots=True)
class Periodic:
    """A row of the schedule as it is first written; afterwards people change it in the admin."""

    name: str
    task: str
    queue: str
    seconds: int


SCHEDULES = (
    Periodic("Forgotten jobs of the blinded side", SWEEP, "blinded", 10),
    Periodic("Forgotten jobs of the unblinded side", SWEEP, "unblinded", 10),
    Periodic("Looks that are due", DUE_LOOKS, "blinded", 3600),
)


def ensure_schedules() -> list[PeriodicTask]:
    """Write the rows that beat reads, where they are missing; what people changed stays."""
    return [_ensure(periodic) for periodic in SCHEDULES]


def _ensure(periodic: Periodic) -> PeriodicTask:
    every, _ = IntervalSchedule.objects.get_or_create(every=periodic.seconds, period=IntervalSchedule.SECONDS)
    task, _ = PeriodicTask.objects.get_or_create(
        name=periodic.name,
        defaults={
            "task": periodic.task,
            "interval": every,
            "queue": periodic.queue,
            # A worker that was away for an hour finds one message, not hundreds.
            "expire_seconds": periodic.seconds,
        },
    )
    return task
