"""Whom an alert is mailed to, whom it is handed on to, and where nobody can be mailed at all."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from outcomes.arm_revealing import visible_alerts
from studies.models import Membership, Role, SafetyAlert, Site, Study, User

# Within this time an alert has left by e-mail, or cannot.
PROMISED = timedelta(minutes=1)
# To whom an alert goes on: the coordinating investigator and the data manager of the whole study.
NEXT_LEVEL = (Role.INVESTIGATOR, Role.DATA_MANAGER)


def people_for(alert: SafetyAlert) -> list[User]:
    """The site's physicians, and whom the protocol names for this alert, as far as they may know of it."""
    plans = alert.participant.protocol_version.definition.alerts
    to = next((plan.to for plan in plans if plan.code == alert.code), Role.INVESTIGATOR)
    return _allowed(_people(alert.participant.site, {to, Role.INVESTIGATOR}), alert)


def next_level_for(alert: SafetyAlert) -> list[User]:
    """To whom an alert goes on that nobody acknowledged in time, as far as they may know of it."""
    return _allowed(_people(alert.participant.site, NEXT_LEVEL, whole_study=True), alert)


def _people(site: Site, roles: Iterable[str], *, whole_study: bool = False) -> list[User]:
    place = Q(site__isnull=True) if whole_study else Q(site=site) | Q(site__isnull=True)
    rows = Membership.objects.filter(place, study=site.study_id, role__in=list(roles), ended_at__isnull=True)
    return list(User.objects.filter(pk__in=rows.values("user"), is_active=True).order_by("username"))


def _allowed(people: Iterable[User], alert: SafetyAlert) -> list[User]:
    """Those who may know of the alert: one that a side effect raised tells the arm."""
    return [person for person in people if visible_alerts(person).filter(pk=alert.pk).exists()]


def nobody_was_mailed(alert: SafetyAlert, *, at: datetime) -> bool:
    """Whether the time in which an open alert had to leave is over, and it has not left. Simulated ones never do."""
    waits = alert.acknowledged_at is None and not alert.told_to and not alert.simulated
    return waits and alert.raised_at + PROMISED < at


def sites_out_of_reach(studies: Iterable[Study] | QuerySet[Study]) -> QuerySet[Site]:
    """Sites of conducted studies where no physician has an e-mail address: an alert there would stand on Today only."""
    physicians = Membership.objects.filter(
        Q(site=OuterRef("pk")) | Q(site__isnull=True, study=OuterRef("study")),
        role=Role.INVESTIGATOR,
        ended_at__isnull=True,
        user__is_active=True,
    )
    sites = Site.objects.filter(study__in=studies, study__origin=Study.Origin.CONDUCTED).select_related("study")
    return sites.exclude(Exists(physicians.exclude(user__email=""))).order_by("study__code", "code")
