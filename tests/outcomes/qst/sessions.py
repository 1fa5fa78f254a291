"""QST sessions for tests: the oracle's session as entries, valid by default."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from outcomes.qst_sessions import SessionEntry, TrialEntry
from studies.models import Participant
from tests.outcomes.qst.oracle import session_readings

AT = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)


def trials_of(area: str = "test") -> list[TrialEntry]:
    """All trials of the oracle's session, at one area."""
    return [TrialEntry(area, r.parameter, r.trial, r.value, r.direction) for r in session_readings()]


def cpm_trials(before: list[float], during: list[float]) -> list[TrialEntry]:
    return [
        TrialEntry("test", "CPM", number, value, direction)
        for direction, values in (("before", before), ("during", during))
        for number, value in enumerate(values, 1)
    ]


def session_entry(participant: Participant, visit: str = "BL", **about: Any) -> SessionEntry:
    """The oracle's session of a woman of the reference's forties, tested at the hand by the site's coordinator."""
    given: dict[str, Any] = {"tested_at": AT, "tester": "cora", "test_area": "hand", "trials": trials_of(), **about}
    return SessionEntry(participant=participant, visit=participant.visits.get(code=visit), **given)
