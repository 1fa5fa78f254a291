"""The daily diary: entering it from paper, and its summaries over days counted from the infusion, as findings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from statistics import fmean, stdev
from zoneinfo import ZoneInfo

from django.utils import timezone

from outcomes.models import Response, ResponseItem
from outcomes.responses import ResponseEntry, correct_response, save_response
from studies import findings
from studies.acting import verb
from studies.errors import InvalidEntries, InvalidEntry
from studies.models import Infusion, Participant, User
from studies.permissions import may_answer_criteria, require
from studies.protocol.eligibility import Finding as FindingPlan
from studies.visits import site_day


def day_zero(participant: Participant) -> date | None:
    """The day that diary days are counted from: that of the infusion, as it was or as it is planned."""
    infusion = Infusion.objects.filter(participant=participant).first()
    return site_day(participant, infusion.started_at) if infusion else participant.planned_infusion_on


@verb(because="diary entered")
def save_diary(
    user: User, *, participant: Participant, days: Mapping[date, Mapping[str, float | None]], reason: str = ""
) -> int:
    """Enter the days of a diary kept on paper, {day: {item: value}}, or change them with a reason; all or none.

    A day without any answer is left out, unless it was saved before. Returns how many days were entered or changed.
    Raises NotAllowed, ConsentMissing, InvalidEntries whose fields are `<day>.<item>` (2026-11-24.average) or reason.
    """
    instrument = _instrument_of(participant)
    saved = {
        r.day: r
        for r in Response.objects.filter(participant=participant, instrument__key=instrument, day__in=days)
        .select_related("participant__site", "instrument", "visit")
        .prefetch_related("items")
    }
    done, problems = 0, list[InvalidEntry]()
    for day, items in sorted(days.items()):
        before = saved.get(day)
        known = {i.item: i.value for i in before.items.all()} if before else {}
        if all(known.get(name) == value for name, value in items.items()):
            continue
        try:
            _refuse_day(participant, day)
            if before:
                correct_response(user, response=before, items=items, reason=reason)
            else:
                save_response(user, entry=_entry(participant, instrument, day, items))
        except (InvalidEntries, InvalidEntry) as error:
            problems += _of_day(day, error)
        done += 1
    if problems:
        raise InvalidEntries(problems)
    return done


def _instrument_of(participant: Participant) -> str:
    diary = participant.protocol_version.definition.diary
    if diary is None:
        raise InvalidEntry("This study keeps no diary.")
    return diary.instrument


def _refuse_day(participant: Participant, day: date) -> None:
    diary, day0 = participant.protocol_version.definition.diary, day_zero(participant)
    if day0 is None:
        raise InvalidEntry("Plan the infusion first: the days of the diary are counted from it.")
    if diary is None or not diary.due_on((day - day0).days):
        raise InvalidEntry(f"The protocol keeps no diary on {day} (day {(day - day0).days} from the infusion).")
    if day > site_day(participant, timezone.now()):
        raise InvalidEntry(f"{day} lies ahead: enter it when it is over.")


def _entry(participant: Participant, instrument: str, day: date, items: Mapping[str, float | None]) -> ResponseEntry:
    # Paper tells the day, not the hour; the diary is kept in the evening.
    evening = datetime.combine(day, time(20), ZoneInfo(participant.site.time_zone))
    at = min(evening, timezone.now())
    return ResponseEntry(participant, instrument, items, at, day=day, source=Response.Source.PAPER)


def _of_day(day: date, error: InvalidEntries | InvalidEntry) -> list[InvalidEntry]:
    """The problems of one day among those of many."""
    problems = error.problems if isinstance(error, InvalidEntries) else [error]
    return [
        InvalidEntry(p.message, field=p.field if p.field == "reason" else f"{day}.{p.field}" if p.field else None)
        for p in problems
    ]


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
