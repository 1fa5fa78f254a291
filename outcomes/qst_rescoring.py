"""QST values recomputed from their trials: by the reference file and the rules of now, beside what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from outcomes.models import QSTSession, QSTValue
from outcomes.qst_corrections import replace_values
from outcomes.qst_sessions import entry_of
from outcomes.qst_values import values_of
from studies.acting import Actor, verb

BATCH = 100
TOLERANCE = 1e-9
_NUMBERS = ("value", "z")
_WORDS = ("missing_reason", "reference", "reference_sha256", "rules_version")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class QSTDifference:
    """A value that is not what its trials give now, or was compared with another reference, or by earlier rules.

    stored, recomputed: its columns as they are and would be; None where there is none.
    """

    session: int
    participant: str
    visit: str
    area: str
    parameter: str
    stored: Row | None
    recomputed: Row | None

    @property
    def same_value(self) -> bool:
        """Whether value and z stay: only what they were computed by differs."""
        was, now = self.stored, self.recomputed
        return was is not None and now is not None and all(_same(was[name], now[name]) for name in _NUMBERS)

    def __str__(self) -> str:
        was, now = self.stored or {}, self.recomputed or {}
        told = f"{self.participant}, QST of {self.visit}, {self.area} {self.parameter}:"
        told += f" {_shown(was)} -> {_shown(now)}"
        for name, label in (("reference", "reference"), ("reference_sha256", "SHA-256"), ("rules_version", "rules")):
            if was.get(name) != now.get(name):
                told += f" ({label} {_short(was.get(name))} -> {_short(now.get(name))})"
        return told


def qst_differences() -> Iterator[QSTDifference]:
    """Every stored value that differs from its recomputation, in what it is or in what it was computed by."""
    for session, recomputed in _recomputed():
        yield from _differences_of(session, recomputed)


@verb(because="QST values recomputed")
def rescore_qst(user: Actor, *, reason: str = "") -> list[QSTDifference]:
    """Recompute every value that differs, and return what changed. Safe to repeat.

    reason: why, for the audit trail, which has old and new value, reference and version of the rules of each. What was
    asked about a session and answered stays as it is.
    """
    found = []
    for session, recomputed in _recomputed():
        changed = list(_differences_of(session, recomputed))
        if changed:
            found += changed
            replace_values(session, recomputed.values())
            gone = [stored.pk for stored in session.values.all() if (stored.area, stored.parameter) not in recomputed]
            QSTValue.objects.filter(pk__in=gone).delete()
    return found


def _recomputed() -> Iterator[tuple[QSTSession, dict[tuple[str, str], Row]]]:
    sessions = QSTSession.objects.select_related("participant__site", "participant__study", "visit").order_by("pk")
    last = 0
    while batch := list(sessions.filter(pk__gt=last).prefetch_related("trials", "values")[:BATCH]):
        last = batch[-1].pk
        for session in batch:
            rows = values_of(entry_of(session))
            yield session, {(row["area"], row["parameter"]): row for row in rows}


def _differences_of(session: QSTSession, recomputed: Mapping[tuple[str, str], Row]) -> Iterator[QSTDifference]:
    stored = {
        (v.area, v.parameter): {name: getattr(v, name) for name in (*_NUMBERS, *_WORDS)} for v in session.values.all()
    }
    for key in [*recomputed, *(stored.keys() - recomputed.keys())]:
        was, now = stored.get(key), recomputed.get(key)
        if was is None or now is None or not _equal(was, now):
            yield QSTDifference(session.pk, session.participant.identifier, session.visit.code, *key, was, now)


def _equal(was: Row, now: Row) -> bool:
    return all(_same(was[name], now[name]) for name in _NUMBERS) and all(was[name] == now[name] for name in _WORDS)


def _same(was: float | None, now: float | None) -> bool:
    return was == now if was is None or now is None else abs(was - now) <= TOLERANCE


def _shown(row: Row) -> str:
    if not row:
        return "none"
    if row["value"] is None:
        return str(row["missing_reason"])
    return f"{row['value']:.10g}" + ("" if row["z"] is None else f", z {row['z']:.10g}")


def _short(text: str | None) -> str:
    return (text or "none")[:12]
