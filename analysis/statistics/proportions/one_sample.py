"""Intervals for one proportion."""

from math import sqrt
from typing import NamedTuple

from scipy.stats import beta

from analysis.statistics.arguments import quantile
from analysis.statistics.proportions.counts import OneSampleMethod, one_of, responders_of


class Interval(NamedTuple):
    """Lower and upper limit."""

    lower: float
    upper: float


def interval(x: float, n: float, *, method: OneSampleMethod = "clopper_pearson", level: float = 0.95) -> Interval:
    """Two-sided interval of a proportion: x responders of n.

    "clopper_pearson" exact; "wilson" score; "wilson_continuity" with continuity correction; "agresti_coull"
    (not cut at 0 or 1); "jeffreys" equal-tailed posterior under Beta(1/2, 1/2), 0 at x = 0 and 1 at x = n.
    Raises ValueError naming the argument. Reference: Brown, Cai & DasGupta (2001), Statist Sci 16:101;
    Newcombe (1998), Stat Med 17:857.
    """
    x, n = responders_of("x", x, "n", n)
    one_of(OneSampleMethod, method)
    z = quantile(level)
    match method:
        case "clopper_pearson":
            return _beta_tails(x, n, level, below=(0, 1), above=(1, 0))
        case "jeffreys":
            return _beta_tails(x, n, level, below=(0.5, 0.5), above=(0.5, 0.5))
        case "agresti_coull":
            return _agresti_coull(x, n, z)
        case "wilson_continuity":
            # The correction is at most the distance to one half, as in a test of p = 1/2.
            return wilson(x, n, z, correction=min(0.5, abs(x - n / 2)))
    return wilson(x, n, z)


def wilson(x: int, n: int, z: float, *, correction: float = 0.0) -> Interval:
    """Wilson's score interval; the correction moves the count outwards on each side."""
    return Interval(
        0.0 if x == 0 else _wilson_limit(x - correction, n, z, -1.0),
        1.0 if x == n else _wilson_limit(x + correction, n, z, 1.0),
    )


def _wilson_limit(count: float, n: int, z: float, side: float) -> float:
    p = count / n
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (p + z * z / (2 * n) + side * half) / (1 + z * z / n)


def _agresti_coull(x: int, n: int, z: float) -> Interval:
    size = n + z * z
    centre = (x + z * z / 2) / size
    half = z * sqrt(centre * (1 - centre) / size)
    return Interval(centre - half, centre + half)


def _beta_tails(x: int, n: int, level: float, *, below: tuple[float, float], above: tuple[float, float]) -> Interval:
    """Beta quantiles; `below` and `above` are added to the counts of responders and others for each limit."""
    tail = (1 - level) / 2
    lower = 0.0 if x == 0 else float(beta.ppf(tail, x + below[0], n - x + below[1]))
    upper = 1.0 if x == n else float(beta.isf(tail, x + above[0], n - x + above[1]))
    return Interval(lower, upper)
