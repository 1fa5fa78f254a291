"""How a score is written down: the rules that an instrument file may use.

Each rule says what it is made `of` (items or earlier scores) and, where answers may be missing, how many are
needed. A sum of enough answers is prorated, mean of the answered x number of items, and never rounded; bands
and cut-offs look at the value rounded half up.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from outcomes.scoring.items import Dimension, Direction, ItemId, Reference
from studies.protocol.section import Key, Section, Text

_MISSING = re.compile(r"^(ALL|P[1-9][0-9]|[1-9][0-9]*/[1-9][0-9]*)$")


def _missing_rule(text: str) -> str:
    if not _MISSING.match(text):
        raise ValueError(f"{text!r} is no missing-answer rule; write ALL, P75 (per cent) or 7/9 (of the items).")
    return text


MissingRule = Annotated[str, AfterValidator(_missing_rule)]


def answers_needed(rule: str, size: int) -> int:
    """How many of `size` answers a rule needs: ALL, P75 (at least ceil(.75 size)), or k/size.

    Raises ValueError when a k/n rule speaks of another number of items, or of more than there are.
    """
    if rule == "ALL":
        return size
    if rule.startswith("P"):
        return -(-int(rule[1:]) * size // 100)
    needed, of = map(int, rule.split("/"))
    if of != size or needed > of:
        raise ValueError(f"{rule} does not fit {size} items; write {min(needed, size)}/{size}, say.")
    return needed


class OnlyWhen(Section):
    """A score that is computed only while an earlier one lies above a value; else it is `otherwise`."""

    score: Key
    above: float
    otherwise: float


class Bands(Section):
    """Words for ranges of a score: the lowest value of each, in rising order. Stored under the name `as`."""

    store_as: Key = Field(alias="as")
    words: Annotated[dict[Key, float], Field(min_length=2)]

    @model_validator(mode="after")
    def _rise(self) -> Bands:
        starts = list(self.words.values())
        if starts != sorted(set(starts)):
            raise ValueError("The bands must rise: each starts above the one before.")
        return self


class _Score(Section):
    """What every score says of itself. `reported: false` is a step on the way to another score."""

    label: Text | None = None
    dimension: Dimension | None = None
    higher_is: Direction | None = None
    reported: bool = True
    range: tuple[float, float] | None = None
    bands: Bands | None = None
    only_when: OnlyWhen | None = None


class Total(_Score):
    """The sum, mean or highest of items or scores, when enough of them are answered."""

    rule: Literal["sum", "mean", "max"]
    of: Annotated[tuple[Reference, ...], Field(min_length=1)]
    missing: MissingRule


class Value(_Score):
    """One item as it was answered, or an earlier score under another name."""

    rule: Literal["value"]
    of: Reference


class Lookup(_Score):
    """The entry of one of the file's `tables` for a whole value: a T-score for a raw score, say."""

    rule: Literal["lookup"]
    of: Reference
    table: Key


class ValueSet(_Score):
    """A health index of one of the file's `value_sets` for a profile of levels, each of them answered."""

    rule: Literal["value_set"]
    of: Annotated[tuple[Reference, ...], Field(min_length=1)]
    value_set: Key


class Profile(_Score):
    """The answers as one text, such as 12345; each of them answered."""

    rule: Literal["profile"]
    of: Annotated[tuple[Reference, ...], Field(min_length=2)]


class Listing(_Score):
    """Several earlier scores or items as a list, null where one is missing."""

    rule: Literal["list"]
    of: Annotated[tuple[Reference, ...], Field(min_length=2)]


class HighestYes(_Score):
    """The place (1, 2, ...) of the last yes among yes/no items that rise in severity; 0 when there is none.

    Null while an item above the highest yes was asked and is open: nobody knows then. An item that the form
    leaves out (`asked_when`) is not open.
    """

    rule: Literal["highest_yes"]
    of: Annotated[tuple[Reference, ...], Field(min_length=2)]


class Cutoff(_Score):
    """Whether a score (or item), rounded half up, reaches a cut-off: exactly one of the three is given."""

    rule: Literal["cutoff"]
    of: Reference
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Cutoff:
        given = [bound for bound in (self.at_least, self.above, self.at_most) if bound is not None]
        if len(given) != 1:
            raise ValueError("Give exactly one of at_least, above, at_most.")
        return self


class Decided(_Score):
    """Whether the sum of items reaches a cut-off, also with open items as long as they cannot change it."""

    rule: Literal["decided"]
    of: Annotated[tuple[Reference, ...], Field(min_length=1)]
    at_least: float


ScoreRule = Annotated[
    Total | Value | Lookup | ValueSet | Profile | Listing | HighestYes | Cutoff | Decided,
    Field(discriminator="rule"),
]


class Table(Section):
    """Values for the whole numbers `first`, `first` + 1, ...; `source` says where they were published."""

    source: Text
    first: int
    values: Annotated[tuple[float, ...], Field(min_length=1)]


class ValueSetTable(Section):
    """A published value set: index = start - intercept (if any level is above 1) - decrements - n45 terms.

    `decrements`: per dimension those of levels 1, 2, ...; `n45_terms`: the decrement when 0, 1, 2, ...
    dimensions stand at level 4 or 5.
    """

    source: Text
    start: float = 1.0
    intercept_if_any_gt1: float = 0.0
    decrements: Annotated[dict[ItemId, tuple[float, ...]], Field(min_length=1)]
    n45_terms: tuple[float, ...] = ()
