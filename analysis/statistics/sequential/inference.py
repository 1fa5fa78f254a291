"""Estimates, intervals and p-values that allow for the looks that were taken."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from analysis.statistics.arguments import require_level
from analysis.statistics.sequential.bounds import Plan, crossing, efficacy_rule, solve
from analysis.statistics.sequential.checks import look_number, numbers, positive
from analysis.statistics.sequential.designs import Design, require_design
from analysis.statistics.sequential.families import FixedBounds, Shape, Spending
from analysis.statistics.sequential.integration import above, carry, root, start

FloatArray = NDArray[np.float64]

# A one-sided level is searched for in here; a p-value beyond is given as the limit.
_SMALLEST_LEVEL, _LARGEST_LEVEL = 1e-12, 0.4999999


@dataclass(frozen=True)
class StoppedEstimate:
    """After stopping: p (one-sided for a one-sided design), median-unbiased estimate, two-sided interval."""

    p: float
    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True)
class RepeatedIntervals:
    """Valid at every look, stopped or not; arrays (looks so far,)."""

    lower: FloatArray
    upper: FloatArray
    p: FloatArray

    def __iter__(self) -> Iterator[FloatArray]:
        """So that `lower, upper, p = repeated_intervals(...)` works too."""
        return iter((self.lower, self.upper, self.p))


def inference_after_stopping(
    z: ArrayLike, look: int, *, design: Design, standard_error: float, level: float = 0.95
) -> StoppedEstimate:
    """p-value, median-unbiased estimate and interval by the stage-wise ordering of outcomes.

    z: the statistic at the look the trial stopped at, or the statistics of all looks up to it.
    standard_error: of the effect at that look, so that z x standard_error is the effect. level: of the
    two-sided interval. The ordering holds an earlier rejection for the more extreme one, and at the same
    look the larger z. Futility bounds count only when binding. p is two-sided for a two-sided design.

    Raises ValueError when the rule stopped the trial at an earlier look, or did not stop it at this one (a
    trial ended for other reasons is first updated, so that this look is its last). Reference: Tsiatis,
    Rosner & Mehta (1984), Biometrics 40:797; Jennison & Turnbull (2000), section 8.4.
    """
    require_design(design)
    number = look_number(look, design.looks)
    error = positive("standard_error", standard_error)
    require_level(level)
    last = _stopping_statistic(z, number, design)
    tail = (1 - level) / 2
    time = float(design.timing[number - 1])
    observed = last / sqrt(time)

    def drift_with(probability: float, guess: float) -> float:
        try:
            return root(lambda drift: _as_extreme(last, number, design, drift), probability, guess, guess + 0.2)
        except ArithmeticError:
            msg = f"z is {last}, further out than any drift explains; allowed is the statistic of a trial."
            raise ValueError(msg) from None

    scale = error * sqrt(time)
    p = _as_extreme(last, number, design, 0.0)
    return StoppedEstimate(
        p=p if design.sides == 1 else 2 * min(p, 1 - p),
        estimate=scale * drift_with(0.5, observed),
        lower=scale * drift_with(tail, observed - 2 / sqrt(time)),
        upper=scale * drift_with(1 - tail, observed + 2 / sqrt(time)),
    )


def repeated_intervals(z: ArrayLike, standard_errors: ArrayLike, *, design: Design) -> RepeatedIntervals:
    """Repeated confidence intervals and p-values at each look so far (Jennison & Turnbull 1989, JRSS B
    51:305).

    z and standard_errors (looks so far,): the interval is the estimate z x se plus and minus efficacy_z x
    se, at the two-sided level 1 - 2 alpha, infinite where a look has no bound. p: the smallest alpha
    (doubled for a two-sided design) at which the look would have rejected, with the same family; at most
    0.5 a side. Raises ValueError for more looks than planned, unequal lengths, or a design of fixed bounds,
    which has no bounds at another alpha.
    """
    require_design(design)
    statistics = numbers("z", z, at_most=design.looks)
    errors = numbers("standard_errors", standard_errors)
    if errors.shape != statistics.shape or np.any(errors <= 0):
        msg = f"standard_errors is {errors.tolist()}; allowed are {statistics.size} numbers above 0, one per z."
        raise ValueError(msg)
    margin = design.upper[: statistics.size] * errors
    p = np.array([_repeated_p(value, look, design) for look, value in enumerate(statistics)])
    return RepeatedIntervals(statistics * errors - margin, statistics * errors + margin, p)


def sequential_p(z: ArrayLike, *, design: Design) -> float:
    """Smallest alpha at which the trial would have rejected at one of its looks (Liu & Anderson 2008, JASA
    103:1581).

    z (looks so far,). The family is rescaled to that alpha; one-sided, doubled for a two-sided design.
    Raises ValueError for more looks than planned or a design of fixed bounds.
    """
    require_design(design)
    statistics = numbers("z", z, at_most=design.looks)
    return min(_repeated_p(value, look, design) for look, value in enumerate(statistics))


def _stopping_statistic(z: ArrayLike, look: int, design: Design) -> float:
    path = numbers("z", z)
    if path.size not in (1, look):
        msg = f"z holds {path.size} values at look {look}; allowed are 1 (this look's) or {look} (all so far)."
        raise ValueError(msg)
    low = design.lower if design.binding or design.sides == 2 else np.full(design.looks, -inf)
    if path.size > 1:
        crossed = (path[:-1] >= design.upper[: look - 1]) | (path[:-1] <= low[: look - 1])
        if crossed.any():
            first = int(np.argmax(crossed)) + 1
            msg = f"the rule stopped the trial at look {first}; look {look} came after it."
            raise ValueError(msg)
    last = float(path[-1])
    if look < design.looks and design.lower[look - 1] < last < design.upper[look - 1]:
        msg = f"z {last} crosses no bound at look {look}; call design.update if the trial ended here anyway."
        raise ValueError(msg)
    return last


def _as_extreme(z: float, look: int, design: Design, drift: float) -> float:
    """Probability, at a drift, of an outcome at least as far up in the stage-wise ordering."""
    paths, total = start(), 0.0
    lower = design.lower if design.binding or design.sides == 2 else np.full(design.looks, -inf)
    for number in range(look - 1):
        time = float(design.timing[number])
        total += above(paths, time, drift, design.upper[number])
        region = (float(lower[number]), float(design.upper[number]))
        paths = carry(paths, time, drift, region, float(design.timing[number + 1]))
    return total + above(paths, float(design.timing[look - 1]), drift, z)


def _repeated_p(z: float, look: int, design: Design) -> float:
    """The alpha at which the bound of this look (counted from 0) is just z; futility bounds do not help."""
    statistic = abs(z) if design.sides == 2 else z
    family = design.efficacy
    if isinstance(family, FixedBounds):
        raise ValueError(  # noqa: TRY004 the design is of the right type, its bounds are not
            "design has fixed bounds, which say nothing at another alpha; choose a family or spending."
        )
    if isinstance(family, Shape):
        level = _cost_of_shape(family, statistic, look, design)
    else:
        level = _level_spent(family, statistic, look, design)
    return min(max(level, _SMALLEST_LEVEL), _LARGEST_LEVEL) * design.sides


def _cost_of_shape(family: Shape, z: float, look: int, design: Design) -> float:
    """A shape is known from one of its bounds, so its error is one integration away."""
    shape = family.at(design.timing)
    upper = shape * (z / shape[look])
    if z <= 0:
        return _LARGEST_LEVEL
    lower = -upper if design.sides == 2 else np.full_like(upper, -inf)
    return float(crossing(design.timing, upper, lower, 0.0)[0].sum())


def _level_spent(family: Spending, z: float, look: int, design: Design) -> float:
    """The level whose spending puts the bound of this look at z; searched on the probit scale, nearly
    linear.
    """
    timing = design.timing[: look + 1]

    def excess(probit: float) -> float:
        level = float(ndtr(probit))
        rule = efficacy_rule(family, timing, design.spending_time[: look + 1], level)
        upper, _ = solve(Plan(timing, level, design.sides, rule, None, binding=False), 0.0)
        return min(float(upper[-1]), 40.0) - z

    low, high = float(ndtri(_SMALLEST_LEVEL)), float(ndtri(_LARGEST_LEVEL))
    if excess(high) >= 0:
        return _LARGEST_LEVEL
    if excess(low) <= 0:
        return _SMALLEST_LEVEL
    return float(ndtr(brentq(excess, low, high, xtol=1e-10)))
