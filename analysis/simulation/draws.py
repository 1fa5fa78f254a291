"""Distributions drawn by inverting their distribution function.

One uniform number gives one value, whatever the parameters: so the two arms use the same random
numbers, and the difference between a participant's two possible courses is due to the arm alone.
"""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .parameters import LogNormal, NegativeBinomial, Normal, Truncated

FloatArray = NDArray[np.float64]
Key = TypeVar("Key", bound=str)

_TINY = 1e-12  # keeps a uniform number away from 0 and 1, where the normal quantile is infinite


def normal(uniform: float, law: Normal) -> float:
    """A normal value at the given probability."""
    return float(law.mean + law.sd * special.ndtri(min(max(uniform, _TINY), 1 - _TINY)))


def truncated(uniform: float, law: Truncated) -> float:
    """A truncated normal value at the given probability; between `low` and `high`."""
    low, high = special.ndtr([(law.low - law.mean) / law.sd, (law.high - law.mean) / law.sd])
    inside = min(max(low + uniform * (high - low), _TINY), 1 - _TINY)
    return float(min(max(law.mean + law.sd * special.ndtri(inside), law.low), law.high))


def lognormal(uniform: float, law: LogNormal) -> float:
    """A log-normal value at the given probability."""
    return float(law.median * np.exp(normal(uniform, Normal(mean=0, sd=law.log_sd))))


def choice(uniform: float, shares: Mapping[Key, float]) -> Key:
    """The key in whose share of the unit interval the number falls; shares need not sum to 1."""
    edges = np.cumsum(list(shares.values()))
    position = int(np.searchsorted(edges, uniform * edges[-1], side="right"))
    return list(shares)[min(position, len(edges) - 1)]


def negative_binomial(uniform: FloatArray, law: NegativeBinomial) -> FloatArray:
    """Counts at the given probabilities (any shape), with mean and size as in variance = m + m^2/size."""
    from scipy import stats  # noqa: PLC0415 - slow to load, and not all that draws draws counts

    counts: FloatArray = stats.nbinom.ppf(uniform, law.size, law.size / (law.size + law.mean))
    return counts


def expit(logit: float) -> float:
    """The probability that belongs to a logit."""
    return float(special.expit(logit))


def clipped_round(values: FloatArray | float, low: FloatArray | float, high: FloatArray | float) -> FloatArray:
    """Values rounded to integers and kept within the response set."""
    rounded: FloatArray = np.clip(np.rint(values), low, high)
    return rounded
