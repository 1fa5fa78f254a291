"""A form as it was filled in, and what must hold before it is saved: one place for pages, API, imports and programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import ceil

from outcomes.models import Response
from outcomes.scoring import Instrument
from studies.acting import moment
from studies.errors import InvalidEntries, InvalidEntry
from studies.models import Participant, Visit
from studies.visits import site_day

MISSING_REASONS = ("not_answered", "refused", "not_applicable", "unreadable", "not_done")
# Why an imported form has no answer to an item; nobody chooses it.
NOT_IN_SOURCE = "not_in_source"
Status = Response.Status
WHOLE_FORM = (Status.NOT_DONE, Status.REFUSED)
# Clocks of browsers and servers differ by so much without anybody being wrong.
CLOCK_DIFFERENCE = timedelta(minutes=5)
# A time of answering so long before the visit is a year mistyped.
LONG_BEFORE = timedelta(days=365)
MINUTES = (-24 * 60, 24 * 60)
Checked = dict[str, tuple[float | None, str | None]]


@dataclass(frozen=True, slots=True)
class ResponseEntry:
    """One form as it was filled in: the coded value printed on the form per item, None where unanswered.

    An item that was left open deliberately has its reason in `missing` (one of MISSING_REASONS); any other
    open item is `not_answered`. Either a visit or a diary day is given. `status` is not_done or refused, with
    `not_done_reason`, where the whole form is: there are no items then; else it follows from the items.
    `source` says how it was taken (by staff, from paper, by the participant), `proxy` who answered in the
    participant's place, `language` and `wording_version` which wording was shown (outcomes/wording.py).
    """

    participant: Participant
    instrument: str
    items: Mapping[str, float | None]
    completed_at: datetime
    visit: Visit | None = None
    day: date | None = None
    minute: int | None = None
    respondent: str = ""
    missing: Mapping[str, str] = field(default_factory=dict)
    source: str = Response.Source.STAFF
    status: str = ""
    not_done_reason: str = ""
    proxy: str = ""
    language: str = ""
    wording_version: str = ""

    @property
    def not_done(self) -> bool:
        """Whether there are no answers because the whole form was not done or refused."""
        return self.status in WHOLE_FORM

    @property
    def days_late(self) -> int | None:
        """Begun days after the visit's window closed, or after the day that follows the diary day; None in time."""
        if self.day is not None:
            late = (site_day(self.participant, self.completed_at) - self.day).days - 1
        elif self.visit is not None and self.visit.closes_at is not None:
            late = ceil((self.completed_at - self.visit.closes_at) / timedelta(days=1))
        else:
            late = 0
        return late if late > 0 else None


def checked_items(entry: ResponseEntry, instrument: Instrument) -> Checked:
    """Every item of the instrument with its value or its missing-reason; nothing for a form that was not done.

    Raises InvalidEntries naming every item, and every circumstance of the form, that cannot be saved as it is.
    """
    problems = list(_problems_of_form(entry, instrument))
    names = [] if entry.not_done else list(instrument.items)
    if names:
        problems += _problems_of_names(entry, instrument)
    for name in names:
        problems += _problems_of_item(entry, instrument, name)
    if problems:
        raise InvalidEntries(problems)
    return {name: _item(entry, instrument, name) for name in names}


def _item(entry: ResponseEntry, instrument: Instrument, name: str) -> tuple[float | None, str | None]:
    value = entry.items.get(name)
    if value is not None:
        return value, None
    asked = "not_answered" if instrument.is_open(name, entry.items) else "not_applicable"
    return None, entry.missing.get(name, asked)


def _problems_of_names(entry: ResponseEntry, instrument: Instrument) -> Iterator[InvalidEntry]:
    for name in sorted({*entry.items, *entry.missing} - instrument.items.keys()):
        there = ", ".join(instrument.items)
        yield InvalidEntry(f"{instrument.name} has no item {name}; its items are {there}.", field=name)


def _problems_of_item(entry: ResponseEntry, instrument: Instrument, name: str) -> Iterator[InvalidEntry]:
    item, value, reason = instrument.items[name], entry.items.get(name), entry.missing.get(name)
    imported = entry.source == Response.Source.IMPORT
    if reason is not None and reason not in MISSING_REASONS and not (imported and reason == NOT_IN_SOURCE):
        said = f"{reason!r} is no reason for an open item; choose one of {', '.join(MISSING_REASONS)}."
        yield InvalidEntry(said, field=name)
    if value is None:
        return
    problem = item.problem(value)
    if problem:
        yield InvalidEntry(f"{problem} Check the value, or choose Not done.", field=name)
    elif reason:
        both = f"{item.label} is {value:g} and has a reason why it is open ({reason}). Keep one of the two."
        yield InvalidEntry(both, field=name)


