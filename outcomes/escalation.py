"""Alerts on their way to people: mailed to the site's physician within a minute, handed on when nobody acknowledges.

An e-mail says that there is an alert and where, never what was answered. The alert is locked while it is sent and
marked afterwards: two workers send it once, and one that dies in between sends it again rather than not at all.
One that nobody could be mailed about is tried again at every turn, and Today, Safety and its own page say so meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse

from outcomes.alert_people import next_level_for, people_for
from studies.acting import Program, acting
from studies.models import SafetyAlert, User

TELLING = Program("safety alerts")
logger = logging.getLogger(__name__)


def tell_physicians(*, at: datetime) -> int:
    """Mail every alert that was not mailed yet to those who must acknowledge it; how many alerts went out."""
    new = _open_alerts().filter(told_at__isnull=True).values_list("pk", flat=True)
    return sum(_tell(pk, at) for pk in list(new))


def escalate(*, at: datetime) -> int:
    """Hand on every alert that nobody acknowledged in time to the next level; how many went on."""
    late = _open_alerts().filter(escalated_at__isnull=True, due_at__lte=at).values_list("pk", flat=True)
    return sum(_escalate(pk, at) for pk in list(late))


def _open_alerts() -> QuerySet[SafetyAlert]:
    """Alerts that nobody acknowledged, oldest first; those of a simulation concern nobody."""
    return SafetyAlert.objects.filter(acknowledged_at__isnull=True, simulated=False).order_by("raised_at")


def _tell(pk: int, at: datetime) -> bool:
    with acting(TELLING, "alert sent"), transaction.atomic():
        alert = _locked(pk, told_at__isnull=True)
        if alert is None:
            return False
        told = _send(people_for(alert), f"Alert to acknowledge at {alert.participant.site.code}", _text(alert))
        if not told:
            return False
        alert.told_at, alert.told_to = at, told
        alert.save(update_fields=["told_at", "told_to"])
    return True


def _escalate(pk: int, at: datetime) -> bool:
    with acting(TELLING, "alert not acknowledged in time"), transaction.atomic():
        alert = _locked(pk, escalated_at__isnull=True)
        if alert is None:
            return False
        people = next_level_for(alert)
        told = _send(people, f"Alert not acknowledged in time at {alert.participant.site.code}", _text(alert))
        if told is None:
            return False
        # Without an address among them it is handed on all the same: it stands on their Today.
        alert.escalated_at, alert.escalated_to = at, told or [person.username for person in people]
        alert.save(update_fields=["escalated_at", "escalated_to"])
    return True


def _locked(pk: int, **still: bool) -> SafetyAlert | None:
    """The alert, for this worker alone, if it still is as it was; another worker's is skipped."""
    rows = SafetyAlert.objects.select_for_update(of=("self",), skip_locked=True)
    rows = rows.select_related("participant__site", "participant__protocol_version")
    return rows.filter(pk=pk, acknowledged_at__isnull=True, **still).first()


def _text(alert: SafetyAlert) -> str:
    address = f"{settings.DOOR_ADDRESS}{reverse('admin:alert', args=[alert.pk])}"
    return (
        f"An alert about {alert.participant.identifier} is to be acknowledged by"
        f" {alert.due_at:%Y-%m-%d %H:%M} UTC.\n\n{address}\n\nWhat it is about stands there, after signing in."
    )


def _send(people: Iterable[User], subject: str, text: str) -> list[str] | None:
    """One e-mail to each who has an address: the user names; None when every one failed, so that it is tried again."""
    told, failed = [], False
    for person in people:
        if not person.email:
            continue
        try:
            EmailMessage(subject, text, to=[person.email]).send()
        except (SMTPException, OSError) as error:
            failed = True
            logger.warning("An alert could not be mailed to %s: %s", person.username, type(error).__name__)
        else:
            told.append(person.username)
    return None if failed and not told else told
