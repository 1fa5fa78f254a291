"""How well a diary is kept: days due and answered, which were filled in later or from paper, and weekly means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import fmean
from zoneinfo import ZoneInfo

from outcomes.models import ContactPreference, Response, ResponseItem
from studies.models import Infusion, Participant
from studies.protocol import ProtocolDefinition
from studies.protocol.analysis_plan import Endpoint

WEEK = 7
ANSWERED = (Response.Status.COMPLETE, Response.Status.PARTIAL)


@dataclass(frozen=True, slots=True)
class DiaryDay:
    """One day of the diary: its number from the infusion, and how it was kept."""

    number: int
    on: date
    answered: bool
    back_filled: bool
    on_paper: bool


@dataclass(frozen=True, slots=True)
class Compliance:
    """The days of a diary that are over, oldest first."""

    days: tuple[DiaryDay, ...]

    @property
    def due(self) -> int:
        return len(self.days)

    @property
    def answered(self) -> int:
        return sum(day.answered for day in self.days)

    @property
    def back_filled(self) -> int:
        return sum(day.back_filled for day in self.days)

    @property
    def on_paper(self) -> int:
        return sum(day.on_paper for day in self.days)

    @property
    def percent(self) -> int:
        return round(100 * self.answered / self.due) if self.days else 100

    def since(self, day: date) -> Compliance:
        """From a day on."""
        return Compliance(tuple(each for each in self.days if each.on >= day))


def compliance_of(participants: Sequence[Participant], *, now: datetime) -> dict[int, Compliance]:
    """How each participant keeps the diary, by key; the number of queries does not grow with them.

    A day counts when it is over on the participant's clock. It was filled in later when it was answered after its end.
    """
    keys = [p.pk for p in participants]
    infused = dict(Infusion.objects.filter(participant__in=keys).values_list("participant_id", "started_at"))
    zones = dict(ContactPreference.objects.filter(participant__in=keys).values_list("participant_id", "time_zone"))
    saved = _saved(keys)
    found = {}
    for person in participants:
        site_zone = ZoneInfo(person.site.time_zone)
        started = infused.get(person.pk)
        day0 = started.astimezone(site_zone).date() if started else person.planned_infusion_on
        zone = ZoneInfo(zones.get(person.pk) or person.site.time_zone)
        last = _last_day(person, now.astimezone(zone).date())
        days = _days(person, day0, last) if day0 else ()
        found[person.pk] = Compliance(tuple(_day(d, number, saved[person.pk].get(d), zone) for number, d in days))
    return found


def _saved(keys: Sequence[int]) -> dict[int, dict[date, tuple[str, datetime]]]:
    saved: dict[int, dict[date, tuple[str, datetime]]] = defaultdict(dict)
    rows = Response.objects.filter(participant__in=keys, visit=None, day__isnull=False, status__in=ANSWERED)
    for person, day, source, at in rows.values_list("participant_id", "day", "source", "completed_at"):
        if day is not None:
            saved[person][day] = (source, at)
    return saved


def _last_day(participant: Participant, today: date) -> date:
    """The last day that is over, or the last one in the study."""
    over = today - timedelta(days=1)
    return min(over, participant.ended_on) if participant.ended_on else over


def _days(participant: Participant, day0: date, last: date) -> Iterable[tuple[int, date]]:
    diary = participant.protocol_version.definition.diary
    for start, end in diary.days if diary else ():
        for number in range(start, min(end, (last - day0).days) + 1):
            yield number, day0 + timedelta(days=number)


def _day(day: date, number: int, saved: tuple[str, datetime] | None, zone: ZoneInfo) -> DiaryDay:
    if saved is None:
        return DiaryDay(number, day, answered=False, back_filled=False, on_paper=False)
    source, at = saved
    own = source == Response.Source.PARTICIPANT
    later = own and at.astimezone(zone).date() > day
    return DiaryDay(number, day, answered=True, back_filled=later, on_paper=not own)


@dataclass(frozen=True, slots=True)
class WeeklyMean:
    """The mean of one diary item over a week of the plan; no mean where too few days were answered."""

    label: str
    first: int
    last: int
    needed: int
    entries: int
    mean: float | None


def weekly_means(participant: Participant, *, day0: date) -> list[WeeklyMean]:
    """The weekly means of the primary diary endpoint, by the plan's own rule (at least 4 of 7 days in KALM).

    day0: the day of the infusion. Weeks without any entry are left out. The look computes the same from its cut.
    """
    endpoint = _diary_endpoint(participant.protocol_version.definition)
    if endpoint is None:
        return []
    weeks = [t for t in (endpoint.baseline, *endpoint.timepoints) if t.days]
    values = _values(participant, endpoint.instrument, endpoint.item or endpoint.score or "")
    means = []
    for week in weeks:
        first, last = week.days or (0, 0)
        entries = [value for day, value in values.items() if first <= (day - day0).days <= last]
        mean = fmean(entries) if len(entries) >= week.at_least else None
        means.append(WeeklyMean(week.label or week.code, first, last, week.at_least, len(entries), mean))
    return [week for week in means if week.entries]


def _diary_endpoint(definition: ProtocolDefinition) -> Endpoint | None:
    diary = definition.diary
    of_diary = (e for e in definition.analysis.endpoints if diary and e.instrument == diary.instrument)
    return min(of_diary, key=lambda e: ("primary", "key_secondary", "other").index(e.role), default=None)


def _values(participant: Participant, instrument: str, item: str) -> Mapping[date, float]:
    items = ResponseItem.objects.filter(
        response__participant=participant,
        response__instrument__key=instrument,
        response__day__isnull=False,
        response__status__in=ANSWERED,
        item=item,
        value__isnull=False,
    )
    return {day: value for day, value in items.values_list("response__day", "value") if day and value is not None}
