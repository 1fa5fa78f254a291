"""Rank comparisons of two samples: Mann-Whitney, and the shift of Hodges and Lehmann.

SciPy gives the asymptotic test and the exact one without ties; the exact distribution with ties is worked
out here.
"""

from dataclasses import dataclass
from math import floor, nan, sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import mannwhitneyu, rankdata

from analysis.statistics.arguments import floats, require_level
from analysis.statistics.estimate import Estimate

FloatArray = NDArray[np.float64]
# The table of ways grows with the cube of the sample; at 250 values it takes a few seconds.
_LARGEST_EXACT = 250


@dataclass(frozen=True)
class RankTest:
    """u: Mann-Whitney statistic of x, ties half; p two-sided; probability_superiority: P(x > y) + P(x = y) /
    2.
    """

    u: float
    p: float
    probability_superiority: float


def mann_whitney(
    x: ArrayLike,
    y: ArrayLike,
    *,
    method: Literal["asymptotic", "exact"] = "asymptotic",
    continuity: bool = True,
) -> RankTest:
    """Two-sided rank-sum test of x (m,) against y (n,).

    "asymptotic": normal, variance corrected for ties, with or without continuity correction. "exact": the
    permutation distribution of the mid-ranks, ties included; p is the probability of a rank sum at least as
    far from its mean. At most 250 values in all. Raises ValueError naming the argument. Reference: Mann &
    Whitney (1947), Ann Math Stat 18:50; Hollander & Wolfe (1999), section 4.1.
    """
    first, second = _sample("x", x), _sample("y", y)
    if method not in ("asymptotic", "exact"):
        msg = f"method is {method!r}; allowed are asymptotic, exact."
        raise ValueError(msg)
    ranks = rankdata(np.concatenate([first, second]))
    pairs = first.size * second.size
    u = float(ranks[: first.size].sum() - first.size * (first.size + 1) / 2)
    if method == "exact":
        p = _exact_p(ranks, first.size)
    elif np.all(ranks == ranks[0]):
        p = 1.0
    else:
        p = float(mannwhitneyu(first, second, method="asymptotic", use_continuity=continuity).pvalue)
    return RankTest(u, p, u / pairs)


def hodges_lehmann(
    x: ArrayLike,
    y: ArrayLike,
    *,
    method: Literal["large_sample", "exact"] = "large_sample",
    level: float = 0.95,
) -> Estimate:
    """Shift between two samples: the median of all differences x - y, with an interval from their order.

    "large_sample": leaves out C differences at each end, C = mn/2 - z sqrt(mn (m + n + 1) / 12) rounded
    down, no correction for ties; "exact": by the exact distribution of the rank sum, which needs samples
    without ties. When the samples are too small for the level, the interval is that of all differences. se
    is nan. Raises ValueError naming the argument. Reference: Hodges & Lehmann (1963), Ann Math Stat 34:598.
    """
    first, second = _sample("x", x), _sample("y", y)
    if method not in ("large_sample", "exact"):
        msg = f"method is {method!r}; allowed are large_sample, exact."
        raise ValueError(msg)
    require_level(level)
    differences = np.sort(np.subtract.outer(first, second).ravel())
    tail = (1 - level) / 2
    if method == "exact":
        rank = _exact_rank(first, second, tail)
    else:
        pairs = differences.size
        spread = sqrt(pairs * (first.size + second.size + 1) / 12)
        rank = floor(pairs / 2 + float(ndtri(tail)) * spread) + 1
    rank = max(rank, 1)
    return Estimate(float(np.median(differences)), nan, float(differences[rank - 1]), float(differences[-rank]))


def _sample(name: str, values: ArrayLike) -> FloatArray:
    sample = floats(name, values)
    if sample.ndim != 1 or sample.size == 0 or not np.all(np.isfinite(sample)):
        msg = f"{name} holds missing values or none; allowed is a list of finite numbers, at least one."
        raise ValueError(msg)
    return sample


def _exact_p(ranks: FloatArray, size: int) -> float:
    sums, probability = _rank_sums(ranks, size)
    distance = np.abs(sums - size * ranks.mean())
    observed = abs(ranks[:size].sum() - size * ranks.mean())
    return min(float(probability[distance >= observed - 1e-9].sum()), 1.0)


def _exact_rank(first: FloatArray, second: FloatArray, tail: float) -> int:
    """The lower quantile of U: the smallest u with P(U <= u) >= tail."""
    both = np.concatenate([first, second])
    if np.unique(both).size < both.size:
        raise ValueError("x and y hold ties, for which there is no exact interval; choose method large_sample.")
    sums, probability = _rank_sums(rankdata(both), first.size)
    u = sums - first.size * (first.size + 1) / 2
    return round(float(u[np.searchsorted(probability.cumsum(), tail * (1 - 1e-12))]))


def _rank_sums(ranks: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """All sums of `size` of the ranks, ascending, with their probabilities when each choice is as likely.

    Counts are built up one rank at a time: with a further rank r, the ways to choose k of them with sum s
    grow by the ways to choose k - 1 with sum s - r. Ranks are doubled, so that mid-ranks are whole.
    """
    if ranks.size > _LARGEST_EXACT:
        msg = f"x and y hold {ranks.size} values; exact allows {_LARGEST_EXACT}, choose the other method."
        raise ValueError(msg)
    doubled = np.sort(np.round(2 * ranks).astype(int))
    largest = int(doubled[-size:].sum())
    ways = np.zeros((size + 1, largest + 1))
    ways[0, 0] = 1.0
    for rank in doubled:
        # The right side is worked out before it is added, so no rank is chosen twice.
        ways[1:, rank:] += ways[:-1, : largest + 1 - rank]
    counts = ways[size]
    possible = np.flatnonzero(counts)
    return possible / 2, counts[possible] / counts.sum()
