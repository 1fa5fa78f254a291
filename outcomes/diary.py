"""The daily diary: summaries over days counted from the infusion, as findings for eligibility."""

from __future__ import annotations

from datetime import date, timedelta
from statistics import fmean, stdev

from outcomes.models import Response, ResponseItem
from studies import findings
from studies.acting import verb
from studies.models import Participant, User
from studies.permissions import may_answer_criteria, require
from studies.protocol.eligibility import Finding as FindingPlan


@verb(because="diary summarised")
def note_diary_findings(user: User, *, participant: Participant) -> None:
    """Summarise the diary as the protocol asks (entries, mean and SD of days -7 to -1) and hand it up as findings.

    Without a planned infusion there is no day to count from, and nothing is noted. Raises NotAllowed.
    """
    require(may_answer_criteria(user, participant.site), "summarise the diary here")
    day0 = participant.planned_infusion_on
    plans = [plan for plan in participant.protocol_version.definition.findings if plan.diary and plan.instrument]
    if day0 is None or not plans:
        return
    noted = []
    for plan in plans:
        value = _summary(_entries(participant, plan, day0), str(plan.diary.statistic if plan.diary else ""))
        if value is not None:
            noted.append(findings.NewFinding(participant.pk, None, plan.key, value, "diary", participant.pk, plan.key))
    findings.note(noted)


def _entries(participant: Participant, plan: FindingPlan, day0: date) -> list[float]:
    """The item's values on the days asked for, one a day, in order."""
    if plan.diary is None:
        return []
    first, last = (day0 + timedelta(days=day) for day in plan.diary.days)
    items = ResponseItem.objects.filter(
        response__participant=participant,
        response__instrument__key=plan.instrument,
        response__day__range=(first, last),
        response__status__in=[Response.Status.COMPLETE, Response.Status.PARTIAL],
        item=plan.item or "",
        value__isnull=False,
    ).order_by("response__day")
    return [float(item.value) for item in items if item.value is not None]


def _summary(values: list[float], statistic: str) -> float | None:
    if statistic == "count":
        return float(len(values))
    if statistic == "mean":
        return fmean(values) if values else None
    return stdev(values) if len(values) > 1 else None
