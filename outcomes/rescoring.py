"""Scores recomputed from the raw answers: to prove that the stored ones are right, or to follow a corrected rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from outcomes.models import Response, ResponseItem, Score
from outcomes.response_findings import note_findings
from outcomes.responses import replace_scores, score_row
from outcomes.scoring import load_instrument, score
from studies.acting import Actor, verb
from studies.errors import InvalidEntry

BATCH = 2000
TOLERANCE = 1e-9
Plain = float | str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A score that is not what its answers give now, or was computed by an earlier version of the rule."""

    response_id: int
    participant: str
    instrument: str
    name: str
    stored: Plain
    recomputed: Plain
    stored_version: str
    scoring_version: str

    @property
    def same_value(self) -> bool:
        """Whether only the version of the rule differs."""
        return _same(self.stored, self.recomputed)

    def __str__(self) -> str:
        rule = (
            f" (scoring version {self.stored_version or 'none'} -> {self.scoring_version})"
            if self.stored_version != self.scoring_version
            else ""
        )
        return (
            f"{self.participant}, response {self.response_id}, {self.instrument} {self.name}:"
            f" {_shown(self.stored)} -> {_shown(self.recomputed)}{rule}"
        )


def differences(instrument: str = "") -> Iterator[Difference]:
    """Every stored score that differs from its recomputation, of one instrument or of all.

    Imported scores have no answers and are left out. Raises UnknownInstrument where the file of a version that
    responses were answered under is not here.
    """
    for response, recomputed in _recomputed(instrument):
        yield from _differences_of(response, recomputed)


def _differences_of(response: Response, recomputed: dict[str, dict[str, Any]]) -> Iterator[Difference]:
    stored = {s.name: s for s in response.scores.all()}
    version = load_instrument(response.instrument.key, response.instrument.version).scoring_version
    for name in [*recomputed, *(stored.keys() - recomputed.keys())]:
        score_now = stored.get(name)
        was, now = _value(score_now), _plain(recomputed.get(name))
        old_version = score_now.scoring_version if score_now else ""
        if not _same(was, now) or old_version != version:
            yield Difference(
                response.pk,
                response.participant.identifier,
                response.instrument.key,
                name,
                was,
                now,
                old_version,
                version,
            )


@verb(because="scores recomputed")
def rescore(user: Actor, *, instrument: str = "", reason: str = "") -> list[Difference]:
    """Recompute every score that differs, and return what changed. Safe to repeat.

    instrument: only scores of this one; reason: why, for the audit trail, which has old and new value and version of
    each. Findings that the protocol takes from a changed score follow it. Raises InvalidEntry for an unknown
    instrument; UnknownInstrument as `differences`.
    """
    if instrument and not Response.objects.filter(instrument__key=instrument).exists():
        raise InvalidEntry(f"No response to {instrument!r} is stored.", field="instrument")
    found = []
    for response, recomputed in _recomputed(instrument):
        changed = list(_differences_of(response, recomputed))
        if not changed:
            continue
        found += changed
        replace_scores(response, recomputed.values())
        response.scores.exclude(name__in=recomputed).delete()
        note_findings(response, {name: _plain(row) for name, row in recomputed.items()})
    return found


def _recomputed(instrument: str) -> Iterator[tuple[Response, dict[str, dict[str, Any]]]]:
    responses = (
        Response.objects.filter(scores__imported=False)
        .distinct()
        .select_related("instrument", "visit", "participant__protocol_version")
        .order_by("pk")
    )
    if instrument:
        responses = responses.filter(instrument__key=instrument)
    last = 0
    while batch := list(responses.filter(pk__gt=last).prefetch_related("scores")[:BATCH]):
        last = batch[-1].pk
        answers = _answers([response.pk for response in batch])
        for response in batch:
            yield response, _scores(response, answers[response.pk])


def _answers(keys: list[int]) -> dict[int, dict[str, float | None]]:
    answers: dict[int, dict[str, float | None]] = defaultdict(dict)
    for key, item, value in ResponseItem.objects.filter(response__in=keys).values_list("response_id", "item", "value"):
        answers[key][item] = value
    return answers


def _scores(response: Response, answers: dict[str, float | None]) -> dict[str, dict[str, Any]]:
    version = response.instrument
    return {name: score_row(name, value) for name, value in score(version.key, answers, version.version).values.items()}


def _value(stored: Score | None) -> Plain:
    if stored is None:
        return None
    return stored.number if stored.number is not None else stored.text


def _plain(row: dict[str, Any] | None) -> Plain:
    if row is None:
        return None
    value: Plain = row["number"] if row["number"] is not None else row["text"]
    return value


def _same(was: Plain, now: Plain) -> bool:
    if isinstance(was, float) and isinstance(now, float):
        return abs(was - now) <= TOLERANCE
    return was == now


def _shown(value: Plain) -> str:
    if value is None:
        return "none"
    return f"{value:.10g}" if isinstance(value, float) else value
