"""A finished trial as its file tells it: checked, in order, and with the arms kept apart from all the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal


@dataclass(frozen=True, slots=True)
class ImportedParticipant:
    """One person: `identifier` is the study's code and the file's own number. `row` is the first with them."""

    identifier: str
    site: str
    sex: str
    age_years: int | None
    row: int


@dataclass(frozen=True, slots=True)
class ImportedValue:
    """One cell: the score or item it holds, None where the file has no value."""

    name: str
    value: float | None
    row: int
    column: str


@dataclass(frozen=True, slots=True)
class ImportedAnswers:
    """What the file holds of one instrument at one visit of one participant."""

    participant: str
    visit: str
    instrument: str
    kind: Literal["score", "item"]
    values: tuple[ImportedValue, ...]

    @property
    def given(self) -> int:
        """How many of the values are there."""
        return sum(each.value is not None for each in self.values)


@dataclass(frozen=True)
class ImportedTrial:
    """Participants in the order of their identifiers, their answers, and (apart, never shown) their arms.

    left_out: rows that the mapping's filters do not take; columns_left_out: columns that it does not name.
    """

    participants: tuple[ImportedParticipant, ...]
    answers: tuple[ImportedAnswers, ...]
    arms: Mapping[str, str] = field(repr=False)
    rows: int
    left_out: int
    columns_left_out: tuple[str, ...]

    @cached_property
    def visits_done(self) -> frozenset[tuple[str, str]]:
        """(participant, visit) with at least one value."""
        return frozenset((each.participant, each.visit) for each in self.answers if each.given)

    @property
    def values_given(self) -> int:
        return sum(each.given for each in self.answers)
