"""Safety stopping rules of an analysis plan: which harm, how frequent it may be, and when that stops the trial."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from studies.protocol.section import Code, Key, Section, Text

Proportion = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


class StoppingRule(Section):
    """One rule, applied at each look to participants treated, as treated.

    A participant counts once who had the `event`: a serious adverse event; an adverse event (of `terms`, where some
    are named; of `grade_at_least`; `related` where only those at least possibly related count); or an infusion that
    the infusion's own rules stopped. `beta_binomial` stops when the posterior probability of a rate above `limit`
    reaches `probability`; `exact` when so many events would have at most probability `alpha` at `limit`.
    """

    id: Key
    label: Text
    event: Literal["serious_adverse_event", "adverse_event", "infusion_stopped"]
    terms: tuple[Text, ...] = ()
    grade_at_least: Annotated[int, Field(ge=1, le=5)] = 1
    related: bool = False
    arm: Code | None = None
    method: Literal["beta_binomial", "exact"]
    limit: Proportion
    prior: tuple[Positive, Positive] = (1.0, 1.0)
    probability: Proportion | None = None
    alpha: Proportion | None = None
    not_before: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def says_when_it_stops(self) -> StoppingRule:
        """The Bayesian rule has a probability, the exact one an alpha."""
        if (self.method == "beta_binomial") != (self.probability is not None):
            raise ValueError("probability goes with method: beta_binomial, and only there.")
        if (self.method == "exact") != (self.alpha is not None):
            raise ValueError("alpha goes with method: exact, and only there.")
        return self
