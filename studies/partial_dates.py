"""Dates as people remember them: a year, a month or a day, kept as ISO 8601 text and never completed."""

from __future__ import annotations

import re
from datetime import date

from studies.errors import InvalidEntry

_PARTIAL = re.compile(r"^\d{4}(-(0[1-9]|1[0-2])(-\d\d)?)?$")


def check(text: str, *, field: str) -> str:
    """The text itself, if it is a year, a month or a real day. Raises InvalidEntry naming `field`."""
    if not _PARTIAL.match(text):
        raise InvalidEntry(
            f"{text!r} is not a date. Give 2026-11-24, or 2026-11 or 2026 if the day is not known.", field=field
        )
    if len(text) == len("2026-11-24"):
        try:
            date.fromisoformat(text)
        except ValueError as error:
            raise InvalidEntry(
                f"{text} is not a day of the calendar. Check it, or give the month alone.", field=field
            ) from error
    return text


def bounds(text: str) -> tuple[date, date]:
    """The earliest and the latest day a partial date can mean."""
    parts = [int(part) for part in text.split("-")]
    first = date(*[*parts, 1, 1][:3])
    if len(parts) == 3:
        return first, first
    following = (
        date(first.year + 1, 1, 1) if len(parts) == 1 or first.month == 12 else date(first.year, first.month + 1, 1)
    )
    return first, date.fromordinal(following.toordinal() - 1)


def ages_on(day: date, birth: str) -> tuple[int, int]:
    """The youngest and the oldest age, in completed years, that a partial date of birth allows on `day`."""
    earliest, latest = bounds(birth)
    return _completed_years(latest, day), _completed_years(earliest, day)


def _completed_years(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
