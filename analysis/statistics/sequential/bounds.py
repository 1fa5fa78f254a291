"""Bounds that spend the error exactly, and the chances of crossing given bounds.

`upper` bounds are infinite and `lower` ones minus infinite at looks without. For a two-sided symmetric test
the lower bounds are minus the upper ones and reject; otherwise they are futility bounds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from analysis.statistics.sequential.families import Family, FixedBounds, Shape, Spending
from analysis.statistics.sequential.integration import (
    Paths,
    above,
    below,
    bound_above,
    bound_below,
    carry,
    root,
    start,
)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Given:
    """A rule whose bounds are known before the trial is walked through."""

    z: FloatArray


@dataclass(frozen=True)
class Spend:
    """A rule that spends an increment of error at each look."""

    increments: FloatArray


@dataclass(frozen=True)
class OneConstant:
    """A rule known up to one constant, which is solved so that alpha is spent exactly."""

    bounds: Callable[[float], FloatArray]


Rule = Given | Spend | OneConstant


@dataclass(frozen=True)
class Plan:
    """Everything the bounds follow from. `futility` None: no lower bounds but those of a two-sided test."""

    timing: FloatArray
    alpha: float
    sides: int
    efficacy: Rule
    futility: Given | Spend | None
    binding: bool


def efficacy_rule(family: Family, timing: FloatArray, spending_time: FloatArray, alpha: float) -> Rule:
    """The rule a family gives at these looks; ValueError when fixed bounds do not fit the number of looks."""
    if isinstance(family, Spending):
        return Spend(np.diff(family.spent(spending_time, alpha), prepend=0.0))
    if isinstance(family, Shape):
        shape = family.at(timing)
        return OneConstant(lambda constant: constant * shape)
    fixed = _fitted(family, len(timing), inf)
    if len(family.z) == len(timing):
        return Given(fixed)
    return OneConstant(lambda constant: np.r_[fixed[:-1], constant])


def futility_rule(family: Family, spending_time: FloatArray, beta: float) -> Given | Spend:
    """The lower rule a family gives; ValueError for a family that cannot be one."""
    if isinstance(family, Spending):
        return Spend(np.diff(family.spent(spending_time, beta), prepend=0.0))
    if isinstance(family, FixedBounds):
        return Given(_fitted(family, len(spending_time), -inf))
    msg = f"futility is {family.name}; allowed are a spending function or fixed_bounds."
    raise ValueError(msg)


def solve(plan: Plan, drift: float) -> tuple[FloatArray, FloatArray]:
    """Upper and lower bounds (K,), (K,); a futility rule that spends beta spends it at this drift."""
    if not isinstance(plan.efficacy, OneConstant):
        return _walk(plan, plan.efficacy, drift)
    family = plan.efficacy

    def alpha_at(constant: float) -> float:
        upper, lower = _walk(plan, Given(family.bounds(constant)), drift)
        return float(crossing(plan.timing, upper, null_lower(plan, upper, lower), 0.0)[0].sum())

    # The constant lies between the critical values of one look and of Bonferroni's K looks.
    guesses = -ndtri(plan.alpha), -ndtri(plan.alpha / len(plan.timing))
    constant = root(alpha_at, plan.alpha, float(guesses[0]) + 0.05, float(guesses[1]))
    return _walk(plan, Given(family.bounds(constant)), drift)


def null_lower(plan: Plan, upper: FloatArray, lower: FloatArray) -> FloatArray:
    """The lower bounds that count when alpha is computed: not those the trial is free to disregard."""
    if plan.sides == 2 or plan.binding:
        return lower
    return np.full_like(upper, -inf)


def crossing(
    timing: FloatArray, upper: FloatArray, lower: FloatArray, drift: float, begin: Paths | None = None
) -> tuple[FloatArray, FloatArray]:
    """Probability of first crossing the upper and the lower bound at each look, (K,) and (K,).

    `begin` are the paths the trial goes on from; without it, the trial starts at no information.
    """
    paths = begin or start()
    up, low = np.zeros(len(timing)), np.zeros(len(timing))
    for look, time in enumerate(timing):
        up[look] = above(paths, time, drift, upper[look])
        low[look] = below(paths, time, drift, lower[look])
        if look + 1 < len(timing):
            paths = carry(paths, time, drift, (lower[look], upper[look]), timing[look + 1])
    return up, low


def with_known_efficacy(plan: Plan) -> Plan:
    """The same plan with its upper bounds solved as if there were no futility bounds."""
    upper, _ = solve(replace(plan, futility=None), 0.0)
    return replace(plan, efficacy=Given(upper))


def _walk(plan: Plan, efficacy: Given | Spend, drift: float) -> tuple[FloatArray, FloatArray]:
    """One pass over the looks: each bound follows from those before it.

    Two sets of paths are carried: under no effect, for alpha, and under `drift`, for beta.
    """
    timing, futility = plan.timing, plan.futility
    upper, lower = np.full(len(timing), inf), np.full(len(timing), -inf)
    null, alternative = start(), start()
    for look, time in enumerate(timing):
        upper[look] = _upper(efficacy, look, null, time)
        if plan.sides == 2:
            lower[look] = -upper[look]
        elif futility is not None:
            # At the last look a trial that does not reject has failed: the bounds meet.
            last = look + 1 == len(timing)
            limit = upper[look] if last else _lower(futility, look, alternative, time, drift)
            lower[look] = min(limit, upper[look])
        if look + 1 == len(timing):
            break
        if isinstance(efficacy, Spend):
            ends = null_lower(plan, upper, lower)[look], upper[look]
            null = carry(null, time, 0.0, ends, timing[look + 1])
        if isinstance(futility, Spend):
            alternative = carry(alternative, time, drift, (lower[look], upper[look]), timing[look + 1])
    return upper, lower


def _upper(rule: Given | Spend, look: int, paths: Paths, time: float) -> float:
    if isinstance(rule, Given):
        return float(rule.z[look])
    return bound_above(paths, time, 0.0, rule.increments[look])


def _lower(rule: Given | Spend, look: int, paths: Paths, time: float, drift: float) -> float:
    if isinstance(rule, Given):
        return float(rule.z[look])
    return bound_below(paths, time, drift, rule.increments[look])


def _fitted(family: FixedBounds, looks: int, absent: float) -> FloatArray:
    if len(family.z) not in (looks, looks - 1):
        msg = f"fixed_bounds holds {len(family.z)} values; allowed at {looks} looks are {looks} or {looks - 1}."
        raise ValueError(msg)
    z = np.full(looks, absent)
    z[: len(family.z)] = [absent if np.isnan(value) else value for value in family.z]
    return z
