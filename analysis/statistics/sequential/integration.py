"""The joint distribution of the statistics at the looks of a trial, integrated look by look.

Between looks the score B(t) = Z(t) sqrt(t) is a Brownian motion with drift: from look to look it gains a
normal increment with mean drift x dt and variance dt, t being the information fraction and `drift` the
expected Z at full information. The sub-density of B over the paths that are still running is carried from
one look to the next by Gauss-Legendre quadrature over the continuation region (Armitage, McPherson & Rowe
1969, JRSS A 132:235; Jennison & Turnbull 2000, Group Sequential Methods, chapter 19).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, exp, inf, pi, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

FloatArray = NDArray[np.float64]

# The normal density beyond 9 standard deviations holds less than 1e-18.
_REACH = 9.0
# Points per kernel width and to start with: the quadrature error stays below 1e-12, looks 0.01 to 0.9 apart.
_POINTS_PER_WIDTH = 2.0
_POINTS_AT_LEAST = 16
_POINTS_AT_MOST = 4096


@dataclass(frozen=True, slots=True)
class Paths:
    """The trials still running after a look: where their scores are and with what probability.

    `position` (n,) are quadrature nodes on the score scale, `mass` (n,) probability per node; both are empty
    when no path can still be running. `origin` is the (time, score) all paths started from.
    """

    time: float
    position: FloatArray
    mass: FloatArray
    origin: tuple[float, float]


def start(time: float = 0.0, score: float = 0.0) -> Paths:
    """All paths at one known score: the beginning of the trial, or an interim look that has been seen."""
    return Paths(time, np.array([score]), np.array([1.0]), (time, score))


def above(paths: Paths, time: float, drift: float, z: float) -> float:
    """Probability that a path is still running and its statistic at `time` exceeds z."""
    gain = time - paths.time
    return float(paths.mass @ ndtr((paths.position + (drift * gain - z * sqrt(time))) / sqrt(gain)))


def below(paths: Paths, time: float, drift: float, z: float) -> float:
    """Probability that a path is still running and its statistic at `time` lies under z."""
    gain = time - paths.time
    return float(paths.mass @ ndtr((z * sqrt(time) - drift * gain - paths.position) / sqrt(gain)))


def bound_above(paths: Paths, time: float, drift: float, probability: float) -> float:
    """The z that a running path exceeds at `time` with this probability.

    Infinite when the probability is 0, minus infinity when fewer paths than that are still running.
    """
    if probability <= 0:
        return inf
    if probability >= paths.mass.sum():
        return -inf
    return _quantile(paths, time, drift, probability, upper=True)


def bound_below(paths: Paths, time: float, drift: float, probability: float) -> float:
    """The z that a running path lies under at `time` with this probability.

    Minus infinity when the probability is 0, infinity when fewer paths than that are still running.
    """
    if probability <= 0:
        return -inf
    if probability >= paths.mass.sum():
        return inf
    return _quantile(paths, time, drift, probability, upper=False)


def carry(paths: Paths, time: float, drift: float, region: tuple[float, float], following: float | None) -> Paths:
    """The paths whose statistic at `time` lies inside `region` (lower, upper on the z scale).

    `following` is the time of the next look (None after the last): the closer it is, the finer the nodes.
    """
    low, high = _reachable(paths, time, drift, region)
    if low >= high or paths.mass.size == 0:
        return Paths(time, np.empty(0), np.empty(0), paths.origin)
    gain = time - paths.time
    width = sqrt(gain if following is None else min(gain, following - time))
    points, weights = _legendre(_number_of_points((high - low) / width))
    position = 0.5 * (high - low) * points + 0.5 * (high + low)
    distance = position[:, None] - (paths.position + drift * gain)[None, :]
    density = np.exp(distance * distance * (-0.5 / gain)) @ paths.mass / sqrt(2 * pi * gain)
    return Paths(time, position, density * weights * (0.5 * (high - low)), paths.origin)


def root(probability: Callable[[float], float], target: float, first: float, second: float) -> float:
    """The x at which a monotone probability takes the value `target`, near the two guesses.

    The secant runs on the probit scale, where such curves are almost straight; a bracket is the way out when
    it leaves the straight part.
    """
    goal = float(ndtri(target))

    def miss(x: float) -> float:
        # Rounding can leave a probability a hair outside (0, 1).
        return float(ndtri(min(max(probability(x), 1e-300), 1 - 1e-16))) - goal

    x0, x1, y0, y1 = first, second, miss(first), miss(second)
    for _ in range(12):
        if abs(y1) < 1e-11 or y1 == y0:
            break
        step = -y1 * (x1 - x0) / (y1 - y0)
        if abs(step) > 2.0:
            break
        x0, y0, x1 = x1, y1, x1 + step
        y1 = miss(x1)
    return x1 if abs(y1) < 1e-9 else _bracketed(miss, min(first, second), max(first, second))


def _quantile(paths: Paths, time: float, drift: float, probability: float, *, upper: bool) -> float:
    """Newton's method on the probit of a tail probability, which is nearly linear in z."""
    tail_beyond, sign = (above, -1.0) if upper else (below, 1.0)

    def curve(z: float) -> float:
        return tail_beyond(paths, time, drift, z)

    goal = float(ndtri(probability))
    z = sign * goal + drift * sqrt(time) if paths.position.size == 1 else sign * max(goal, -8.0)
    for _ in range(60):
        tail = curve(z)
        if not 1e-300 < tail < 1 - 1e-15:
            break
        probit = float(ndtri(tail))
        slope = _density(paths, time, drift, z) * sqrt(2 * pi) * exp(min(0.5 * probit * probit, 700.0))
        if slope <= 0:
            break
        step = sign * (goal - probit) / slope
        z += min(max(step, -2.0), 2.0)
        if abs(step) < 1e-11:
            return z
    return _bracketed(lambda x: curve(x) - probability, -9.0, 9.0)


def _density(paths: Paths, time: float, drift: float, z: float) -> float:
    """Sub-density of the statistic at `time`, per unit of z."""
    gain = time - paths.time
    distance = z * sqrt(time) - drift * gain - paths.position
    return float(np.exp(distance * distance * (-0.5 / gain)) @ paths.mass) * sqrt(time / (2 * pi * gain))


def _bracketed(curve: Callable[[float], float], low: float, high: float) -> float:
    """A sign change found by widening [low, high], then Brent's method."""
    for _ in range(12):
        if curve(low) * curve(high) <= 0:
            return float(brentq(curve, low, high, xtol=1e-12))
        low, high = low - (high - low) / 2, high + (high - low) / 2
    raise ArithmeticError("No solution: the probability asked for is not reached by any bound or drift.")


def _reachable(paths: Paths, time: float, drift: float, region: tuple[float, float]) -> tuple[float, float]:
    """The part of the region, on the score scale, that holds more than a negligible probability."""
    since = time - paths.origin[0]
    centre = paths.origin[1] + drift * since
    low = max(region[0] * sqrt(time), centre - _REACH * sqrt(since))
    high = min(region[1] * sqrt(time), centre + _REACH * sqrt(since))
    return low, high


def _number_of_points(widths: float) -> int:
    points = 8 * ceil((_POINTS_AT_LEAST + _POINTS_PER_WIDTH * widths) / 8)
    if points > _POINTS_AT_MOST:
        msg = f"timing holds two looks too close: {points} nodes needed, at most {_POINTS_AT_MOST}."
        raise ValueError(msg)
    return points


@lru_cache(maxsize=64)
def _legendre(points: int) -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(points)
    return nodes, weights
