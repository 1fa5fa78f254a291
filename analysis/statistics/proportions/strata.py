"""Two proportions within strata: Mantel and Haenszel."""

from dataclasses import dataclass
from math import exp, inf, log, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from scipy.stats import chi2

from analysis.statistics.arguments import floats, quantile
from analysis.statistics.estimate import Estimate

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class StratifiedResult:
    """Common effects over strata and the Cochran-Mantel-Haenszel test (1 df).

    odds_ratio: se on the log scale; p belongs to chi_square, the one without continuity correction. The correction
    is one half, and none where observed and expected are less than that apart.
    """

    odds_ratio: Estimate
    chi_square: float
    chi_square_continuity: float
    p: float
    risk_difference: Estimate


def stratified(tables: ArrayLike, *, level: float = 0.95) -> StratifiedResult:
    """Mantel-Haenszel odds ratio and risk difference over strata.

    tables (S, 2, 2): stratum x (active, control) x (yes, no), whole numbers. A stratum without one of the
    arms carries no information and is passed over. With no discordant pair the odds ratio is infinite or
    nan and its interval nan. Raises ValueError for another shape, counts that are no counts, or no stratum
    with both arms. Reference: Robins, Breslow & Greenland (1986), Biometrics 42:311 (variance of the log
    odds ratio); Sato (1989), Biometrics 45:1323 (variance of the risk difference).
    """
    counts = _informative(tables)
    z = quantile(level)
    statistic, continuity = _cmh(counts)
    p = float(chi2.sf(statistic, 1))
    return StratifiedResult(_common_odds_ratio(counts, z, p), statistic, continuity, p, _common_difference(counts, z))


def _informative(tables: ArrayLike) -> FloatArray:
    counts = floats("tables", tables)
    if counts.ndim != 3 or counts.shape[1:] != (2, 2):
        msg = f"tables has shape {counts.shape}; allowed is (strata, 2, 2): (active, control) x (yes, no)."
        raise ValueError(msg)
    if not np.all(np.isfinite(counts)) or np.any(counts < 0) or np.any(counts != np.round(counts)):
        raise ValueError("tables holds values that are no counts; allowed are whole numbers from 0.")
    both_arms = counts.sum(axis=2).min(axis=1) > 0
    if not both_arms.any():
        raise ValueError("tables holds no stratum with both arms; at least one is needed.")
    informative: FloatArray = counts[both_arms]
    return informative


def _cmh(counts: FloatArray) -> tuple[float, float]:
    size, arms, answers = counts.sum(axis=(1, 2)), counts.sum(axis=2), counts.sum(axis=1)
    excess = float((counts[:, 0, 0] - arms[:, 0] * answers[:, 0] / size).sum())
    variance = float((arms.prod(axis=1) * answers.prod(axis=1) / (size**2 * (size - 1))).sum())
    if variance == 0:
        return 0.0, 0.0
    # Under one half there is nothing to move towards 0: no correction, as R's mantelhaen.test.
    correction = 0.5 if abs(excess) >= 0.5 else 0.0
    return excess**2 / variance, (abs(excess) - correction) ** 2 / variance


def _common_odds_ratio(counts: FloatArray, z: float, p: float) -> Estimate:
    size = counts.sum(axis=(1, 2))
    concordant = counts[:, 0, 0] * counts[:, 1, 1] / size
    discordant = counts[:, 0, 1] * counts[:, 1, 0] / size
    share = (counts[:, 0, 0] + counts[:, 1, 1]) / size
    r, s = float(concordant.sum()), float(discordant.sum())
    if r == 0 or s == 0:
        return Estimate(nan if r == s else (inf if s == 0 else 0.0), nan, nan, nan, p=p)
    variance = float(
        (share * concordant).sum() / (2 * r * r)
        + (share * discordant + (1 - share) * concordant).sum() / (2 * r * s)
        + ((1 - share) * discordant).sum() / (2 * s * s)
    )
    centre, se = log(r / s), sqrt(variance)
    return Estimate(r / s, se, exp(centre - z * se), exp(centre + z * se), p=p)


def _common_difference(counts: FloatArray, z: float) -> Estimate:
    size, arms, yes = counts.sum(axis=(1, 2)), counts.sum(axis=2), counts[:, :, 0]
    n1, n0, x1, x0 = arms[:, 0], arms[:, 1], yes[:, 0], yes[:, 1]
    weight = n1 * n0 / size
    difference = float(((x1 * n0 - x0 * n1) / size).sum() / weight.sum())
    p_terms = (n1**2 * x0 - n0**2 * x1 + n1 * n0 * (n0 - n1) / 2) / size**2
    q_terms = (x1 * (n0 - x0) + x0 * (n1 - x1)) / (2 * size)
    variance = float((difference * p_terms.sum() + q_terms.sum()) / weight.sum() ** 2)
    se = sqrt(max(variance, 0.0))
    statistic = difference / se if se > 0 else nan
    p = float(2 * ndtr(-abs(statistic)))
    return Estimate(difference, se, difference - z * se, difference + z * se, statistic=statistic, p=p)
