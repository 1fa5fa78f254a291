"""Reference numbers and what our functions give for them, number by number.

A `Book` is one file of reference numbers. Checking an entry writes one `Comparison` for every number in it, with the
place of that number in the file, so that the numbers nobody compared can be told (`Book.uncompared`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from math import inf, isnan
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parents[1] / "data" / "oracles"
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """What is asked of one function: the requirement in words, and whose numbers say so."""

    function: str
    requirement: str
    reference: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One reference number. difference and tolerance are relative where `relative`, else absolute."""

    measure: Measure
    file: str
    place: Place
    difference: float
    tolerance: float
    relative: bool

    @property
    def met(self) -> bool:
        """Whether ours is as near as the reference can tell."""
        return self.difference <= self.tolerance


@dataclass
class Book:
    """One file: its numbers, which of them are not compared and why, and the comparisons made.

    inputs: places (as patterns, parts joined by "/") of what the functions are given; left_out: patterns of numbers
    that are not asked for, with the reason.
    """

    file: str
    inputs: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._whole = json.loads((FOLDER / self.file).read_text(encoding="utf-8"))

    def entries(self, key: str = "cases") -> "Iterator[Entry]":
        """The entries of one list of the file."""
        return iter(self[key])

    def __getitem__(self, key: str) -> "Entry":
        return Entry(self, (key,), self._whole[key])

    def numbers(self) -> dict[str, Place]:
        """Every number of the file by its place as text."""
        return {as_text(place): place for place in _numbers(self._whole, ())}

    def uncompared(self) -> list[str]:
        """Places of numbers that are neither compared, nor given to a function, nor left out with a reason."""
        seen = {as_text(each.place) for each in self.comparisons}
        patterns = (*self.inputs, *self.left_out)
        return [
            place
            for place in self.numbers()
            if place not in seen and not any(fnmatch(place, pattern) for pattern in patterns)
        ]

    def useless_patterns(self) -> list[str]:
        """Patterns that excuse nothing, or something that is compared all the same."""
        seen = {as_text(each.place) for each in self.comparisons}
        excused = [place for place in self.numbers() if place not in seen]
        return [each for each in (*self.inputs, *self.left_out) if not any(fnmatch(p, each) for p in excused)]


@dataclass(frozen=True)
class Entry:
    """A part of a file: its value, and where it stands."""

    book: Book
    place: Place
    value: Any

    def __getitem__(self, key: str | int) -> "Entry":
        return Entry(self.book, (*self.place, key), self.value[key])

    def __iter__(self) -> "Iterator[Entry]":
        return (self[number] for number in range(len(self.value)))

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def check(
        self,
        measure: Measure,
        found: Any,
        *,
        abs: Any = None,  # noqa: A002 as the tolerances of the files are named
        rel: float | None = None,
        floor: float = 0.0,
        absent: float | None = None,
    ) -> None:
        """Compare every number here with what was found, of the same shape.

        abs: one tolerance, or one per number; rel: relative to the reference, or to `floor` where that is larger.
        absent: what null stands for; without it null is not compared.
        """
        if isinstance(self.value, list):
            values = list(found)
            tolerances = abs if isinstance(abs, list) else [abs] * len(values)
            for part, value, tolerance in zip(self, values, tolerances, strict=True):
                part.check(measure, value, abs=tolerance, rel=rel, floor=floor, absent=absent)
            return
        expected = absent if self.value is None else self.value
        if expected is None:
            return
        difference = _distance(float(found), float(expected))
        if rel is not None and 0 < difference < inf:
            difference = difference / max(np.abs(expected), floor, np.finfo(float).tiny)
        tolerance = rel if rel is not None else abs
        self.book.comparisons.append(
            Comparison(measure, self.book.file, self.place, float(difference), float(tolerance), rel is not None)
        )


def as_text(place: Place) -> str:
    """A place as one text."""
    return "/".join(str(part) for part in place)


def _distance(found: float, expected: float) -> float:
    if found == expected or (isnan(found) and isnan(expected)):
        return 0.0
    distance = np.abs(found - expected)
    return inf if isnan(distance) else float(distance)


def _numbers(value: Any, place: Place) -> Iterator[Place]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _numbers(part, (*place, key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _numbers(part, (*place, number))
    elif isinstance(value, int | float):
        yield place
