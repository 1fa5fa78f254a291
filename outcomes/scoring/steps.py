"""The rules of an instrument made ready to compute: each for one response and, the same rule, for many.

One response is a list of numbers, None where nothing is known; many are a list of columns, NaN where nothing
is known. Items stand first, then the scores in their order, so a step reads by place. Both ways add in the
same order, so that they agree to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
Known = Sequence[float | None]
Columns = Sequence[Column]


class Step(Protocol):
    """A number computed from items and earlier scores; truth is 1 and 0."""

    def one(self, known: Known) -> float | None:
        """The number for one response, None where it cannot be known."""

    def many(self, known: Columns) -> Column:
        """The numbers for many responses, NaN where they cannot be known."""


def round_half_up(value: float) -> float:
    """The nearest whole number, halves upwards: how bands and cut-offs read a prorated score."""
    return math.floor(value + 0.5)


@dataclass(frozen=True, slots=True)
class Copy:
    """A value as it is."""

    of: int

    def one(self, known: Known) -> float | None:
        return known[self.of]

    def many(self, known: Columns) -> Column:
        return known[self.of]


@dataclass(frozen=True, slots=True)
class Sum:
    """The mean of what is answered, times `size` (1 for a mean), when at least `needed` are.

    The product is divided last: a total of a whole number and a half is exactly that, and rounds up.
    """

    of: tuple[int, ...]
    needed: int
    size: int

    def one(self, known: Known) -> float | None:
        total, answered = 0.0, 0
        for place in self.of:
            value = known[place]
            if value is not None:
                total += value
                answered += 1
        return total * self.size / answered if answered >= self.needed else None

    def many(self, known: Columns) -> Column:
        total = np.zeros_like(known[self.of[0]])
        answered = np.zeros_like(total)
        for place in self.of:
            given = ~np.isnan(known[place])
            np.add(total, known[place], out=total, where=given)
            answered += given
        answered[answered < self.needed] = np.nan
        result: Column = total * self.size / answered
        return result


@dataclass(frozen=True, slots=True)
class Maximum:
    """The highest of what is answered, when at least `needed` are."""

    of: tuple[int, ...]
    needed: int

    def one(self, known: Known) -> float | None:
        answered = [value for place in self.of if (value := known[place]) is not None]
        return max(answered) if len(answered) >= self.needed else None

    def many(self, known: Columns) -> Column:
        highest = np.fmax.reduce([known[place] for place in self.of])
        answered = np.sum([~np.isnan(known[place]) for place in self.of], axis=0)
        return np.where(answered >= self.needed, highest, np.nan)


@dataclass(frozen=True, slots=True)
class TableEntry:
    """The entry of a table for a whole value; the table starts at `first`."""

    of: int
    first: int
    values: tuple[float, ...]

    def one(self, known: Known) -> float | None:
        value = known[self.of]
        return None if value is None else self.values[int(value) - self.first]

    def many(self, known: Columns) -> Column:
        value = known[self.of]
        there = ~np.isnan(value)
        place = np.where(there, value, self.first).astype(np.intp) - self.first
        return np.where(there, np.asarray(self.values)[place], np.nan)


@dataclass(frozen=True, slots=True)
class Index:
    """A health index from levels 1, 2, ...: start - intercept - decrements - n45 term."""

    of: tuple[int, ...]
    start: float
    intercept: float
    decrements: tuple[tuple[float, ...], ...]
    n45_terms: tuple[float, ...]

    def one(self, known: Known) -> float | None:
        index, severe, ill = self.start, 0, False
        for place, steps in zip(self.of, self.decrements, strict=True):
            level = known[place]
            if level is None:
                return None
            index -= steps[int(level) - 1]
            severe += level >= 4
            ill = ill or level > 1
        index -= self.intercept if ill else 0.0
        return index - (self.n45_terms[severe] if self.n45_terms else 0.0)

    def many(self, known: Columns) -> Column:
        levels = np.stack([known[place] for place in self.of])
        there = ~np.isnan(levels).any(axis=0)
        level = np.where(there, levels, 1.0)
        index = np.full(level.shape[1], self.start)
        for row, steps in zip(level.astype(np.intp), self.decrements, strict=True):
            index -= np.asarray(steps)[row - 1]
        index -= np.where((level > 1).any(axis=0), self.intercept, 0.0)
        if self.n45_terms:
            index -= np.asarray(self.n45_terms)[(level >= 4).sum(axis=0)]
        return np.where(there, index, np.nan)


@dataclass(frozen=True, slots=True)
class Highest:
    """The place of the last yes, 0 without any; unknown while an asked item above it is open.

    `led_to`: per item the items that lead to it with the code that does, or None when it is always asked.
    """

    of: tuple[int, ...]
    led_to: tuple[tuple[tuple[int, ...], float] | None, ...]

    def one(self, known: Known) -> float | None:
        for number in range(len(self.of), 0, -1):
            answer = known[self.of[number - 1]]
            if answer is None:
                leads = self.led_to[number - 1]
                if leads is None or any((known[place] or 0.0) >= leads[1] for place in leads[0]):
                    return None
            elif answer >= 1:
                return float(number)
        return 0.0

    def many(self, known: Columns) -> Column:
        highest = np.zeros_like(known[self.of[0]])
        for number, (place, leads) in enumerate(zip(self.of, self.led_to, strict=True), 1):
            answer = known[place]
            asked = np.True_ if leads is None else np.any([known[p] >= leads[1] for p in leads[0]], axis=0)
            highest = np.where(answer >= 1, float(number), highest)
            highest = np.where(np.isnan(answer) & asked, np.nan, highest)
        return highest


@dataclass(frozen=True, slots=True)
class Reaches:
    """Whether a value, rounded half up, lies from `low` to `high`."""

    of: int
    low: float
    high: float

    def one(self, known: Known) -> float | None:
        value = known[self.of]
        return None if value is None else float(self.low <= round_half_up(value) <= self.high)

    def many(self, known: Columns) -> Column:
        value = known[self.of]
        rounded = np.floor(value + 0.5)
        return np.where(np.isnan(value), np.nan, (rounded >= self.low) & (rounded <= self.high))


@dataclass(frozen=True, slots=True)
class Settled:
    """Whether a sum reaches a cut-off, when open items cannot change that.

    `least` and `most`: what each item counts at the least and at the most.
    """

    of: tuple[int, ...]
    at_least: float
    least: tuple[float, ...]
    most: tuple[float, ...]

    def one(self, known: Known) -> float | None:
        low = high = 0.0
        for place, least, most in zip(self.of, self.least, self.most, strict=True):
            value = known[place]
            low += least if value is None else value
            high += most if value is None else value
        if low >= self.at_least:
            return 1.0
        return 0.0 if high < self.at_least else None

    def many(self, known: Columns) -> Column:
        low, high = np.zeros_like(known[self.of[0]]), np.zeros_like(known[self.of[0]])
        for place, least, most in zip(self.of, self.least, self.most, strict=True):
            low += np.where(np.isnan(known[place]), least, known[place])
            high += np.where(np.isnan(known[place]), most, known[place])
        return np.where(low >= self.at_least, 1.0, np.where(high < self.at_least, 0.0, np.nan))


@dataclass(frozen=True, slots=True)
class While:
    """A step that holds while an earlier score lies above a value; else the score is `otherwise`."""

    step: Step
    score: int
    above: float
    otherwise: float

    def one(self, known: Known) -> float | None:
        score = known[self.score]
        if score is None:
            return None
        return self.step.one(known) if score > self.above else self.otherwise

    def many(self, known: Columns) -> Column:
        score = known[self.score]
        value = np.where(score > self.above, self.step.many(known), self.otherwise)
        return np.where(np.isnan(score), np.nan, value)
