"""How often the participants' door may be tried in vain: counted in the database, so that all web processes agree."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.utils.crypto import salted_hmac

from outcomes.models import DoorFailure

STRETCH = timedelta(minutes=15)
# A clinic's tablets share one address; whoever guesses from many is stopped by the second number.
MOST_FROM_ONE_PLACE, MOST_FROM_ANYWHERE = 20, 300
_ANYWHERE = "anywhere"


def too_many(address: str, *, at: datetime) -> bool:
    """Whether an address, or all together, failed so often in this stretch of time that nothing is looked at."""
    place = _place(address)
    counts = dict(
        DoorFailure.objects.filter(place__in=[place, _ANYWHERE], since=_stretch(at)).values_list("place", "count")
    )
    return counts.get(place, 0) >= MOST_FROM_ONE_PLACE or counts.get(_ANYWHERE, 0) >= MOST_FROM_ANYWHERE


def count_failure(address: str, *, at: datetime) -> None:
    """Count one failure of an address. In one statement: guesses that arrive together are all counted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO outcomes_doorfailure AS f (place, since, count) SELECT p, %s, 1 FROM unnest(%s::text[]) p"
            " ORDER BY p ON CONFLICT ON CONSTRAINT door_failures_once DO UPDATE SET count = f.count + 1",
            [_stretch(at), [_place(address), _ANYWHERE]],
        )


def forget_old(*, at: datetime) -> int:
    """Remove what was counted before this stretch; how many rows went."""
    return DoorFailure.objects.filter(since__lt=_stretch(at)).delete()[0]


def _place(address: str) -> str:
    # An address is personal data: its keyed hash is enough to count by.
    return salted_hmac("participant door place", address, algorithm="sha256").hexdigest()


def _stretch(at: datetime) -> datetime:
    return at.replace(minute=at.minute - at.minute % int(STRETCH.total_seconds() // 60), second=0, microsecond=0)
