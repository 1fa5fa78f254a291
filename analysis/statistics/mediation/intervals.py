"""Intervals from draws: percentiles, and Efron's with correction for bias and acceleration."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from analysis.statistics.estimate import Estimate

FloatArray = NDArray[np.float64]
Interval = Literal["percentile", "bca"]


def from_draws(value: float, draws: FloatArray, level: float, left_out: FloatArray | None = None) -> Estimate:
    """An estimate with the interval of its draws (B,); se is their SD, p twice the smaller share beyond 0, with the
    estimate itself counted as a draw so that it is never 0 (Davison & Hinkley 1997, equation 4.11).

    With `left_out` (n,), the estimates without each participant, the interval is BCa (Efron 1987, JASA 82:171).
    """
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if left_out is not None:
        tails = _corrected(tails, value, draws, left_out)
    lower, upper = np.quantile(draws, tails)
    p = 2 * (1 + min(int((draws > 0).sum()), int((draws < 0).sum()))) / (1 + len(draws))
    return Estimate(value, float(draws.std(ddof=1)), float(lower), float(upper), p=min(p, 1.0))


def _corrected(tails: FloatArray, value: float, draws: FloatArray, left_out: FloatArray) -> FloatArray:
    # Half of the draws at the estimate itself count as below it; at least half a draw lies on each side.
    share = ((draws < value).sum() + (draws == value).sum() / 2) / len(draws)
    bias = float(ndtri(np.clip(share, 0.5 / len(draws), 1 - 0.5 / len(draws))))
    away = left_out.mean() - left_out
    acceleration = float((away**3).sum() / (6 * (away**2).sum() ** 1.5)) if away.any() else 0.0
    moved = bias + ndtri(tails)
    return np.asarray(ndtr(bias + moved / (1 - acceleration * moved)))
