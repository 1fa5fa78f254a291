"""The analysis plan of a protocol file: populations, endpoints, estimand, models, looks, responders, safety.

It says what is estimated and when somebody looks; how is in analysis/. ICH E9(R1) gives the estimand parts.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from studies.protocol.section import Code, Key, Section, Text, Version, named, spelled

Proportion = Annotated[float, Field(gt=0, lt=1)]
SpendingFunction = Literal["lan_demets_of", "lan_demets_pocock"]
SafetySummary = Literal[
    "adverse_events",
    "serious_adverse_events",
    "infusion_rules",
    "infusion_delivery",
    "vital_signs",
    "laboratory",
    "suicidality",
    "dissociation",
]


class Population(Section):
    """An analysis set: who is counted."""

    code: Code
    label: Text
    definition: Text


class Timepoint(Section):
    """When a value is taken: at a visit, or as the mean of diary days counted from the infusion."""

    code: Code
    label: str = ""
    visit: str | None = None
    days: tuple[int, int] | None = None
    at_least: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def is_one_thing(self) -> Timepoint:
        """A visit or diary days, whose mean needs some of its days."""
        if (self.visit is None) == (self.days is None):
            raise ValueError("Give either a visit or diary days.")
        if self.days and not 1 <= self.at_least <= self.days[1] - self.days[0] + 1:
            raise ValueError(f"Days {self.days[0]} to {self.days[1]} cannot hold {self.at_least} entries.")
        return self


class Endpoint(Section):
    """One endpoint: which value of which instrument, at which times, and the one time it is judged at.

    `change`: difference from baseline. `responder`: at least `responder_percent` better than at baseline.
    `dissociation_contrast`: the arms' difference in this value minus that in the score named by `against`.
    """

    id: Key
    role: Literal["primary", "key_secondary", "other"]
    order: Annotated[int, Field(ge=1)] | None = None
    label: Text
    type: Literal["change", "responder", "level", "time_to_loss", "dissociation_contrast"]
    instrument: Key
    item: str | None = None
    score: str | None = None
    better: Literal["lower", "higher"]
    responder_percent: Annotated[float, Field(gt=0, le=100)] | None = None
    baseline: Timepoint
    timepoints: Annotated[tuple[Timepoint, ...], Field(min_length=1)]
    at: Code
    against: Key | None = None

    @model_validator(mode="after")
    def is_complete(self) -> Endpoint:
        """One value, judged at one of its timepoints; a fixed sequence numbers its endpoints."""
        if (self.item is None) == (self.score is None):
            raise ValueError("Say which value: either an item or a score.")
        if self.at not in {timepoint.code for timepoint in self.timepoints}:
            raise ValueError(f"It is judged at {self.at}, which is not one of its timepoints.")
        if (self.type == "responder") != (self.responder_percent is not None):
            raise ValueError("responder_percent goes with type: responder, and only there.")
        if (self.type == "dissociation_contrast") != (self.against is not None):
            raise ValueError("'against' goes with type: dissociation_contrast, and only there.")
        if (self.role == "key_secondary") != (self.order is not None):
            raise ValueError("A key secondary endpoint, and only that, has its 'order' in the fixed sequence.")
        return self

    def timepoint(self, code: str) -> Timepoint:
        """The timepoint of this code. Raises KeyError."""
        return named(self.timepoints, "code", code)


class IntercurrentEvent(Section):
    """An event after randomisation that changes what a value means, and how the estimand takes it."""

    id: Annotated[str, *spelled(r"ICE-[0-9]{1,2}", "an event's number, such as ICE-1")]
    event: Text
    strategy: Literal["treatment_policy", "hypothetical", "composite", "while_on_treatment", "missing_data"]
    supplementary: tuple[Text, ...] = ()


class Estimand(Section):
    """What is to be estimated, by its five attributes."""

    endpoint: Key
    population: Text
    treatment: Text
    variable: Text
    summary: Text
    intercurrent_events: tuple[IntercurrentEvent, ...] = ()


class Contrast(Section):
    """Which arms are compared: the difference is active minus reference."""

    active: Code
    reference: Code


class Model(Section):
    """One model: of which endpoint, at which timepoints, with which covariates, for which contrasts.

    Covariates are `baseline`, `strata`, `site`, `age_years`, `sex`, or a factor of the stratification.
    `difference_in_change`: the baseline is one of the timepoints; the effect is how much more an arm changed.
    """

    id: Key
    endpoint: Key
    method: Literal["mmrm", "ancova", "difference_of_means", "difference_of_proportions"]
    population: Code
    primary: bool = False
    effect: Literal["difference", "difference_in_change"] = "difference"
    timepoints: tuple[Code, ...] = ()
    covariates: tuple[Key, ...] = ()
    covariates_by_visit: tuple[Key, ...] = ()
    covariance: Literal["us", "toeph", "ar1h", "csh", "cs"] | None = None
    if_not_converged: tuple[Literal["toeph", "ar1h", "csh", "cs"], ...] = ()
    df: Literal["kenward_roger", "satterthwaite", "residual"] | None = None
    contrasts: Annotated[tuple[Contrast, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def says_what_its_method_needs(self) -> Model:
        """Repeated measures have a covariance and degrees of freedom."""
        if self.method == "mmrm" and not (self.covariance and self.df and self.timepoints):
            raise ValueError("An mmrm needs timepoints, covariance and df.")
        return self


class PlannedLook(Section):
    """One look at the data: at how many information units, and which data count."""

    number: Annotated[int, Field(ge=1)]
    information: Annotated[int, Field(ge=1)]
    clinical_cutoff: date
    label: str = ""


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
    power: Proportion = 0.9
    futility: Futility | None = None

    def fractions(self) -> tuple[float, ...]:
        """The planned information fractions, the last 1."""
        return tuple(look.information / self.maximum_information for look in self.planned)

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


class Responders(Section):
    """Who has responded, and what a missing value counts as.

    Better by a percentage (inclusive, with a tolerance: 7.0 to 4.9 is 30 %), or at a level at most so high.
    """

    endpoint: Key
    thresholds_percent: tuple[Annotated[float, Field(gt=0, le=100)], ...] = ()
    missing: Literal["non_responder"]
    non_responder_after: tuple[str, ...] = ()
    tolerance: float = 1e-9
    level_at_most: float | None = None

    @model_validator(mode="after")
    def says_what_response_is(self) -> Responders:
        """A percentage, a level, or both."""
        if not self.thresholds_percent and self.level_at_most is None:
            raise ValueError("Give thresholds_percent, or level_at_most, or both.")
        return self


class LossOfResponse(Section):
    """Time until response is lost among responders at `start`; a loss is confirmed by the next timepoint."""

    endpoint: Key
    threshold_percent: Annotated[float, Field(gt=0, le=100)]
    start: Code
    timepoints: Annotated[tuple[Code, ...], Field(min_length=2)]
    confirmed: bool = True
    end_day: Annotated[int, Field(gt=0)]


class AnalysisPlan(Section):
    """The whole plan. It has a version of its own: it may be refined while the protocol stands."""

    version: Version
    populations: Annotated[tuple[Population, ...], Field(min_length=1)]
    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1)]
    estimand: Estimand
    models: Annotated[tuple[Model, ...], Field(min_length=1)]
    looks: Looks | None = None
    responders: Responders | None = None
    loss_of_response: LossOfResponse | None = None
    safety: tuple[SafetySummary, ...] = ()

    @property
    def primary_endpoint(self) -> Endpoint:
        """The one primary endpoint."""
        return named(self.endpoints, "role", "primary")

    @property
    def primary_model(self) -> Model:
        """The model of record."""
        return named(self.models, "primary", True)

    def endpoint(self, key: str) -> Endpoint:
        """The endpoint of this id. Raises KeyError."""
        return named(self.endpoints, "id", key)
