"""Visits, their windows, what each needs, and the diary: the schedule of assessments of a protocol file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from studies.protocol.forms import FormKind
from studies.protocol.section import Key, Section, Text, repeated, spelled
from studies.protocol.windows import Window, days_window, hours_window
from studies.protocol.yaml_document import Mistake

Respondent = Literal["participant", "infusion_nurse", "efficacy_rater"]
Place = Literal["site", "remote", "remote_or_site", "infusion_unit"]


class Assessment(Section):
    """One form or questionnaire of a visit. Listed in the order of the paper.

    `at_minutes`: at these minutes of the infusion clock; `asked_of`: once for each of these people; `recall`:
    the period it is asked about at this visit, where that differs from the questionnaire's usual one.
    """

    instrument: Key | None = None
    form: FormKind | None = None
    at_minutes: tuple[int, ...] = ()
    asked_of: tuple[Respondent, ...] = ()
    recall: str = ""

    @model_validator(mode="after")
    def is_one_thing(self) -> Assessment:
        """Either a questionnaire or a form."""
        if (self.instrument is None) == (self.form is None):
            raise ValueError("Name either an instrument or a form.")
        return self

    @property
    def key(self) -> str:
        """The instrument's key or the kind of form."""
        return self.instrument or self.form or ""


@dataclass(frozen=True, slots=True)
class DueAssessment:
    """One thing to be done at a visit: which questionnaire or form, at which minute, answered by whom."""

    kind: Literal["instrument", "form"]
    key: str
    minute: int | None = None
    asked_of: str | None = None
    recall: str = ""


