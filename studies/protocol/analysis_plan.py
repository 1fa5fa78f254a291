"""The analysis plan of a protocol file: populations, endpoints, estimand, models, looks, responders, safety.

It says what is estimated and when somebody looks; how is in analysis/. ICH E9(R1) gives the estimand parts.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from studies.protocol.further_analyses import (
    BlindingAssessment,
    Mechanism,
    Multiplicity,
    Sensitivity,
    Subgroups,
)
from studies.protocol.planned_looks import Looks
from studies.protocol.section import Code, Key, Section, Text, Version, named, spelled
from studies.protocol.stopping_rules import StoppingRule

# What other rooms ask this module for; Looks has a file of its own.
__all__ = [
    "AnalysisPlan",
    "Contrast",
    "Endpoint",
    "Estimand",
    "IntercurrentEvent",
    "Looks",
    "LossOfResponse",
    "Model",
    "Population",
    "RecordedAs",
    "Responders",
    "Timepoint",
]

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
    """When a value is taken: at a visit, or as the mean of diary days counted from the infusion.

    `instrument`: where another version of the endpoint's instrument is asked then, such as one with a shorter recall.
    """

    code: Code
    label: str = ""
    visit: str | None = None
    instrument: Key | None = None
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
    `minimal_important_difference`: in units of the value, marked in figures; tests nothing.
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
    minimal_important_difference: Annotated[float, Field(gt=0)] | None = None
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


class RecordedAs(Section):
    """How an intercurrent event is read from the data: its first day is the event's.

    `withdrawal`: the end of a participation that was withdrawn. `infusion_incomplete`: less than `below_percent`
    delivered. `diary_above`: a diary item above a number, on the days given.
    """

    kind: Literal["withdrawal", "infusion_incomplete", "diary_above"]
    below_percent: Annotated[float, Field(gt=0, le=100)] | None = None
    instrument: Key | None = None
    item: str | None = None
    above: float | None = None
    days: tuple[int, int] | None = None

    @model_validator(mode="after")
    def says_what_its_kind_needs(self) -> RecordedAs:
        """Exactly what its kind is read from."""
        of_diary = (self.instrument, self.item, self.above, self.days)
        needed = {
            "withdrawal": (),
            "infusion_incomplete": (self.below_percent,),
            "diary_above": of_diary,
        }[self.kind]
        given = sum(value is not None for value in (self.below_percent, *of_diary))
        if None in needed or given != len(needed):
            raise ValueError(
                "infusion_incomplete needs below_percent; diary_above needs instrument, item, above and days; "
                "withdrawal needs nothing."
            )
        return self


class IntercurrentEvent(Section):
    """An event after randomisation that changes what a value means, and how the estimand takes it."""

    id: Annotated[str, *spelled(r"ICE-[0-9]{1,2}", "an event's number, such as ICE-1")]
    event: Text
    strategy: Literal["treatment_policy", "hypothetical", "composite", "while_on_treatment", "missing_data"]
    supplementary: tuple[Text, ...] = ()
    recorded_as: RecordedAs | None = None


class Estimand(Section):
    """What is to be estimated, by its five attributes, and the `analysis` (a model or sensitivity analysis) that does.

    The primary estimand is estimated by the primary model.
    """

    id: Key = "primary"
    label: str = ""
    analysis: Key | None = None
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

    Covariates are `baseline`, `strata`, `site`, `age_years`, `sex`, a factor of the stratification, or a finding of the
    protocol that is known before treatment and tells no arm.
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
    """The whole plan. It has a version of its own: it may be refined while the protocol stands.

    dsmb_arms: whether members of the DSMB read the closed report, or one with the arms masked as A and B.
    """

    version: Version
    populations: Annotated[tuple[Population, ...], Field(min_length=1)]
    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1)]
    estimand: Estimand
    supplementary_estimands: tuple[Estimand, ...] = ()
    models: Annotated[tuple[Model, ...], Field(min_length=1)]
    multiplicity: Multiplicity | None = None
    sensitivity: tuple[Sensitivity, ...] = ()
    subgroups: Subgroups | None = None
    looks: Looks | None = None
    responders: Responders | None = None
    loss_of_response: LossOfResponse | None = None
    mechanism: Mechanism | None = None
    blinding: BlindingAssessment | None = None
    safety: tuple[SafetySummary, ...] = ()
    dsmb_arms: Literal["named", "masked"] = "named"
    stopping_rules: tuple[StoppingRule, ...] = ()

    @property
    def primary_endpoint(self) -> Endpoint:
        """The one primary endpoint."""
        return named(self.endpoints, "role", "primary")

    @property
    def primary_model(self) -> Model:
        """The model of record."""
        return named(self.models, "primary", True)

    @property
    def events(self) -> tuple[IntercurrentEvent, ...]:
        """The intercurrent events of the primary estimand, which defines them."""
        return self.estimand.intercurrent_events

    def endpoint(self, key: str) -> Endpoint:
        """The endpoint of this id. Raises KeyError."""
        return named(self.endpoints, "id", key)

    def model(self, key: str) -> Model:
        """The model of this id. Raises KeyError."""
        return named(self.models, "id", key)

    def model_of(self, endpoint: str) -> Model | None:
        """The model that judges an endpoint: the primary one, or else the first of it."""
        found = [model for model in self.models if model.endpoint == endpoint]
        return next((model for model in found if model.primary), found[0] if found else None)
