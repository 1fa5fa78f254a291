"""From the rules of a file to steps that compute: names become places in the list of known values."""

from __future__ import annotations

import math

from outcomes.scoring.consistency import references_of
from outcomes.scoring.instrument import Instrument
from outcomes.scoring.score_rules import (
    Cutoff,
    Decided,
    HighestYes,
    Lookup,
    ScoreRule,
    Total,
    Value,
    ValueSet,
    answers_needed,
)
from outcomes.scoring.steps import (
    Copy,
    Highest,
    Index,
    Maximum,
    Reaches,
    Settled,
    Step,
    Sum,
    TableEntry,
    While,
)


class Compilation:
    """The places of an instrument's items and scores among the known values: items first, then scores."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.items = {name: place for place, name in enumerate(instrument.items)}
        self.scores = {name: len(self.items) + place for place, name in enumerate(instrument.scores)}

    def places(self, score: ScoreRule) -> tuple[int, ...]:
        """The places of what a score is made of; a name that both an item and a score bear is the item."""
        known = self.scores | self.items
        return tuple(known[name] for name in references_of(score))

    def step(self, score: ScoreRule) -> Step | None:
        """The step that computes a score; None for texts and lists, which only put values together."""
        step = self._bare_step(score)
        if step is None or score.only_when is None:
            return step
        when = score.only_when
        return While(step, self.scores[when.score], when.above, when.otherwise)

    def _bare_step(self, score: ScoreRule) -> Step | None:
        of = self.places(score)
        match score:
            case Total():
                return _total(score, of)
            case Value():
                return Copy(of[0])
            case Lookup():
                table = self.instrument.tables[score.table]
                return TableEntry(of[0], table.first, table.values)
            case ValueSet():
                return self._index(score, of)
            case HighestYes():
                return Highest(of, tuple(self._led_to(name) for name in references_of(score)))
            case Cutoff():
                return _reaches(score, of[0])
            case Decided():
                extremes = [self.instrument.items[name].extremes() for name in references_of(score)]
                return Settled(of, score.at_least, *zip(*extremes, strict=True))
        return None

    def _index(self, score: ValueSet, of: tuple[int, ...]) -> Index:
        table = self.instrument.value_sets[score.value_set]
        decrements = tuple(table.decrements[name] for name in references_of(score))
        return Index(of, table.start, table.intercept_if_any_gt1, decrements, table.n45_terms)

    def _led_to(self, name: str) -> tuple[tuple[int, ...], float] | None:
        asked = self.instrument.items[name].asked_when
        if asked is None:
            return None
        return tuple(self.items[other] for other in asked.any_of), asked.at_least


def _total(score: Total, of: tuple[int, ...]) -> Step:
    needed = answers_needed(score.missing, len(of))
    if score.rule == "max":
        return Maximum(of, needed)
    return Sum(of, needed, size=len(of) if score.rule == "sum" else 1)


def _reaches(score: Cutoff, of: int) -> Reaches:
    if score.at_most is not None:
        return Reaches(of, -math.inf, score.at_most)
    if score.above is not None:
        return Reaches(of, math.nextafter(score.above, math.inf), math.inf)
    return Reaches(of, score.at_least if score.at_least is not None else -math.inf, math.inf)
