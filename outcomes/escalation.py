"""Alerts on their way to people: mailed to the site's physician within a minute, handed on when nobody acknowledges.

An e-mail says that there is an alert and where, never what was answered. The alert is locked while it is sent and
marked afterwards: two workers send it once, and one that dies in between sends it again rather than not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse

from outcomes.arm_revealing import visible_alerts
from studies.acting import Program, acting
from studies.models import Membership, Role, SafetyAlert, Site, User

TELLING = Program("safety alerts")
logger = logging.getLogger(__name__)
# To whom an alert goes on: the coordinating investigator and the data manager of the whole study.
NEXT_LEVEL = (Role.INVESTIGATOR, Role.DATA_MANAGER)


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
        people = _allowed(_site_people(alert), alert)
        told = _send(people, f"Alert to acknowledge at {alert.participant.site.code}", _text(alert))
        if told is None:
            return False
        alert.told_at, alert.told_to = at, told
        alert.save(update_fields=["told_at", "told_to"])
    return True


def _escalate(pk: int, at: datetime) -> bool:
    with acting(TELLING, "alert not acknowledged in time"), transaction.atomic():
        alert = _locked(pk, escalated_at__isnull=True)
        if alert is None:
            return False
        site = alert.participant.site
        people = _allowed(_people(site, NEXT_LEVEL, whole_study=True), alert)
        told = _send(people, f"Alert not acknowledged in time at {site.code}", _text(alert))
        # Handed on whether or not an e-mail left: it stands on the Today page of the next level.
        alert.escalated_at, alert.escalated_to = at, told or [person.username for person in people]
        alert.save(update_fields=["escalated_at", "escalated_to"])
    return True


def _locked(pk: int, **still: bool) -> SafetyAlert | None:
    """The alert, for this worker alone, if it still is as it was; another worker's is skipped."""
    rows = SafetyAlert.objects.select_for_update(of=("self",), skip_locked=True)
    rows = rows.select_related("participant__site", "participant__protocol_version")
    return rows.filter(pk=pk, acknowledged_at__isnull=True, **still).first()


def _site_people(alert: SafetyAlert) -> list[User]:
    """The site's physicians, and whom the protocol names for this alert."""
    plans = alert.participant.protocol_version.definition.alerts
    to = next((plan.to for plan in plans if plan.code == alert.code), Role.INVESTIGATOR)
    return _people(alert.participant.site, {to, Role.INVESTIGATOR})


def _people(site: Site, roles: Iterable[str], *, whole_study: bool = False) -> list[User]:
    place = Q(site__isnull=True) if whole_study else Q(site=site) | Q(site__isnull=True)
    rows = Membership.objects.filter(place, study=site.study_id, role__in=list(roles), ended_at__isnull=True)
    return list(User.objects.filter(pk__in=rows.values("user"), is_active=True).order_by("username"))


def _allowed(people: Iterable[User], alert: SafetyAlert) -> list[User]:
    """Those who may know of the alert: one that a side effect raised tells the arm."""
    return [person for person in people if visible_alerts(person).filter(pk=alert.pk).exists()]


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
            logger.warning("%s has no e-mail address: the alert stands on the Today page only", person.username)
            continue
        try:
            EmailMessage(subject, text, to=[person.email]).send()
        except (SMTPException, OSError) as error:
            failed = True
            logger.warning("An alert could not be mailed to %s: %s", person.username, type(error).__name__)
        else:
            told.append(person.username)
    return None if failed and not told else told
