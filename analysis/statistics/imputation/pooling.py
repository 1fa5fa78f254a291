"""Rubin's rules for multiple imputation."""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from analysis.statistics.arguments import floats, is_number, require_level
from analysis.statistics.estimate import Estimate


def pool(
    estimates: ArrayLike, variances: ArrayLike, *, complete_df: float | None = None, level: float = 0.95
) -> Estimate:
    """Rubin's rules: m estimates (m,) with their squared standard errors (m,), from m imputations.

    `complete_df`: degrees of freedom had nothing been missing, None for infinitely many. Raises ValueError for
    fewer than two, unequal numbers, or values that are not finite and variances not above 0. References: Rubin
    (1987), section 3.3; Barnard & Rubin (1999), Biometrika 86:948.
    """
    require_level(level)
    found, within = floats("estimates", estimates), floats("variances", variances)
    if found.ndim != 1 or found.size < 2 or found.shape != within.shape or not np.isfinite(found).all():
        raise ValueError(f"estimates {found.shape} and variances {within.shape} must be as many finite numbers, >= 2.")
    if not (np.isfinite(within).all() and (within > 0).all()):
        raise ValueError("variances holds a value that is not above 0.")
    if complete_df is not None and not (is_number(complete_df) and complete_df > 0):
        raise ValueError(f"complete_df is {complete_df!r}; allowed are numbers above 0, or None.")
    between = float(found.var(ddof=1)) * (1 + 1 / found.size)
    total = float(within.mean()) + between
    share = between / total
    old = (found.size - 1) / share**2 if share > 0 else np.inf
    df = old
    if complete_df is not None:
        seen = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
        df = seen if np.isinf(old) else old * seen / (old + seen)
    centre, se = float(found.mean()), sqrt(total)
    width = float(student.ppf((1 + level) / 2, df)) * se
    p = float(2 * student.sf(abs(centre) / se, df))
    return Estimate(centre, se, centre - width, centre + width, float(df), centre / se, p)
