"""Known values as stored scores (numbers, yes and no, words, texts, lists), of one response or as columns."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from outcomes.scoring.compilation import Compilation
from outcomes.scoring.score_rules import Cutoff, Decided, Listing, Profile, ScoreRule
from outcomes.scoring.steps import Columns, Known, round_half_up

ScoreValue: TypeAlias = float | bool | str | list[float | None] | None


class Output(Protocol):
    """How a score is stored: a value for one response, a column for many."""

    def one(self, known: Known) -> ScoreValue: ...

    def many(self, known: Columns) -> Any: ...


@dataclass(frozen=True, slots=True)
class Number:
    """A number; the column is float64."""

    of: int

    def one(self, known: Known) -> float | None:
        return known[self.of]

    def many(self, known: Columns) -> Any:
        return known[self.of]


@dataclass(frozen=True, slots=True)
class Truth:
    """Yes or no; the column is pandas' boolean, which knows missing."""

    of: int

    def one(self, known: Known) -> bool | None:
        value = known[self.of]
        return None if value is None else value == 1

    def many(self, known: Columns) -> Any:
        import pandas as pd  # noqa: PLC0415 - only whoever scores a frame waits for it

        value = known[self.of]
        return pd.arrays.BooleanArray(value == 1, np.isnan(value))


@dataclass(frozen=True, slots=True)
class Word:
    """The word of the band in which a value, rounded half up, lies; the column is an ordered category."""

    of: int
    words: tuple[str, ...]
    starts: tuple[float, ...]

    def one(self, known: Known) -> str | None:
        value = known[self.of]
        if value is None:
            return None
        return self.words[bisect.bisect_right(self.starts, round_half_up(value)) - 1]

    def many(self, known: Columns) -> Any:
        import pandas as pd  # noqa: PLC0415 - as above

        value = known[self.of]
        place = np.searchsorted(self.starts, np.floor(value + 0.5), side="right") - 1
        place[np.isnan(value)] = -1
        return pd.Categorical.from_codes(place, categories=pd.Index(self.words), ordered=True)


@dataclass(frozen=True, slots=True)
class Digits:
    """Whole answers as one text, 12345; nothing unless all are there. The column is text."""

    of: tuple[int, ...]

    def one(self, known: Known) -> str | None:
        answers = [known[place] for place in self.of]
        return None if None in answers else "".join(f"{answer:.0f}" for answer in answers)

    def many(self, known: Columns) -> Any:
        import pandas as pd  # noqa: PLC0415 - as above

        answers = np.stack([known[place] for place in self.of])
        there = ~np.isnan(answers).any(axis=0)
        powers = 10.0 ** np.arange(len(self.of) - 1, -1, -1)
        number = np.where(there, powers @ np.where(there, answers, 0.0), -1.0)
        # There are few different profiles: each is written once.
        numbers, place = np.unique(number, return_inverse=True)
        texts = [None if n < 0 else f"{n:0{len(self.of)}.0f}" for n in numbers]
        return pd.array(texts, dtype="str").take(place)


@dataclass(frozen=True, slots=True)
class Together:
    """Several values as a list, None where one is not known; the column holds lists."""

    of: tuple[int, ...]

    def one(self, known: Known) -> list[float | None]:
        return [_as_written(known[place]) for place in self.of]

    def many(self, known: Columns) -> Any:
        rows = np.stack([known[place] for place in self.of], axis=1).tolist()
        return [[_as_written(value) for value in row] for row in rows]


def _as_written(value: float | None) -> float | None:
    """A whole number without its decimal point: lists are kept as text."""
    if value is None or value != value:  # noqa: PLR0124 - the fastest test for NaN, on a million rows
        return None
    return int(value) if value.is_integer() else value


def outputs_of(name: str, score: ScoreRule, compilation: Compilation) -> Mapping[str, Output]:
    """What is stored of a score, by name: its value if it is reported, then the word of its band."""
    own = compilation.scores[name]
    outputs = {name: _value(score, own, compilation.places(score))} if score.reported else {}
    if score.bands:
        words, starts = tuple(score.bands.words), tuple(score.bands.words.values())
        outputs[score.bands.store_as] = Word(own, words, starts)
    return outputs


def _value(score: ScoreRule, own: int, parts: tuple[int, ...]) -> Output:
    match score:
        case Cutoff() | Decided():
            return Truth(own)
        case Profile():
            return Digits(parts)
        case Listing():
            return Together(parts)
    return Number(own)
