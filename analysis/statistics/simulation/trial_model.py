"""What a protocol and a scenario say about the trial to be simulated, checked and laid out in arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.simulation.draws import FloatArray
from analysis.simulation.parameters import Dimension, Linear, Parameters, load_parameters
from analysis.statistics.simulation.scenarios import Scenario
from studies.protocol import ProtocolDefinition
from studies.protocol.analysis_plan import Contrast, Endpoint, Looks, Model, Timepoint

STRATA = ("NEURO", "NPL", "NOCI")
_DIARY = ("diary_daily", "average")
# Which outcome of the simulation model an endpoint's value follows (DOMAIN.md 6.2).
_OUTCOMES = {
    _DIARY: "nrs",
    ("sf_mpq_2", "affective"): "sf_mpq_2_affective",
    ("pcs", "total"): "pcs",
    ("madrs", "total"): "madrs",
    ("qst", "qst_composite"): "qst_composite",
}
_METHODS = ("mmrm", "ancova", "difference_of_means")


@dataclass(frozen=True)
class Window:
    """When a value is measured: on days since the infusion, of which so many are needed."""

    code: str
    first: int
    last: int
    at_least: int


@dataclass(frozen=True)
class TrialModel:
    """One trial as it is simulated again and again.

    participants: randomised at most. ratio: arm code to share; the reference of the primary contrast is the first of
    `arms`, and `active` says which of them receive ketamine. windows: the baseline's, then one for each timepoint of
    the primary model; `judged` is the place of the endpoint's own among the latter. factors: covariates that are
    factors, by name, with their levels in order.
    """

    scenario: Scenario
    parameters: Parameters
    participants: int
    ratio: Mapping[str, int]
    block_sizes: tuple[int, ...]
    arms: tuple[str, ...]
    active: tuple[bool, ...]
    sites: tuple[str, ...]
    stratified_by: tuple[str, ...]
    endpoint: Endpoint
    law: Linear
    by_diary: bool
    windows: tuple[Window, ...]
    judged: int
    model: Model
    contrast: Contrast
    looks: Looks
    covariates: tuple[str, ...]
    covariates_by_visit: tuple[str, ...]
    diary_days: frozenset[int]

    @cached_property
    def days(self) -> FloatArray:
        """Every day from the first to the last that matters, counted from the infusion."""
        first = min(-1, *(window.first for window in self.windows))
        last = max(1, *(window.last for window in self.windows))
        return np.arange(first, last + 1, dtype=float)

    @cached_property
    def membership(self) -> FloatArray:
        """Which days (D,) belong to which window (W,): (D, W) of 0 and 1."""
        inside = [(self.days >= window.first) & (self.days <= window.last) for window in self.windows]
        return np.column_stack(inside).astype(float)

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """Pain, which decides on rescue and drop-out, and the endpoint's own dimension."""
        return ("S",) if self.law.dimension == "S" else ("S", self.law.dimension)

    @property
    def takes_change(self) -> bool:
        """Whether the model is of the change from baseline."""
        return self.model.effect == "difference" and self.endpoint.type == "change"

    @property
    def drug_effect(self) -> float:
        """The true difference active minus control at the judged time, before rounding: slope x mean of -E(t)."""
        law = self.parameters.latent.effect[self.law.dimension]
        window = self.windows[1 + self.judged]
        days = np.arange(window.first, window.last + 1)
        return float(-self.law.slope * law.size * np.mean(np.exp2(-days / law.half_life))) * self._contrast_sign

    @property
    def _contrast_sign(self) -> float:
        """1 where the contrast is active minus control, 0 where both are alike, -1 the other way round."""
        known = dict(zip(self.arms, self.active, strict=True))
        return float(known[self.contrast.active]) - float(known[self.contrast.reference])


