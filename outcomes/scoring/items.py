"""Items of an instrument: what may be answered, when it has to be, and what an answer counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from numbers import Real
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from studies.protocol.section import Section, Text
from studies.protocol.yaml_document import Mistake, Mistakes

Dimension = Literal["S", "A", "C", "M", "F", "X"]
Direction = Literal["worse", "better", "neither"]


def _as_text(value: Any) -> Any:
    """Item numbers are written bare in a file: 9 is the item "9"."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ItemId = Annotated[str, BeforeValidator(_as_text), StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]{0,29}$")]
# What a rule names: an item, an earlier score, or a run of numbered items such as 3-7.
Reference = Annotated[
    str, BeforeValidator(_as_text), StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*(-[0-9]+)?$")
]
_RUN = re.compile(r"^([0-9]+)-([0-9]+)$")


def spelled_out(references: Iterable[str]) -> Iterator[str]:
    """References with every run of numbered items written out: 3-5 is 3, 4, 5."""
    for reference in references:
        run = _RUN.match(reference)
        if run:
            yield from (str(number) for number in range(int(run[1]), int(run[2]) + 1))
        else:
            yield reference


class AskedWhen(Section):
    """An item that the form leaves out unless one of the items named was answered with at least a code."""

    any_of: Annotated[tuple[ItemId, ...], Field(min_length=1)]
    at_least: float

    def holds(self, answers: Mapping[str, float | None]) -> bool:
        """Whether the answers lead to the item; an open answer leads nowhere."""
        given = (answers.get(item) for item in self.any_of)
        return any(answer is not None and answer >= self.at_least for answer in given)


class Item(Section):
    """One item as printed: its range of codes, and what a code counts in scores.

    `label` is neutral, 1-3 words: the wording belongs to its licence-holder. `choices` names the codes where
    a code is a category. `recode` is what a code counts; `reverse` counts a code from the other end of the
    range. `alternative_to` names an item that may be answered instead. An item has the instrument's dimension
    and direction unless it says otherwise.
    """

    label: Text
    min: float
    max: float
    integer: bool = True
    step: Annotated[int, Field(gt=0)] = 1
    kind: Literal["scale", "yes_no", "choice", "visual_analogue", "count", "level"] = "scale"
    choices: dict[float, Text] = {}
    reverse: bool = False
    recode: dict[float, float] = {}
    required: bool = True
    asked_when: AskedWhen | None = None
    alternative_to: ItemId | None = None
    dimension: Dimension | None = None
    higher_is: Direction | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Item:
        if self.min >= self.max:
            raise ValueError(f"min {self.min:g} must lie below max {self.max:g}.")
        if self.reverse and self.recode:
            raise ValueError("Give reverse or recode, not both.")
        if not self.integer and (self.step != 1 or self.choices or self.recode):
            raise ValueError("step, choices and recode are for items with whole codes.")
        codes = set(self._codes())
        for name, table in (("choices", self.choices), ("recode", self.recode)):
            if table and set(table) != codes:
                wanted = ", ".join(f"{code:g}" for code in sorted(codes))
                raise ValueError(f"{name} must say something of each code: {wanted}.")
        return self

    def _codes(self) -> tuple[float, ...]:
        if not self.integer:
            return ()
        return tuple(float(code) for code in range(int(self.min), int(self.max) + 1, self.step))

    @cached_property
    def counts(self) -> dict[float, float]:
        """What each code counts in scores; empty for an item without whole codes."""
        return {code: self.counted(code) for code in self._codes()}

    def counted(self, code: float) -> float:
        """What an allowed code counts in scores."""
        if self.reverse:
            return self.min + self.max - code
        return self.recode.get(code, code)

    def extremes(self) -> tuple[float, float]:
        """The least and the most that an answer counts."""
        values = self.counts.values() or (self.min, self.max)
        return min(values), max(values)

    def problem(self, value: object) -> str | None:
        """What is wrong with an answer, in a sentence; None if it may be saved."""
        if isinstance(value, bool) or not isinstance(value, Real):
            return f"{self.label} is {value!r}; a number is needed, {self._allowed()}."
        number = float(value)
        if self.integer and number not in self.counts:
            return f"{self.label} is {number:g}; allowed is {self._allowed()}."
        if not self.min <= number <= self.max:
            return f"{self.label} is {number:g}; allowed is {self._allowed()}."
        return None

    def _allowed(self) -> str:
        if not self.integer:
            return f"{self.min:g} to {self.max:g}"
        steps = f"in steps of {self.step}" if self.step > 1 else "whole numbers"
        return f"{self.min:g} to {self.max:g} ({steps})"


def _spread_what_holds_for_all(items: Any) -> Any:
    """The entry `all` says once what holds for every item that does not say otherwise."""
    if not isinstance(items, Mapping) or not isinstance(items.get("all"), Mapping):
        return items
    common = items["all"]
    unknown = [
        Mistake(("all", name), f"'{name}' is not known here. Allowed: {', '.join(Item.model_fields)}.")
        for name in common
        if name not in Item.model_fields
    ]
    if unknown:
        raise Mistakes(unknown)
    own = {name: item for name, item in items.items() if name != "all"}
    return {name: {**common, **item} if isinstance(item, Mapping) else item for name, item in own.items()}


# The items by their number or name, in the order of the form.
Items = Annotated[dict[ItemId, Item], Field(min_length=1), BeforeValidator(_spread_what_holds_for_all)]
