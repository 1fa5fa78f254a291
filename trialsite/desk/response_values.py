"""What was typed into a questionnaire, as numbers and moments: what cannot be read is refused by name, all at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.http import QueryDict

from outcomes.response_entry import MISSING_REASONS
from outcomes.scoring import Instrument, Item
from studies.errors import InvalidEntry
from studies.models import Participant

REASON_WORDS = {
    "not_answered": "Not answered",
    "refused": "Refused",
    "not_applicable": "Not applicable",
    "unreadable": "Not readable",
    "not_done": "Not done",
    "not_in_source": "Not in the source",
}
# As people write numbers: 7, 2.5 or 2,5. Python would take 1_0, 1e1 and digits of other scripts too.
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")


def answer_of(typed: Mapping[str, str], name: str) -> tuple[str, str]:
    """What stands in an item: an answer, and why there is none.

    An item answered by a button has its reasons among the buttons, so that one of them takes the other's place; an
    item with a field has them beside it.
    """
    answer, reason = typed.get(f"item-{name}", "").strip(), typed.get(f"missing-{name}", "")
    return ("", answer) if answer in REASON_WORDS else (answer, reason)


def values_of(
    typed: Mapping[str, str], instrument: Instrument
) -> tuple[dict[str, float | None], dict[str, str], list[InvalidEntry]]:
    """The typed answers as numbers, the reasons where there is none, and what cannot be saved: all of it at once.

    A decimal comma is understood; letters are refused with the item's name.
    """
    items: dict[str, float | None] = {}
    missing: dict[str, str] = {}
    problems = []
    for name, item in instrument.items.items():
        answer, reason = answer_of(typed, name)
        if reason and not answer:
            missing[name] = reason
        elif reason in MISSING_REASONS and reason != "not_answered":
            both = f"{item.label} is {answer!r} and marked as {REASON_WORDS[reason].lower()}. Keep one of the two."
            problems.append(InvalidEntry(both, field=name))
        items[name], said = _number(answer, item)
        if said:
            problems.append(InvalidEntry(f"{said} Check the value, or choose Not done.", field=name))
    return items, missing, problems


def _number(answer: str, item: Item) -> tuple[float | None, str]:
    """The number that was typed, and what is wrong with it."""
    if not answer:
        return None, ""
    if not _NUMBER.fullmatch(answer):
        return None, f"{item.label} is {answer!r}; a number from {item.min:g} to {item.max:g} is expected."
    number = float(answer.replace(",", "."))
    return number, item.problem(number) or ""


def sent_twice(posted: QueryDict, instrument: Instrument) -> list[InvalidEntry]:
    """Items that a form has sent more than once: nobody knows then which answer is meant."""
    names = [name for name in instrument.items if len(posted.getlist(f"item-{name}")) > 1]
    said = "{} was sent {} times ({}). Choose one answer and save again."
    return [
        InvalidEntry(said.format(instrument.items[name].label, len(answers), ", ".join(answers)), field=name)
        for name in names
        if (answers := posted.getlist(f"item-{name}"))
    ]


def unknown_items(typed: Mapping[str, str], instrument: Instrument) -> list[InvalidEntry]:
    """What was sent for items that the instrument does not have."""
    sent = [key.partition("-")[2] for key in typed if key.startswith(("item-", "missing-"))]
    return [
        InvalidEntry(f"{instrument.name} has no item {name}. Load the page anew and enter it again.", field=name)
        for name in dict.fromkeys(sent)
        if name not in instrument.items
    ]


def moment_of(text: str, person: Participant) -> tuple[datetime | None, list[InvalidEntry]]:
    """A date and time typed on the site's clock, or what is wrong with it."""
    zone = ZoneInfo(person.site.time_zone)
    typed = _date_and_time(text)
    if typed is None:
        met = f"is {text!r}; a date and time such as 2026-11-24 14:05 is expected" if text else "is empty: fill it in"
        return None, [InvalidEntry(f"Answered on {met}.", field="completed_at")]
    if typed.tzinfo is not None:
        return typed, []
    moment = typed.replace(tzinfo=zone)
    if moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != typed:
        said = f"{typed:%H:%M} on {typed:%-d %b %Y} does not exist: the clock of {zone} went forward. Check the time."
        return None, [InvalidEntry(said, field="completed_at")]
    return moment, []


def _date_and_time(text: str) -> datetime | None:
    """Nothing for a date without its time: Python would take midnight."""
    if not re.match(r".{10}[T ].", text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
