"""What a plan analyses beside its models: order of testing, sensitivity, subgroups, how relief works, the blind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from studies.protocol.section import Code, Key, Section, Text

Proportion = Annotated[float, Field(gt=0, lt=1)]
SpendingFunction = Literal["lan_demets_of", "lan_demets_pocock", "hwang_shih_decani", "kim_demets"]


class Multiplicity(Section):
    """How several endpoints share one error: in which order they are tested, and how each spends over the looks.

    `fixed_sequence`: one after the other, each at full alpha until one is not rejected. `graphical`: `weights` are
    the shares of alpha at the start, `transitions` where the share of a rejected endpoint goes. Maurer & Bretz 2013.
    """

    procedure: Literal["fixed_sequence", "graphical"]
    endpoints: Annotated[tuple[Key, ...], Field(min_length=1)]
    spending: dict[Key, Literal["lan_demets_of", "lan_demets_pocock"]] = {}
    weights: dict[Key, Annotated[float, Field(ge=0, le=1)]] = {}
    transitions: dict[Key, dict[Key, Annotated[float, Field(ge=0, le=1)]]] = {}

    @model_validator(mode="after")
    def names_only_its_endpoints(self) -> Multiplicity:
        """Weights and transitions belong to a graph, and lead to endpoints that are tested."""
        if len(set(self.endpoints)) != len(self.endpoints):
            raise ValueError("An endpoint is tested once; one stands here twice.")
        if (self.procedure == "graphical") != bool(self.weights):
            raise ValueError("weights go with procedure: graphical, and only there.")
        named = {
            *self.spending,
            *self.weights,
            *self.transitions,
            *(to for each in self.transitions.values() for to in each),
        }
        if strangers := sorted(named - set(self.endpoints)):
            raise ValueError(f"{', '.join(strangers)} is not among the endpoints that are tested.")
        if sum(self.weights.values()) > 1 + 1e-9:
            raise ValueError("The weights together must be at most 1.")
        if any(sum(each.values()) > 1 + 1e-9 for each in self.transitions.values()):
            raise ValueError("What an endpoint hands on must together be at most 1.")
        return self


class Deltas(Section):
    """By how much imputed values are made worse, step by step, in units of the endpoint."""

    start: float = 0
    to: float
    step: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def leads_somewhere(self) -> Deltas:
        """At most a hundred steps upwards."""
        if not 0 < self.to - self.start <= 100 * self.step:
            raise ValueError(f"Steps of {self.step:g} from {self.start:g} to {self.to:g} are none, or more than 100.")
        return self

    def values(self) -> tuple[float, ...]:
        """Every delta, from the first to the last."""
        count = int((self.to - self.start) / self.step + 1e-9)
        return tuple(round(self.start + index * self.step, 10) for index in range(count + 1))


class Sensitivity(Section):
    """One analysis of what the missing values might have been.

    It takes endpoint, covariates, timepoints and population from `model`. `reference_based`: missing values follow
    `strategy` (MAR at random; JR jump to reference; CR copy reference; CIR copy increments; LMCF last mean carried
    forward). `tipping_point`: imputed at random, then made worse in the active arm by each delta. With `imputations`
    by multiple imputation and Rubin's rules; without, by conditional means and the jackknife.
    `events`: intercurrent events from which on values count as missing.
    """

    id: Key
    label: Text
    method: Literal["reference_based", "tipping_point"]
    model: Key
    strategy: Literal["MAR", "JR", "CR", "CIR", "LMCF"] = "MAR"
    imputations: Annotated[int, Field(ge=2, le=1000)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    deltas: Deltas | None = None
    events: tuple[str, ...] = ()
    looks: Literal["every", "final"] = "every"

    @model_validator(mode="after")
    def says_what_its_method_needs(self) -> Sensitivity:
        """Deltas belong to a tipping point."""
        if (self.method == "tipping_point") != (self.deltas is not None):
            raise ValueError("deltas go with method: tipping_point, and only there.")
        return self


class DimensionSource(Section):
    """One endpoint that stands for a dimension, and the days its timepoints stand for."""

    endpoint: Key
    days: Annotated[dict[Code, Annotated[int, Field(ge=1)]], Field(min_length=1)]


class Dimension(Section):
    """A dimension of pain (or mood): the mean of its sources' improvements, in baseline standard deviations."""

    code: Annotated[str, Field(pattern=r"^[A-Z]$")]
    label: Text
    sources: Annotated[tuple[DimensionSource, ...], Field(min_length=1)]
    at_least: Annotated[int, Field(ge=1)] = 1


class Dissociation(Section):
    """Whether the effect on one dimension outlasts that on another: their arm differences side by side over days."""

    first: str
    second: str
    day: Annotated[int, Field(ge=1)]
    from_day: Annotated[int, Field(ge=1)]
    covariance: Literal["us", "un_un", "un_ar1_re"] = "us"
    df: Literal["kenward_roger", "satterthwaite"] = "kenward_roger"
    response_from: Annotated[float, Field(gt=0)] = 0.5
    end_day: Annotated[int, Field(ge=2)] = 84
    seed: Annotated[int, Field(ge=0)] = 0


class Mediation(Section):
    """Through which of two dimensions, early, the effect on a later outcome goes."""

    mediators: tuple[str, str]
    mediator_days: Annotated[tuple[int, ...], Field(min_length=1)]
    outcome: str
    outcome_day: Annotated[int, Field(ge=1)]
    covariates: tuple[Key, ...] = ()


class Mechanism(Section):
    """How relief comes about: dimensions, and what is asked of them. Two arms are compared, active with reference."""

    population: Code
    active: Code
    reference: Code
    dimensions: Annotated[tuple[Dimension, ...], Field(min_length=2)]
    dissociation: Dissociation | None = None
    mediation: Mediation | None = None

    @model_validator(mode="after")
    def asks_only_of_its_dimensions(self) -> Mechanism:
        """Every dimension that is compared is one of those defined."""
        codes = {dimension.code for dimension in self.dimensions}
        asked: set[str] = set()
        if self.dissociation:
            asked |= {self.dissociation.first, self.dissociation.second}
        if self.mediation:
            asked |= {*self.mediation.mediators, self.mediation.outcome}
        if strangers := sorted(asked - codes):
            raise ValueError(f"{', '.join(strangers)} is not one of the dimensions {', '.join(sorted(codes))}.")
        return self


class BlindingAssessment(Section):
    """Which question asks what treatment was given, and what its answers mean.

    guesses: the coded answer for each of the two arms compared; do_not_know: the coded answer for not knowing.
    """

    instrument: Key
    item: str
    active: Code
    reference: Code
    guesses: dict[Code, int]
    do_not_know: int
    visits: Annotated[tuple[Code, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def guesses_both_arms(self) -> BlindingAssessment:
        """Each of the two arms has its answer."""
        if set(self.guesses) != {self.active, self.reference}:
            raise ValueError(f"guesses must give the answers for {self.active} and {self.reference}.")
        return self


class Subgroups(Section):
    """The effect of a model in each level of these factors, with a test of whether it differs between them."""

    model: Key
    factors: Annotated[tuple[Key, ...], Field(min_length=1)]
