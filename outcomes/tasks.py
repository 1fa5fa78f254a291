"""What the worker of messages does for participants and their safety. Running a task twice changes nothing."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from outcomes import door_keys, door_limits, escalation, reminders, self_completion

TELL_PHYSICIANS = "outcomes.tell_physicians"
ESCALATE = "outcomes.escalate"
REMIND = "outcomes.remind"
CLOSE_FORMS = "outcomes.close_forms"


@shared_task(name=TELL_PHYSICIANS)  # type: ignore[untyped-decorator]
def tell_physicians() -> None:
    escalation.tell_physicians(at=timezone.now())


@shared_task(name=ESCALATE)  # type: ignore[untyped-decorator]
def escalate() -> None:
    escalation.escalate(at=timezone.now())


@shared_task(name=REMIND)  # type: ignore[untyped-decorator]
def remind() -> None:
    reminders.remind(at=timezone.now())


@shared_task(name=CLOSE_FORMS)  # type: ignore[untyped-decorator]
def close_forms() -> None:
    now = timezone.now()
    self_completion.close_expired(at=now)
    door_keys.forget_old(at=now)
    door_limits.forget_old(at=now)
