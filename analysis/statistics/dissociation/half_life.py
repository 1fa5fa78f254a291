"""How fast effects fade: half-lives of exponential decay, and their ratio between two dimensions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.arguments import at_least, floats, require_generator, require_level
from analysis.statistics.columns import numbers, require_columns
from analysis.statistics.estimate import Estimate

FloatArray = NDArray[np.float64]
SHORTEST, LONGEST = 0.5, 400.0
_GRID = 200
_ZOOMS = 6


@dataclass(frozen=True)
class HalfLife:
    """Of one dimension: effect at day 0 in SDs, half-life in days, and whether it lies at a bound of either."""

    amplitude: float
    days: float
    at_bound: bool


@dataclass(frozen=True)
class HalfLives:
    """log_ratio: log of the first half-life over the second, percentile interval; share_at_bound: of the draws, those
    with a half-life at 0.5 or 400 days or an effect of 0. Bounds are part of the interval, never dropped.
    """

    first: HalfLife
    second: HalfLife
    log_ratio: Estimate
    share_at_bound: float


def half_life_ratio(
    curves: pd.DataFrame,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    covariance: ArrayLike | None = None,
    resampled: ArrayLike | None = None,
    first: Any = "S",
    second: Any = "Q",
    level: float = 0.95,
) -> HalfLives:
    """Fit delta(t) = A 2^(-t / h) to each dimension's effects and compare the half-lives.

    curves: dimension, day (>= 1), estimate, se, as `joint_model` gives them; weighted least squares with A >= 0 and
    0.5 <= h <= 400 days. Where A is 0 there is nothing to halve: h is then the shortest. The interval is that of
    `draws` curves around the estimates, with `covariance` (n, n) between the rows of curves (a joint model's
    curve_covariance), else independent by se; or of the curves `resampled` (draws, n), as `bootstrap` gives them.
    Raises ValueError naming the argument.
    """
    require_level(level)
    require_columns(curves, ["dimension", "day", "estimate", "se"])
    at_least("draws", draws, 100)
    require_generator(rng)
    spread = numbers(curves["se"], "se")
    if not (spread > 0).all() or curves.duplicated(["dimension", "day"]).any():
        raise ValueError("curves must hold se above 0 in every row, and one row per dimension and day.")
    center = numbers(curves["estimate"], "estimate")
    error = np.diag(spread**2) if covariance is None else floats("covariance", covariance)
    if error.shape != (len(curves), len(curves)) or not (np.isfinite(error).all() and np.isfinite(center).all()):
        raise ValueError(f"covariance has shape {error.shape} for {len(curves)} rows of curves; give finite numbers.")
    if resampled is None:
        around = rng.multivariate_normal(center, error, draws, method="eigh")
    else:
        around = floats("resampled", resampled)
    if around.ndim != 2 or around.shape[1] != len(curves) or len(around) < 100 or not np.isfinite(around).all():
        raise ValueError(
            f"resampled has shape {around.shape}; allowed are 100 curves or more of {len(curves)} numbers."
        )
    drawn = np.concatenate([center[None], around])
    fits = [_decay(curves, drawn, dimension) for dimension in (first, second)]
    ratio = np.log(fits[0][1] / fits[1][1])
    at_bound = fits[0][2] | fits[1][2]
    lower, upper = np.quantile(ratio[1:], [(1 - level) / 2, (1 + level) / 2])
    halves = [HalfLife(float(size[0]), float(days[0]), bool(bound[0])) for size, days, bound in fits]
    return HalfLives(
        halves[0],
        halves[1],
        Estimate(float(ratio[0]), float(ratio[1:].std(ddof=1)), float(lower), float(upper)),
        float(at_bound[1:].mean()),
    )


def _decay(curves: pd.DataFrame, drawn: FloatArray, dimension: Any) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Amplitude, half-life and whether at a bound, for every draw of the curves (draws, n)."""
    mine = ((curves["dimension"] == dimension) & (curves["day"] >= 1)).to_numpy()
    if mine.sum() < 2:
        raise ValueError(f"dimension {dimension!r} has {mine.sum()} days from day 1 on; two or more are needed.")
    day = curves["day"].to_numpy(dtype=float)[mine]
    weight = 1 / curves["se"].to_numpy(dtype=float)[mine] ** 2
    values = drawn[:, mine]
    low = np.full(len(values), np.log(SHORTEST))
    high = np.full(len(values), np.log(LONGEST))
    for _ in range(_ZOOMS):
        grid = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _GRID)
        best = _gain(values, day, weight, grid).argmax(axis=1)
        rows = np.arange(len(values))
        low, high = grid[rows, np.maximum(best - 1, 0)], grid[rows, np.minimum(best + 1, _GRID - 1)]
    half = np.exp(np.where(best == 0, low, np.where(best == _GRID - 1, high, (low + high) / 2)))
    shape = 2.0 ** (-day / half[:, None])
    amplitude = np.maximum((weight * values * shape).sum(axis=1) / (weight * shape**2).sum(axis=1), 0.0)
    half = np.where(amplitude == 0, SHORTEST, half)
    return amplitude, half, (half <= SHORTEST * 1.001) | (half >= LONGEST / 1.001)


def _gain(values: FloatArray, day: FloatArray, weight: FloatArray, log_half: FloatArray) -> FloatArray:
    """How much of the weighted sum of squares the best amplitude >= 0 explains, for half-lives (draws, grid)."""
    shape = 2.0 ** (-day / np.exp(log_half)[..., None])
    with_data = np.einsum("dgt,dt->dg", shape, weight * values)
    return np.asarray(np.maximum(with_data, 0.0) ** 2 / (shape**2 @ weight))
