"""The looks of an analysis plan: when somebody looks, and how the error is spent over the looks."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from studies.protocol.further_analyses import Proportion, SpendingFunction
from studies.protocol.section import Code, Key, Section, Text

SPENDING_NAMES = {
    "lan_demets_of": "Lan-DeMets, O'Brien-Fleming type",
    "lan_demets_pocock": "Lan-DeMets, Pocock type",
    "hwang_shih_decani": "Hwang-Shih-DeCani",
    "kim_demets": "Kim-DeMets",
}


class PlannedLook(Section):
    """One look at the data: at how many information units, and which data count.

    It is due as soon as one of its `triggers` is met: the information came in, the day of the clinical cut-off is
    past, or so many are `enrolled` (randomised).
    """

    number: Annotated[int, Field(ge=1)]
    information: Annotated[int, Field(ge=1)]
    clinical_cutoff: date
    enrolled: Annotated[int, Field(ge=1)] | None = None
    triggers: Annotated[tuple[Literal["information", "calendar", "enrolled"], ...], Field(min_length=1)] = (
        "information",
        "calendar",
    )
    label: str = ""

    @model_validator(mode="after")
    def knows_what_triggers_it(self) -> PlannedLook:
        """A number enrolled is given exactly where it triggers."""
        if ("enrolled" in self.triggers) != (self.enrolled is not None):
            raise ValueError("'enrolled' goes with the trigger enrolled, and only there.")
        return self


class Futility(Section):
    """When a look says that success has become unlikely. Shown, never a bound of the design."""

    conditional_power_below: Proportion
    drift: Literal["design", "trend", "null"]
    binding: Literal[False] = False


class Looks(Section):
    """The group-sequential design: information, looks, and how the error is spent over them."""

    information_unit: Text
    population: Code
    endpoint: Key
    maximum_information: Annotated[int, Field(ge=1)]
    planned: Annotated[tuple[PlannedLook, ...], Field(min_length=1)]
    alpha: Annotated[float, Field(gt=0, lt=0.5)]
    sides: Literal[1, 2]
    spending: SpendingFunction
    spending_parameter: float | None = None
    power: Proportion = 0.9
    futility: Futility | None = None

    def fractions(self) -> tuple[float, ...]:
        """The planned information fractions, the last 1."""
        return tuple(look.information / self.maximum_information for look in self.planned)

    @property
    def spending_name(self) -> str:
        """The spending function in words, with its parameter."""
        name, parameter = SPENDING_NAMES[self.spending], self.spending_parameter
        return name if parameter is None else f"{name} ({parameter:g})"

    @model_validator(mode="after")
    def looks_rise_to_the_maximum(self) -> Looks:
        """Looks are numbered from 1 and come in the order of information and of time."""
        rising = [(look.number, look.information, look.clinical_cutoff) for look in self.planned]
        if [number for number, _, _ in rising] != list(range(1, len(rising) + 1)):
            raise ValueError("Looks are numbered 1, 2, 3 without gaps.")
        for before, after in pairwise(rising):
            if after[1] <= before[1] or after[2] <= before[2]:
                raise ValueError(f"Look {after[0]} must come later than look {before[0]}, with more information.")
        if rising[-1][1] != self.maximum_information:
            raise ValueError(f"The last look must be at the maximum, {self.maximum_information} units.")
        return self

    @model_validator(mode="after")
    def spending_has_its_parameter(self) -> Looks:
        """The families with a parameter have one: gamma of Hwang-Shih-DeCani (not 0), rho of Kim-DeMets (above 0)."""
        needs = self.spending in ("hwang_shih_decani", "kim_demets")
        if needs != (self.spending_parameter is not None):
            raise ValueError("spending_parameter goes with hwang_shih_decani and kim_demets, and only there.")
        if self.spending == "kim_demets" and not (self.spending_parameter or 0) > 0:
            raise ValueError("The parameter rho of kim_demets must be above 0.")
        return self