def _problems_of_form(entry: ResponseEntry, instrument: Instrument) -> Iterator[InvalidEntry]:
    yield from _problems_of_status(entry)
    yield from _problems_of_time(entry)
    yield from _problems_of_place(entry)
    yield from _problems_of_origin(entry, instrument)


def _problems_of_status(entry: ResponseEntry) -> Iterator[InvalidEntry]:
    reason = entry.not_done_reason.strip()
    if entry.status and not entry.not_done:
        said = f"A form is not said to be {entry.status!r}: that follows from its items. Say not_done or refused."
        yield InvalidEntry(said, field="status")
    if entry.not_done and not reason:
        yield InvalidEntry("Say why the form was not done.", field="not_done_reason")
    if entry.not_done and any(value is not None for value in entry.items.values()):
        said = "There are answers, and the whole form is marked as not done. Take away the answers or the mark."
        yield InvalidEntry(said, field="not_done_reason")
    if reason and not entry.status:
        said = "There is a reason why the form was not done, and it is not marked so. Mark it, or take the reason away."
        yield InvalidEntry(said, field="not_done_reason")
    longest = Response._meta.get_field("not_done_reason").max_length or 0
    if len(reason) > longest:
        yield InvalidEntry(f"The reason has {len(reason)} letters; {longest} are allowed.", field="not_done_reason")


def _problems_of_time(entry: ResponseEntry) -> Iterator[InvalidEntry]:
    at, now = entry.completed_at, moment()
    if at.tzinfo is None:
        said = f"{at:%-d %b %Y %H:%M} has no offset from UTC. Write it with one, such as 2026-02-03T10:00+01:00."
        yield InvalidEntry(said, field="completed_at")
        return
    if at > now + CLOCK_DIFFERENCE:
        said = f"{at:%-d %b %Y %H:%M} lies ahead; it is {now.astimezone(at.tzinfo):%-d %b %Y %H:%M}. Check the date."
        yield InvalidEntry(said, field="completed_at")
    opens_at = entry.visit.opens_at if entry.visit else None
    if opens_at is not None and at < opens_at - LONG_BEFORE:
        said = f"{at:%-d %b %Y} lies more than a year before the visit's window ({opens_at:%-d %b %Y}). Check the year."
        yield InvalidEntry(said, field="completed_at")
    if entry.day is not None and entry.day > site_day(entry.participant, now):
        yield InvalidEntry(f"{entry.day:%-d %b %Y} lies ahead: enter it when it is over.", field="day")


def _problems_of_place(entry: ResponseEntry) -> Iterator[InvalidEntry]:
    if (entry.visit is None) == (entry.day is None):
        yield InvalidEntry("Name either the visit or the diary day that the form belongs to.", field="visit")
    if entry.visit is not None and entry.visit.participant_id != entry.participant.pk:
        said = f"This visit is not one of {entry.participant.identifier}. Choose one of this participant's own."
        yield InvalidEntry(said, field="visit")
    low, high = MINUTES
    if entry.minute is not None and not low <= entry.minute <= high:
        said = f"Minute {entry.minute} from the start of the infusion is outside {low} to {high}. Check it."
        yield InvalidEntry(said, field="minute")


def _problems_of_origin(entry: ResponseEntry, instrument: Instrument) -> Iterator[InvalidEntry]:
    kinds = {"source": Response.Source, "respondent": Response.Respondent, "proxy": Response.Proxy}
    for name, allowed in kinds.items():
        given = getattr(entry, name)
        if given and given not in allowed.values:
            yield InvalidEntry(f"{given!r} is no {name}; choose one of {', '.join(allowed.values)}.", field=name)
    if not entry.proxy:
        return
    if instrument.completed_by == "clinician":
        said = f"{instrument.name} is rated by a clinician: nobody answers it in the participant's place."
        yield InvalidEntry(said, field="proxy")
    elif entry.not_done or entry.source == Response.Source.PARTICIPANT or entry.respondent not in ("", "participant"):
        said = "A proxy answers a participant's form that was done, on the site's own page or on paper."
        yield InvalidEntry(said, field="proxy")