class VisitPlan(Section):
    """One visit. Its window is `day` with `plus_minus_days`, or `days` from-to, or hours after the infusion.

    `day` is the day aimed at. A visit without a window may happen at any time: an unscheduled one, an early
    termination, or a visit of an imported study, of which only the order is known.
    """

    id: Annotated[
        str, *spelled(r"[A-Z][A-Z0-9_]{0,9}", "a visit's name: at most 10 capitals, digits and _, such as W4")
    ]
    label: Text
    kind: Literal["planned", "early_termination", "unscheduled"] = "planned"
    day: int | None = None
    plus_minus_days: Annotated[int, Field(ge=0)] | None = None
    days: tuple[int, int] | None = None
    hours_after_infusion_end: tuple[float, float] | None = None
    place: Place = "site"
    assessments: tuple[Assessment, ...] = ()

    @model_validator(mode="after")
    def has_a_sensible_window(self) -> VisitPlan:
        """At most one window, its ends in order, the day aimed at inside it."""
        given = (self.plus_minus_days, self.days, self.hours_after_infusion_end)
        if sum(each is not None for each in given) > 1:
            raise ValueError("Give one window: plus_minus_days, days, or hours_after_infusion_end.")
        for window in (self.days, self.hours_after_infusion_end):
            if window and window[0] > window[1]:
                raise ValueError(f"The window ends ({window[1]}) before it begins ({window[0]}).")
        if self.plus_minus_days is not None and self.day is None:
            raise ValueError("plus_minus_days needs a day.")
        if self.days and self.day is not None and not self.days[0] <= self.day <= self.days[1]:
            raise ValueError(f"Day {self.day} is outside the window {self.days[0]} to {self.days[1]}.")
        return self

    @property
    def calendar_days(self) -> tuple[int, int] | None:
        """First and last day on which the visit may fall; None without a window."""
        if self.days:
            return self.days
        if self.hours_after_infusion_end:
            # The infusion ends on day 0, at midnight at the latest.
            return self.day or 0, -int(-self.hours_after_infusion_end[1] // 24)
        if self.day is None or self.plus_minus_days is None:
            return None
        return self.day - self.plus_minus_days, self.day + self.plus_minus_days

    def window(self, day0: date | None, infusion_end: datetime | None, zone: ZoneInfo) -> Window:
        """The window of this visit for a participant.

        day0: the day the infusion started, or is planned for, at the site; infusion_end: the moment it ended
        (with a time zone); zone: the site's. What is not known yet leaves the window, or its target, unknown.
        """
        target = None if day0 is None or self.day is None else day0 + timedelta(days=self.day)
        if self.hours_after_infusion_end is not None:
            if infusion_end is None:
                return Window(target=target)
            first, last = self.hours_after_infusion_end
            return hours_window(infusion_end, first=first, last=last, target=target)
        days = self.calendar_days
        if day0 is None or days is None:
            return Window(target=target)
        return days_window(day0, first=days[0], last=days[1], target=self.day, zone=zone)

    def due(self) -> list[DueAssessment]:
        """Everything to be done, in the order of the paper: one entry for each minute and respondent."""
        return [
            DueAssessment("instrument" if each.instrument else "form", each.key, minute, person, recall=each.recall)
            for each in self.assessments
            for minute in each.at_minutes or (None,)
            for person in each.asked_of or (None,)
        ]


class Diary(Section):
    """The daily diary: which instrument, on which days counted from the infusion (from-to, both included).

    `backfill_days`: for so many days after its end the participant may still fill in a day that was forgotten.
    """

    instrument: Key
    days: Annotated[tuple[tuple[int, int], ...], Field(min_length=1)]
    backfill_days: Annotated[int, Field(ge=0, le=7)] = 1

    def due_on(self, day: int) -> bool:
        """Whether the diary is to be filled in on a day."""
        return any(first <= day <= last for first, last in self.days)

    def covers(self, first: int, last: int) -> bool:
        """Whether the diary is kept on every day from first to last."""
        return all(self.due_on(day) for day in range(first, last + 1))


def mistakes_in_schedule(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    """Visits named twice, overlapping or without a window; diary days and findings that nobody collects."""
    if "visits" not in sections:
        return
    visits = sections["visits"]
    yield from repeated("visits", visits, "id")
    yield from _overlaps(visits)
    yield from _windows_needed(sections)
    yield from _repeated_assessments(visits)
    yield from _findings_collected(sections)
    yield from _diary_days(sections.get("diary"))


def _overlaps(visits: tuple[VisitPlan, ...]) -> Iterator[Mistake]:
    placed = [(visit, index, visit.calendar_days) for index, visit in enumerate(visits) if visit.calendar_days]
    for (earlier, _, before), (later, index, after) in pairwise(placed):
        if before and after and after[0] <= before[1]:
            yield Mistake(
                ("visits", index),
                f"The window of {later.id} opens on day {after[0]}, before that of {earlier.id} has closed "
                f"(day {before[1]}). Windows must not overlap; list visits in the order of their days.",
            )


def _windows_needed(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    study = sections.get("study")
    if study is None or study.origin == "imported":
        return
    for index, visit in enumerate(sections["visits"]):
        if visit.kind == "planned" and visit.calendar_days is None:
            yield Mistake(("visits", index), f"{visit.id} is planned, but has no window.")
        if visit.kind == "planned" and visit.day is None:
            yield Mistake(("visits", index), f"{visit.id} is planned, but no day is aimed at. Give 'day'.")
        if visit.hours_after_infusion_end and "infusion" in sections and sections["infusion"] is None:
            yield Mistake(("visits", index), f"{visit.id} counts from an infusion that the protocol lacks.")


def _repeated_assessments(visits: tuple[VisitPlan, ...]) -> Iterator[Mistake]:
    for v, visit in enumerate(visits):
        seen: set[object] = set()
        for a, assessment in enumerate(visit.assessments):
            if assessment.key in seen:
                yield Mistake(("visits", v, "assessments", a), f"'{assessment.key}' is listed twice.")
            seen.add(assessment.key)


def collected_assessments(sections: Mapping[str, Any]) -> set[str]:
    """Every instrument and form that some visit collects, and the diary's instrument."""
    at_visits = {each.key for visit in sections.get("visits", ()) for each in visit.assessments}
    diary = sections.get("diary")
    return at_visits | ({diary.instrument} if diary else set())


def _findings_collected(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    collected = collected_assessments(sections)
    visits = {visit.id for visit in sections["visits"]}
    for index, finding in enumerate(sections.get("findings", ())):
        source = "instrument" if finding.instrument else "form"
        key = finding.instrument or finding.form
        if key and key not in collected:
            yield Mistake(("findings", index, source), f"No visit collects '{key}'. Add it to one.")
        for code in sorted(set(finding.visits) - visits):
            yield Mistake(("findings", index, "visits"), f"'{code}' is not a visit.")


def _diary_days(diary: Diary | None) -> Iterator[Mistake]:
    for index, (first, last) in enumerate(diary.days if diary else ()):
        if first > last:
            yield Mistake(("diary", "days", index), f"The diary days end ({last}) before they begin ({first}).")