def trial_model(protocol: ProtocolDefinition, scenario: Scenario) -> TrialModel:
    """The trial of a protocol under a scenario.

    Raises ValueError naming what the simulation model has no numbers for, or what the plan does not say.
    """
    plan, parameters = protocol.analysis, scenario.parameters()
    if plan.looks is None:
        raise ValueError("protocol: its plan has no looks; name alpha and at least the final look under 'looks'.")
    if protocol.randomisation is None:
        raise ValueError("protocol: it says nothing on randomisation; block sizes are needed.")
    model = plan.primary_model
    if model.method not in _METHODS:
        raise ValueError(f"protocol: its primary model is a {model.method}; allowed are {', '.join(_METHODS)}.")
    endpoint = plan.endpoint(model.endpoint)
    codes = model.timepoints or (endpoint.at,)
    arms = _arms(protocol, model.contrasts[0])
    participants, ratio, block_sizes = _size(protocol, parameters)
    return TrialModel(
        scenario=scenario,
        parameters=parameters,
        participants=participants,
        ratio=ratio,
        block_sizes=block_sizes,
        arms=arms,
        active=tuple(not protocol.arm(code).control for code in arms),
        sites=_sites(protocol, parameters),
        stratified_by=_stratified_by(protocol),
        endpoint=endpoint,
        law=_law(endpoint, parameters),
        by_diary=_value(endpoint) == _DIARY,
        windows=tuple(_window(protocol, endpoint, each) for each in (endpoint.baseline, *_timepoints(endpoint, codes))),
        judged=codes.index(endpoint.at),
        model=model,
        contrast=model.contrasts[0],
        looks=plan.looks,
        covariates=_covariates(protocol, model.covariates),
        covariates_by_visit=_covariates(protocol, model.covariates_by_visit),
        diary_days=frozenset(
            day for first, last in (protocol.diary.days if protocol.diary else ()) for day in range(first, last + 1)
        ),
    )


def _arms(protocol: ProtocolDefinition, contrast: Contrast) -> tuple[str, ...]:
    return (contrast.reference, *(code for code in protocol.arm_codes if code != contrast.reference))


def _size(protocol: ProtocolDefinition, parameters: Parameters) -> tuple[int, dict[str, int], tuple[int, ...]]:
    """Participants, ratio and block sizes: the protocol's, but where the scenario is about just these."""
    size, own = parameters.trial, load_parameters("default").trial
    participants = protocol.planned_participants if size.participants == own.participants else size.participants
    if size.ratio == own.ratio:
        blocks = protocol.randomisation.block_sizes if protocol.randomisation else ()
        return participants, dict(protocol.ratio), blocks
    ratio = {arm.code: size.ratio["control" if arm.control else "active"] for arm in protocol.arms}
    return participants, ratio, (sum(ratio.values()), 2 * sum(ratio.values()))


def _sites(protocol: ProtocolDefinition, parameters: Parameters) -> tuple[str, ...]:
    known = len(parameters.people.site_shares)
    if len(protocol.sites) > known:
        raise ValueError(f"protocol: it has {len(protocol.sites)} sites; the simulation model serves 1 to {known}.")
    return tuple(site.code for site in protocol.sites)


def _stratified_by(protocol: ProtocolDefinition) -> tuple[str, ...]:
    """The keys of the stratification; the only factor that the simulation model knows is the pain class."""
    for factor in protocol.strata.factors:
        unknown = {level.code for level in factor.levels} - set(STRATA)
        if unknown:
            raise ValueError(
                f"protocol: it is stratified by {factor.key}, of which the simulation model does not know "
                f"{sorted(unknown)}; it knows {', '.join(STRATA)}."
            )
    site = ["site"] if protocol.strata.by_site else []
    return (*site, *(factor.key for factor in protocol.strata.factors))


def _value(endpoint: Endpoint) -> tuple[str, str]:
    return endpoint.instrument, endpoint.item or endpoint.score or ""


def _law(endpoint: Endpoint, parameters: Parameters) -> Linear:
    if _value(endpoint) not in _OUTCOMES:
        known = ", ".join(" ".join(value) for value in _OUTCOMES)
        raise ValueError(
            f"protocol: its primary endpoint is {' '.join(_value(endpoint))}; the simulation model has {known}."
        )
    return parameters.continuous[_OUTCOMES[_value(endpoint)]]


def _timepoints(endpoint: Endpoint, codes: Sequence[str]) -> list[Timepoint]:
    known = {each.code: each for each in (endpoint.baseline, *endpoint.timepoints)}
    return [known[code] for code in codes]


def _window(protocol: ProtocolDefinition, endpoint: Endpoint, timepoint: Timepoint) -> Window:
    if timepoint.days:
        return Window(timepoint.code, *timepoint.days, timepoint.at_least)
    visit = protocol.visit(timepoint.visit or "")
    days = visit.calendar_days
    if visit.day is None and days is None:
        raise ValueError(f"protocol: visit {visit.id} has no day at which {endpoint.id} could be simulated.")
    day = visit.day if visit.day is not None else (days or (0, 0))[1]
    return Window(timepoint.code, day, day, 1)


def _covariates(protocol: ProtocolDefinition, names: Sequence[str]) -> tuple[str, ...]:
    """`strata` stands for every factor of the stratification."""
    strata = _stratified_by(protocol)
    expanded = [each for name in names for each in (strata if name == "strata" else (name,))]
    unknown = sorted(set(expanded) - {"baseline", "site", *strata})
    if unknown:
        raise ValueError(f"protocol: the simulation model does not draw the covariates {unknown}.")
    return tuple(dict.fromkeys(expanded))
