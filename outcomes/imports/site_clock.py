"""Times of a file that name no offset, laid on the clock of a site: nothing is guessed where that clock was changed."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def on_site_clock(there: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which the clock of a site showed a time.

    there: without an offset. Raises ValueError for a time that the clock showed twice, or never.
    """
    first, second = (there.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    shown = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0) == there
    when = "stood there twice" if shown else "never stood there"
    raise ValueError(f"The clock of {zone.key} was changed at this time, which {when}.")
