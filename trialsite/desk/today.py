"""Today: who is due, what is overdue, which infusions take place, what needs this person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from outcomes.alert_people import nobody_was_mailed
from outcomes.arm_revealing import visible_alerts
from outcomes.compliance import Compliance, compliance_of
from outcomes.due import Form, State, forms_of
from studies.models import Allocation, Participant, SafetyAlert, Site, Study, User, Visit
from studies.permissions import (
    administered_studies,
    may_acknowledge_alert,
    may_invite,
    visible_participants,
    visible_sites,
    visible_studies,
)
from trialsite.desk.page import page, user_of
from trialsite.desk.participants import enrolling_sites

AHEAD = timedelta(days=1)
BEHIND = timedelta(days=60)
WEEK = timedelta(days=7)
# No diary of a protocol reaches further from the infusion.
DIARY_LASTS = timedelta(days=120)
ROWS = 8
LISTS = (
    (State.DUE, "Due now", "Nobody is due now. A participant appears here when a visit's window opens."),
    (State.OVERDUE, "Overdue", "Nothing is overdue."),
    (State.PARTIAL, "Incomplete", "No saved form has open items."),
)


def today(request: HttpRequest, extra_context: object = None) -> HttpResponse:
    user = user_of(request)
    now = timezone.now()
    rows = _due_visits(request)
    sites = list(visible_sites(user).select_related("study"))
    conducted = visible_studies(user).filter(origin=Study.Origin.CONDUCTED)
    alerts = visible_alerts(user).filter(acknowledged_at__isnull=True)
    diaries = _diaries(sites, user, now)
    return page(
        request,
        "today.html",
        room="today",
        title="Today",
        days=sorted(_days(sites)) or [now.date()],
        lists=[_list(kind, title, empty, rows) for kind, title, empty in LISTS],
        infusions=_infusions_today(request, sites),
        alerts=alert_rows(alerts, now, first=ROWS),
        alert_count=alerts.count(),
        may_acknowledge=any(may_acknowledge_alert(user, site) for site in sites),
        diaries=diaries[:ROWS],
        diaries_behind=len(diaries),
        may_enrol=bool(enrolling_sites(sites, user)),
        may_administer=administered_studies(user).exists(),
        recruitment=[_recruitment(study) for study in conducted],
    )


def _list(kind: State, title: str, empty: str, rows: list[dict[str, object]]) -> dict[str, object]:
    """One list of visits: its first rows, and how many more there are."""
    of_kind = [row for row in rows if row["kind"] is kind]
    shown = of_kind[:ROWS]
    return {
        "kind": kind,
        "title": title,
        "empty": empty,
        "rows": shown,
        "count": len(of_kind),
        "more": len(of_kind) - len(shown),
    }


def alert_rows(alerts: QuerySet[SafetyAlert], now: datetime, *, first: int | None = None) -> list[dict[str, object]]:
    """Open alerts as they are listed, the most urgent first: what each says, and whether it could not be mailed."""
    found = alerts.select_related("participant__site", "participant__protocol_version").order_by("due_at")[:first]
    return [{"alert": a, "text": alert_text(a), "not_mailed": nobody_was_mailed(a, at=now)} for a in found]


def alert_text(alert: SafetyAlert) -> str:
    """What an alert says, in the words of the protocol."""
    plans = {plan.code: plan.text for plan in alert.participant.protocol_version.definition.alerts}
    return plans.get(alert.code, alert.code.replace("_", " ").capitalize())


def _due_visits(request: HttpRequest) -> list[dict[str, object]]:
    """Visits with something to do now, the most urgent first."""
    now = timezone.now()
    participants = list(
        visible_participants(user_of(request))
        .filter(status__in=[Participant.Status.SCREENING, Participant.Status.RANDOMISED])
        .filter(visits__opens_at__lte=now + AHEAD, visits__closes_at__gte=now - BEHIND)
        .select_related("site", "protocol_version")
        .distinct()
    )
    rows = [
        _row(visit, forms)
        for visit, forms in forms_of(participants, now=now)
        if visit.status != Visit.Status.MISSED and _near(visit, now)
    ]
    return sorted((row for row in rows if row["kind"]), key=lambda row: str(row["closes_at"]))


def _near(visit: Visit, now: datetime) -> bool:
    opens, closes = visit.opens_at, visit.closes_at
    return opens is not None and closes is not None and opens <= now + AHEAD and closes >= now - BEHIND


def _row(visit: Visit, forms: list[Form]) -> dict[str, object]:
    states = Counter(form.state for form in forms)
    kind = next((state for state in (State.OVERDUE, State.DUE, State.PARTIAL) if states[state]), None)
    return {
        "visit": visit,
        "participant": visit.participant,
        "kind": kind,
        "open_forms": states[kind] if kind else 0,
        "all_forms": len(forms),
        "closes_at": visit.closes_at,
    }


@dataclass(frozen=True, slots=True)
class DiaryRow:
    """A participant whose diary of the last week has gaps."""

    participant: Participant
    week: Compliance


def _diaries(sites: Iterable[Site], user: User, now: datetime) -> list[DiaryRow]:
    """Diaries that are being kept and had gaps in the last week, where the user asks participants; the worst first."""
    own = [site.pk for site in sites if may_invite(user, site)]
    since = now.date() - DIARY_LASTS
    people = list(
        Participant.objects.filter(
            site__in=own,
            study__origin=Study.Origin.CONDUCTED,
            status__in=[Participant.Status.SCREENING, Participant.Status.RANDOMISED],
            planned_infusion_on__gte=since,
        ).select_related("site", "protocol_version")
    )
    kept = compliance_of(people, now=now)
    rows = [DiaryRow(person, kept[person.pk].since(now.date() - WEEK)) for person in people]
    behind = [row for row in rows if row.week.answered < row.week.due]
    return sorted(behind, key=lambda row: (row.week.answered - row.week.due, row.participant.identifier))


def _days(sites: Iterable[Site]) -> set[date]:
    """The days that it is at the sites now."""
    return {timezone.now().astimezone(ZoneInfo(site.time_zone)).date() for site in sites}


def _infusions_today(request: HttpRequest, sites: Iterable[Site]) -> QuerySet[Participant]:
    """Participants whose infusion is planned for the day that it is at one of the sites."""
    planned = visible_participants(user_of(request)).filter(planned_infusion_on__in=_days(sites), infusion__isnull=True)
    return planned.filter(status=Participant.Status.RANDOMISED).select_related("site")


def _recruitment(study: Study) -> dict[str, object]:
    """Randomised so far, against the plan, by site."""
    plan = study.protocol_versions.latest("id").definition.planned_participants
    done = Allocation.objects.filter(participant__study=study).count()
    sites = study.sites.annotate(randomised=Count("participants__allocation")).order_by("code")
    return {
        "study": study,
        "plan": plan,
        "done": done,
        "percent": min(100, round(100 * done / plan)) if plan else 0,
        "sites": sites,
    }
