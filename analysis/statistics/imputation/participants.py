"""The participants of an imputation: what was seen of each, the model of it, and what is filled in."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.arguments import is_number
from analysis.statistics.columns import complete_rows, levels
from analysis.statistics.imputation.strategies import BoolArray, FloatArray, Strategy, conditional, joint
from analysis.statistics.mmrm.design import Columns, Design, build
from analysis.statistics.mmrm.fits import starting_values
from analysis.statistics.mmrm.likelihood import Model
from analysis.statistics.mmrm.optimiser import Covariances, Solution, maximise
from analysis.statistics.mmrm.patterns import Patterns, Subjects
from analysis.statistics.mmrm.structures import structure

IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Parameters:
    """Of one fit: mean by visit B (V, k), and covariances (groups, V, V), in units of the response."""

    means: FloatArray
    sigma: FloatArray


@dataclass(frozen=True)
class Trial:
    """All participants: y (N, V), nan where missing; after (N, V), from the event on; arm (N,), 0 the reference."""

    design: Design
    modelled: Subjects
    y: FloatArray
    after: BoolArray
    arm: IntArray
    strategy: Strategy
    delta: float
    by_arm: bool

    @property
    def u(self) -> FloatArray:
        """What is known of each participant, which is also the design of the comparison (N, k)."""
        return self.modelled.u

    @cached_property
    def point(self) -> tuple[BoolArray, FloatArray]:
        """Which columns of u are numbers, and where factors are taken for adjusted means (k,)."""
        numeric = np.zeros(self.u.shape[1], dtype=bool)
        fixed = np.zeros(self.u.shape[1])
        place = len(self.design.arms)
        for part in self.design.points:
            own = slice(place, place + len(part.names))
            numeric[own] = not part.is_factor
            fixed[own] = part.point
            place += len(part.names)
        return numeric, fixed

    @cached_property
    def alike(self) -> list[IntArray]:
        """Participants with something missing, by arm, visits observed and event."""
        keys = np.column_stack([self.arm, np.isnan(self.y), self.after])
        _, place = np.unique(keys, axis=0, return_inverse=True)
        groups = [np.flatnonzero(place.ravel() == number) for number in range(int(place.max()) + 1)]
        return [rows for rows in groups if np.isnan(self.y[rows[0]]).any()]

    def fit(self, patterns: Patterns, covariance: str) -> Solution:
        """The imputation model, from moments."""
        visits, groups = len(self.design.visits), len(self.design.arms) if self.by_arm else 1
        covariances = Covariances(covariance, structure(covariance, visits), groups)
        return maximise(Model(patterns, self.design.expand, True), covariances, starting_values(patterns, covariances))

    def refit(self, patterns: Patterns, near: Solution) -> Solution:
        """The imputation model of nearly the same participants."""
        return maximise(Model(patterns, self.design.expand, True), near.covariances, near.theta)

    def parameters(self, solution: Solution) -> Parameters:
        """Means and covariances in units of the response."""
        beta = self.design.offset + self.design.scale * solution.state.beta
        means = np.einsum("vkp,p->vk", self.design.expand, beta)
        return Parameters(means, solution.state.sigma * self.design.scale**2)

    def completed(self, parameters: Parameters, rng: np.random.Generator | None = None) -> FloatArray:
        """y with what is missing imputed: its conditional mean, and with rng a draw around it (N, V)."""
        y = self.y.copy()
        own = self.u @ parameters.means.T
        as_reference = self.u.copy()
        as_reference[:, 1 : len(self.design.arms)] = 0.0
        theirs = as_reference @ parameters.means.T
        for rows in self.alike:
            after, arm = self.after[rows[0]], int(self.arm[rows[0]])
            sigmas = parameters.sigma[arm if self.by_arm else 0], parameters.sigma[0]
            mean, sigma = joint(self.strategy, own[rows], theirs[rows], *sigmas, after)
            y[rows] = conditional(y[rows], mean, sigma, rng)
        shifted = np.isnan(self.y) & self.after & (self.arm > 0)[:, None]
        return np.where(shifted, y + self.delta, y)


def trial_of(
    frame: pd.DataFrame,
    parts: Columns,
    reference: Any,
    strategy: Strategy,
    delta: float | None,
    event: str | None,
    *,
    by_arm: bool,
) -> Trial:
    if strategy not in get_args(Strategy):
        raise ValueError(f"strategy is {strategy!r}; allowed are {', '.join(get_args(Strategy))}.")
    if delta is not None and not is_number(delta):
        raise ValueError(f"delta is {delta!r}; allowed is a finite number in units of the response.")
    grid = _grid(frame, parts, event)
    design = build(grid, parts, reference, group_by_arm=by_arm, keep_unobserved=True)
    wide = grid.pivot(index=parts.subject, columns=parts.visit, values=parts.response)
    y = wide.loc[design.names, design.visits].to_numpy(dtype=float)
    after = _after(grid, parts, design, y, event)
    arm = design.subjects.u[:, 1 : len(design.arms)] @ np.arange(1, len(design.arms))
    modelled = design.subjects
    if strategy != "MAR":
        observed = modelled.observed & ~after
        modelled = replace(modelled, observed=observed, y=np.where(observed, modelled.y, 0.0))
    return Trial(design, modelled, y, after, arm.astype(np.intp), strategy, delta or 0.0, by_arm)


def _grid(frame: pd.DataFrame, parts: Columns, event: str | None) -> pd.DataFrame:
    """One row for every subject and visit; what is constant in a subject is carried to visits without a row."""
    covariates = list(dict.fromkeys([*parts.covariates, *parts.by_visit]))
    keys = [parts.subject, parts.visit, parts.arm]
    complete_rows(frame, parts.response, keys, covariates)
    if event is not None and event not in list(frame.columns):
        raise ValueError(f"event is {event!r}; the table has {list(frame.columns)}.")
    if frame.duplicated([parts.subject, parts.visit]).any():
        twice = frame.loc[frame.duplicated([parts.subject, parts.visit]), parts.subject].iloc[0]
        raise ValueError(f"subject and visit occur twice, as in {str(twice)!r}; one row for each is allowed.")
    constant = frame.groupby(parts.subject, observed=True)[[parts.arm, *covariates]]
    for name, counts in constant.nunique(dropna=False).items():
        if (counts > 1).any():
            raise ValueError(
                f"{name} changes within a subject, or is missing in some of its rows; imputation needs arm and "
                "covariates that are the same in all rows of a subject."
            )
        if constant.first()[name].isna().any():
            raise ValueError(f"{name} is missing for a subject; every participant needs every covariate.")
    names, visits = constant.first().index, levels(frame[parts.visit])
    every = pd.MultiIndex.from_product([names, visits], names=[parts.subject, parts.visit])
    changing = [parts.response, *([event] if event else [])]
    indexed = frame.set_index([parts.subject, parts.visit])[changing]
    indexed.index = pd.MultiIndex.from_arrays(
        [frame[parts.subject].to_numpy(), frame[parts.visit].to_numpy()], names=every.names
    )
    grid = indexed.reindex(every).reset_index().join(constant.first(), on=parts.subject)
    ordered = pd.CategoricalDtype(visits, ordered=True)
    return grid.astype({parts.visit: ordered})


def _after(grid: pd.DataFrame, parts: Columns, design: Design, y: FloatArray, event: str | None) -> BoolArray:
    if event is None:
        later = np.flip(np.flip(np.isfinite(y), axis=1).cumsum(axis=1), axis=1)
        return np.asarray(later == 0)
    wide = grid.assign(**{event: grid[event].eq(True)}).pivot(index=parts.subject, columns=parts.visit, values=event)
    flags = wide.loc[design.names, design.visits].to_numpy(dtype=bool)
    return np.asarray(np.logical_or.accumulate(flags, axis=1))
