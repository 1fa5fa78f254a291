"""When a visit may take place: moments from the days of the protocol, on the clock of the site.

Days are calendar days at the site, counted from the day the infusion started (day 0); a day ends at the
site's midnight, so it may have 23 or 25 hours. Day 1 is counted in elapsed hours after the infusion ended and
does not care for clocks. All moments are given in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Severity = Literal["minor", "major"]


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when a visit may take place, and the day it is aimed at. None where it is not known yet.

    A window of days is open from `opens` until just before `closes`, the site's midnight; a window of hours
    includes both ends. Beyond `major_before` and `major_from` a deviation is a major one.
    """

    opens: datetime | None = None
    closes: datetime | None = None
    target: date | None = None
    closes_included: bool = False
    major_before: datetime | None = None
    major_from: datetime | None = None

    def contains(self, moment: datetime) -> bool:
        """Whether a moment lies in the window. An unknown window contains everything."""
        return _within(moment, self.opens, self.closes, self.closes_included)

    def deviation(self, moment: datetime) -> Severity | None:
        """How serious a visit at a moment is: None, minor, or major (beyond twice the window)."""
        if self.contains(moment):
            return None
        inside = _within(moment, self.major_before, self.major_from, self.closes_included)
        return "minor" if inside else "major"


def days_window(day0: date, *, first: int, last: int, target: int | None, zone: ZoneInfo) -> Window:
    """The window of the calendar days first..last, counted from day0, at a site in this zone.

    A deviation is major beyond twice the window: as far outside it again as its middle is from its ends.
    """
    grace = (last - first) // 2
    return Window(
        opens=midnight(day0, first, zone),
        closes=midnight(day0, last + 1, zone),
        target=None if target is None else day0 + timedelta(days=target),
        major_before=midnight(day0, first - grace, zone),
        major_from=midnight(day0, last + grace + 1, zone),
    )


def hours_window(infusion_end: datetime, *, first: float, last: float, target: date | None) -> Window:
    """The window of elapsed hours first..last after the infusion. Raises ValueError for a naive time."""
    if infusion_end.tzinfo is None:
        raise ValueError(f"The end of the infusion needs a time zone; {infusion_end} has none.")
    end = infusion_end.astimezone(UTC)
    grace = (last - first) / 2
    return Window(
        opens=end + timedelta(hours=first),
        closes=end + timedelta(hours=last),
        target=target,
        closes_included=True,
        major_before=end + timedelta(hours=first - grace),
        major_from=end + timedelta(hours=last + grace),
    )


def midnight(day0: date, day: int, zone: ZoneInfo) -> datetime:
    """The moment at which a day begins at a site.

    Where the clock jumps over midnight, the moment of the jump; where midnight comes twice, the first.
    """
    local = datetime.combine(day0 + timedelta(days=day), time(0), tzinfo=zone)
    return local.astimezone(UTC)


def _within(moment: datetime, opens: datetime | None, closes: datetime | None, included: bool) -> bool:
    if opens is not None and moment < opens:
        return False
    return closes is None or moment < closes or (included and moment == closes)
