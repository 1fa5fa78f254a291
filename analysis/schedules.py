"""What happens without anybody ordering it: looks that are due, and jobs that were forgotten."""

from __future__ import annotations

from dataclasses import dataclass

from django_celery_beat.models import IntervalSchedule, PeriodicTask

from outcomes import tasks

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
    # Three tries a minute: an alert is with the physician within one. A worker of its own sends what people wait
    # for: a look may keep the blinded one for an hour.
    Periodic("Alerts to the physicians", tasks.TELL_PHYSICIANS, "messages", 20),
    Periodic("Alerts that nobody acknowledged", tasks.ESCALATE, "messages", 300),
    Periodic("Reminders of the diary", tasks.REMIND, "messages", 600),
    Periodic("Participants' forms whose time is over", tasks.CLOSE_FORMS, "messages", 300),
)


def ensure_schedules() -> list[PeriodicTask]:
    """Write the rows that beat reads, where they are missing; what people changed stays, but for the queue:
    on any other nobody takes the message."""
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
    if task.queue != periodic.queue:
        task.queue = periodic.queue
        task.save()
    return task
