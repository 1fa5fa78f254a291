"""Looks that are due by the plan: enough information, the day after the clinical cut-off, or enough enrolled.

Whether to look is decided on a count of the live tables; the information a look reports is computed from its
cut. ICH E9 4.5: the schedule of looks is fixed before, and not moved by what is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.db import connection
from django.db.models import Max, Q
from django.utils import timezone

from analysis.looks import order_look, planned_looks
from analysis.models import Look, Plan
from studies.acting import Program
from studies.models import Allocation, Study

SCHEDULE = Program("schedule")


def order_due_looks() -> list[Look]:
    """Order the next interim look of every study in which it is due. Safe to repeat.

    Nothing is ordered while an earlier look is not reported on both sides, and never the final one: that
    is ordered by people, when the data are clean.
    """
    studies = Study.objects.filter(origin=Study.Origin.CONDUCTED, plans__isnull=False).distinct()
    return [look for study in studies.order_by("pk") if (look := _order_if_due(study))]


def next_interim_look(plan: Plan) -> Mapping[str, Any] | None:
    """The first interim look of the plan that has not been taken; None after the last, or without any."""
    last = plan.study.looks.filter(planned=True).aggregate(last=Max("number"))["last"] or 0
    return next((look for look in planned_looks(plan)[:-1] if look["number"] > last), None)


def is_due(look: Mapping[str, Any], *, information: int, today: date, randomised: int = 0) -> bool:
    """Whether a planned look is due: one of the triggers that the plan gives it is met."""
    return bool(met_triggers(look, information=information, today=today, randomised=randomised))


def met_triggers(look: Mapping[str, Any], *, information: int, today: date, randomised: int = 0) -> tuple[str, ...]:
    """The triggers of a planned look that are met.

    information: units that have come in; none at all is never enough, whatever else. randomised: participants by now.
    """
    met = {
        "information": information >= int(look["information"]),
        "calendar": today > date.fromisoformat(look["clinical_cutoff"]),
        "enrolled": randomised >= int(look.get("enrolled") or 1),
    }
    triggers = look.get("triggers", ("information", "calendar"))
    return tuple(trigger for trigger in triggers if met[trigger]) if information > 0 else ()


@dataclass(frozen=True, slots=True)
class NextLook:
    """The next look of the plan by the live tables: pooled counts, which tell no arm.

    final: ordered by people when the data are clean, never by the schedule. due_because: the triggers that are met.
    """

    number: int
    of: int
    planned_information: int
    information: int
    randomised: int
    enrolled: int | None
    clinical_cutoff: date
    final: bool
    due_because: tuple[str, ...]
    days_overdue: int

    @property
    def is_early(self) -> bool:
        """Whether to take it now would be before its time."""
        return not self.final and not self.due_because


def next_look(study: Study) -> NextLook | None:
    """The look that comes next under the plan in force; None without a signed plan with looks, or after the last.

    days_overdue: since the day after the clinical cut-off, where the calendar triggers it.
    """
    plan = study.plans.order_by("pk").last()
    if plan is None or plan.signed_at is None or orjson.loads(plan.source)["looks"] is None:
        return None
    planned = planned_looks(plan)
    last = study.looks.filter(planned=True).aggregate(last=Max("number"))["last"] or 0
    look = next((each for each in planned if each["number"] > last), None)
    if look is None:
        return None
    today = timezone.localdate(timezone=ZoneInfo(study.time_zone))
    information = live_information(plan)
    randomised = Allocation.objects.filter(participant__study=study).count()
    final = look is planned[-1]
    met = () if final else met_triggers(look, information=information, today=today, randomised=randomised)
    cutoff = date.fromisoformat(look["clinical_cutoff"])
    return NextLook(
        number=look["number"],
        of=len(planned),
        planned_information=int(look["information"]),
        information=information,
        randomised=randomised,
        enrolled=look.get("enrolled"),
        clinical_cutoff=cutoff,
        final=final,
        due_because=met,
        days_overdue=max((today - cutoff).days - 1, 0) if "calendar" in met else 0,
    )


def live_information(plan: Plan) -> int:
    """How many randomised participants have the value that one information unit stands for, by now."""
    contents = orjson.loads(plan.source)
    looks = contents["looks"]
    endpoint = next(each for each in contents["endpoints"] if each["id"] == looks["endpoint"])
    at = next(each for each in endpoint["timepoints"] if each["code"] == endpoint["at"])
    query = _DIARY if at["days"] else _VISIT
    first, last = at["days"] or (0, 0)
    values = {
        "study": plan.study_id,
        "instrument": endpoint["instrument"],
        "item": endpoint["item"],
        "score": endpoint["score"],
        "visit": at["visit"],
        "first": first,
        "last": last,
        "at_least": at["at_least"],
    }
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return int(cursor.fetchone()[0])


def _order_if_due(study: Study) -> Look | None:
    plan = study.plans.latest("pk")
    look = next_interim_look(plan) if plan.signed_at is not None else None
    reported = Q(status=Look.Status.REPORTED, closed_status=Look.Status.REPORTED)
    if look is None or study.looks.exclude(reported).exists():
        return None
    today = timezone.localdate(timezone=ZoneInfo(study.time_zone))
    randomised = Allocation.objects.filter(participant__study=study).count()
    if not is_due(look, information=live_information(plan), today=today, randomised=randomised):
        return None
    return order_look(SCHEDULE, study=study, number=look["number"])


_MEASURED = """
    FROM studies_allocation a
    JOIN studies_participant p ON p.id = a.participant_id AND p.study_id = %(study)s
    JOIN outcomes_response r ON r.participant_id = p.id
    JOIN outcomes_instrumentversion v ON v.id = r.instrument_id AND v.key = %(instrument)s
    LEFT JOIN outcomes_responseitem i
        ON i.response_id = r.id AND i.item = %(item)s::text AND i.value IS NOT NULL
    LEFT JOIN outcomes_score s ON s.response_id = r.id AND s.name = %(score)s::text AND s.number IS NOT NULL
"""
_VISIT = f"""
    SELECT count(DISTINCT p.id) {_MEASURED}
    JOIN studies_visit t ON t.id = r.visit_id AND t.code = %(visit)s
    WHERE coalesce(i.id, s.id) IS NOT NULL
"""
# Diary days count from the day, at the site, on which the infusion started.
_DIARY = f"""
    SELECT count(*) FROM (
        SELECT p.id {_MEASURED}
        JOIN studies_infusion f ON f.participant_id = p.id
        JOIN studies_site c ON c.id = p.site_id
        WHERE coalesce(i.id, s.id) IS NOT NULL
          AND r.day - (f.started_at AT TIME ZONE c.time_zone)::date BETWEEN %(first)s AND %(last)s
        GROUP BY p.id HAVING count(DISTINCT r.day) >= %(at_least)s
    ) enough
"""  # noqa: S608 - two fixed texts
