"""Scores recomputed from the raw answers: to prove that the stored ones are right, or to follow a corrected rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from outcomes.models import Response, ResponseItem, Score
from outcomes.responses import replace_scores, score_row
from outcomes.scoring import load_instrument, score
from studies.acting import Actor, verb

BATCH = 2000
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Difference:
    """A score that is not what its answers give now."""

    response_id: int
    instrument: str
    name: str
    stored: float | str | None
    recomputed: float | str | None


def differences() -> Iterator[Difference]:
    """Every stored score that differs from its recomputation. Imported scores have no answers and are left out."""
    for response, recomputed in _recomputed():
        stored = {s.name: s for s in response.scores.all()}
        for name in recomputed.keys() | stored.keys():
            was, now = _value(stored.get(name)), _plain(recomputed.get(name))
            if not _same(was, now):
                yield Difference(response.pk, response.instrument.key, name, was, now)


@verb(because="scores recomputed")
def rescore(user: Actor) -> list[Difference]:
    """Recompute every score that differs, and return what changed. Safe to repeat."""
    found = list(differences())
    wrong = {difference.response_id for difference in found}
    for response, recomputed in _recomputed(only=wrong):
        replace_scores(response, recomputed.values())
        response.scores.exclude(name__in=recomputed).delete()
    return found


def _recomputed(only: set[int] | None = None) -> Iterator[tuple[Response, dict[str, dict[str, Any]]]]:
    responses = Response.objects.filter(scores__imported=False).distinct().select_related("instrument").order_by("pk")
    if only is not None:
        responses = responses.filter(pk__in=only)
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
    instrument = load_instrument(response.instrument.key)
    return {name: score_row(name, value) for name, value in score(instrument.key, answers).values.items()}


def _value(stored: Score | None) -> float | str | None:
    if stored is None:
        return None
    return stored.number if stored.number is not None else stored.text


def _plain(row: dict[str, Any] | None) -> float | str | None:
    if row is None:
        return None
    value: float | str | None = row["number"] if row["number"] is not None else row["text"]
    return value


def _same(was: float | str | None, now: float | str | None) -> bool:
    if isinstance(was, float) and isinstance(now, float):
        return abs(was - now) <= TOLERANCE
    return was == now
