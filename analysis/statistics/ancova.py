"""Comparisons at one time: analysis of covariance, standardised differences and the two-period crossover.

Least squares are statsmodels'; the tables of means and contrasts are ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, lgamma, sqrt
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import statsmodels.api as sm
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import nctdtrinc
from scipy.stats import chi2
from scipy.stats import t as student

from analysis.statistics.arguments import floats, require_level
from analysis.statistics.columns import (
    Covariate,
    FloatArray,
    arm_levels,
    codes,
    column_names,
    complete_rows,
    covariate,
    indicators,
    levels,
    numbers,
    require_columns,
    require_full_rank,
)
from analysis.statistics.estimate import Estimate

Robust = Literal["HC0", "HC2", "HC3"]
MeansOver = Literal["rows_given", "rows_fitted"]
# Below this share of the values themselves a spread is rounding.
_NO_SPREAD = 1e-12
_NORMAL_NODES, _NORMAL_WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
_NORMAL_WEIGHTS = _NORMAL_WEIGHTS / _NORMAL_WEIGHTS.sum()


@dataclass(frozen=True)
class AncovaFit:
    """coefficients: DataFrame term, estimate, se, df, t, p, lower, upper; residual_sd: of least squares, in units
    of the response; rows_left_out: rows with a missing value.
    """

    coefficients: pd.DataFrame
    residual_sd: float
    r_squared: float
    observations: int
    rows_left_out: int
    _arms: list[Any] = field(repr=False)
    _beta: FloatArray = field(repr=False)
    _variance: FloatArray = field(repr=False)
    _mean_row: FloatArray = field(repr=False)
    _df: float = field(repr=False)
    _level: float = field(repr=False)

    def ls_means(self) -> pd.DataFrame:
        """Adjusted means: arm, estimate, se, df, lower, upper; factors equally weighted, numbers as `fit` says."""
        rows = np.stack([self._row(place) for place in range(len(self._arms))])
        table = _table(rows @ self._beta, _se(rows, self._variance), self._df, self._level)
        table.insert(0, "arm", self._arms)
        return table.drop(columns=["t", "p"])

    def contrasts(self) -> pd.DataFrame:
        """Every arm against the reference: arm, estimate, se, df, t, p, lower, upper."""
        rows = np.stack([self._row(place) - self._row(0) for place in range(1, len(self._arms))])
        table = _table(rows @ self._beta, _se(rows, self._variance), self._df, self._level)
        table.insert(0, "arm", self._arms[1:])
        return table

    def _row(self, arm: int) -> FloatArray:
        row = self._mean_row.copy()
        if arm:
            row[arm] = 1.0
        return row


@dataclass(frozen=True)
class StandardisedDifference:
    """Difference of means in units of the pooled SD: cohen_d, and hedges_g without its small-sample bias."""

    cohen_d: Estimate
    hedges_g: Estimate


@dataclass(frozen=True)
class CrossoverFit:
    """Active minus reference within participants: paired, and with the period effect taken out."""

    paired: Estimate
    period_adjusted: Estimate
    subjects: int
    subjects_left_out: int


def fit(
    frame: pd.DataFrame,
    *,
    response: str,
    arm: str,
    reference: Any,
    covariates: Sequence[str] = (),
    robust: Robust | None = None,
    means_over: MeansOver = "rows_given",
    level: float = 0.95,
) -> AncovaFit:
    """Analysis of covariance by least squares: response on arm and covariates, one row a participant.

    Strings and categories are factors (treatment contrasts, levels sorted unless an ordered categorical),
    numbers numeric. Rows with a missing response or covariate are left out and counted. `robust`: standard
    errors that allow unequal variances, on the same residual degrees of freedom. `means_over`: adjusted means
    are taken where numeric covariates have their mean over all rows with covariates, also those whose response
    is missing (as R's emmeans does), or over the rows fitted; contrasts are the same. Raises ValueError naming the
    argument: one arm only, a singular design, an infinite value, no residual degree of freedom. References:
    Searle, Speed & Milliken (1980), Am Stat 34:216 (means); MacKinnon & White (1985), J Econometrics 29:305
    (robust).
    """
    require_level(level)
    if robust is not None and robust not in get_args(Robust):
        raise ValueError(f"robust is {robust!r}; allowed are None, HC0, HC2, HC3.")
    if means_over not in get_args(MeansOver):
        raise ValueError(f"means_over is {means_over!r}; allowed are rows_given, rows_fitted.")
    covariates = column_names("covariates", covariates)
    rows = complete_rows(frame, response, [arm], covariates)
    arms = arm_levels(rows[arm], reference, arm)
    parts = [covariate(rows[name]) for name in covariates]
    design = np.column_stack(
        [np.ones(len(rows)), indicators(codes(rows[arm], arms), len(arms)), *(part.values for part in parts)]
    )
    terms = ["intercept", *(f"{arm}[{name}]" for name in arms[1:]), *(name for part in parts for name in part.names)]
    fitted = _least_squares(numbers(rows[response], "response"), design, terms)
    if sqrt(fitted.scale) <= _NO_SPREAD * np.abs(rows[response]).max():
        raise ValueError(
            f"response: column {response!r} is fitted without any error, as when it is constant; there is no variance "
            "to estimate, and allowed is a response that varies beyond what arm and covariates give."
        )
    if robust in ("HC2", "HC3"):
        _require_no_row_fitted_exactly(fitted, robust)
    described = rows if means_over == "rows_fitted" else frame.dropna(subset=list(covariates))
    variance = np.asarray(fitted.get_robustcov_results(robust).cov_params() if robust else fitted.cov_params())
    df = float(fitted.df_resid)
    table = _table(fitted.params, np.sqrt(np.diag(variance)), df, level)
    table.insert(0, "term", terms)
    return AncovaFit(
        table,
        sqrt(fitted.scale),
        float(fitted.rsquared),
        len(rows),
        len(frame) - len(rows),
        arms,
        np.asarray(fitted.params),
        variance,
        np.concatenate([[1.0], np.zeros(len(arms) - 1), *(_point(part, described) for part in parts)]),
        df,
        level,
    )


def standardised_difference(x: ArrayLike, y: ArrayLike, *, level: float = 0.95) -> StandardisedDifference:
    """Mean of x (m,) less mean of y (n,), in units of their pooled SD.

    Hedges' g is d times J = Gamma(f/2) / (sqrt(f/2) Gamma((f-1)/2)), f = m + n - 2. Intervals invert the
    noncentral t; se is that of Hedges & Olkin; p is of Student's test. Raises ValueError unless each sample
    has two finite values and there is some spread. References: Hedges (1981), J Educ Stat 6:107; Hedges &
    Olkin (1985), ch. 5; Steiger & Fouladi (1997).
    """
    require_level(level)
    first, second = _sample("x", x), _sample("y", y)
    df = first.size + second.size - 2
    pooled = sqrt((first.var(ddof=1) * (first.size - 1) + second.var(ddof=1) * (second.size - 1)) / df)
    if pooled <= _NO_SPREAD * max(np.abs(first).max(), np.abs(second).max()):
        raise ValueError("x and y hold no spread; a standardised difference needs values that differ.")
    d = float(first.mean() - second.mean()) / pooled
    root = sqrt(first.size * second.size / (first.size + second.size))
    lower, upper = (_noncentrality(df, tail, d * root) / root for tail in ((1 + level) / 2, (1 - level) / 2))
    se = sqrt(1 / root**2 + d**2 / (2 * (first.size + second.size)))
    p = float(2 * student.sf(abs(d) * root, df))
    unbias = exp(lgamma(df / 2) - lgamma((df - 1) / 2)) / sqrt(df / 2)
    return StandardisedDifference(
        *(Estimate(d * c, se * c, lower * c, upper * c, df, d * root, p) for c in (1.0, unbias))
    )


def _noncentrality(df: float, tail: float, t: float) -> float:
    """The noncentrality at which Student's t of df lies under t with this probability."""
    if abs(t) <= max(20.0, 2 * sqrt(2 * df)):
        return float(nctdtrinc(df, tail, t))
    if t < 0:
        return -_noncentrality(df, 1 - tail, -t)

    # SciPy's search loses digits here, and further out it does not end. With T = (Z + delta) / W, T <= t is
    # W >= (Z + delta) / t, whose probability is smooth in Z when t is large.
    def excess(delta: float) -> float:
        return float(_NORMAL_WEIGHTS @ chi2.sf(df * ((_NORMAL_NODES + delta) / t) ** 2, df)) - tail

    centre = t * sqrt(chi2.isf(tail, df) / df)
    return float(brentq(excess, centre - 10, centre + 10, xtol=1e-9))


def crossover(
    frame: pd.DataFrame,
    *,
    subject: str,
    period: str,
    sequence: str,
    treatment: str,
    response: str,
    reference: Any,
    level: float = 0.95,
) -> CrossoverFit:
    """Two-period, two-treatment crossover: one row per participant and period.

    `paired`: the paired t interval of active minus reference. `period_adjusted`: the mean over the two
    sequences of their mean differences, which a period effect leaves alone; pooled variance, n - 2 df. Both
    assume no carry-over. Participants without both periods are left out and counted. Raises ValueError
    naming the argument. References: Hills & Armitage (1979), Br J Clin Pharmacol 8:7; Senn (2002), ch. 3.
    """
    require_level(level)
    require_columns(frame, [subject, period, sequence, treatment, response])
    rows = complete_rows(frame, response, [subject, period, sequence, treatment], [])
    active = _other(rows[treatment], reference)
    wide, per_subject = _pairs(rows, subject, period, sequence, treatment, response)
    difference = (wide[active] - wide[reference]).dropna()
    groups = [difference[per_subject[difference.index] == name].to_numpy() for name in levels(rows[sequence])]
    if len(groups) != 2 or min(map(len, groups)) < 2:
        raise ValueError(f"{sequence} must hold two sequences, each with two participants seen in both periods.")
    values = difference.to_numpy()
    paired = _t_estimate(values.mean(), values.std(ddof=1) / sqrt(values.size), values.size - 1, level)
    pooled = sum(group.var(ddof=1) * (group.size - 1) for group in groups) / (values.size - 2)
    spread = sqrt(pooled * sum(1 / group.size for group in groups)) / 2
    centre = sum(group.mean() for group in groups) / 2
    adjusted = _t_estimate(centre, spread, values.size - 2, level)
    return CrossoverFit(paired, adjusted, values.size, int(frame[subject].nunique()) - values.size)


def _point(part: Covariate, rows: pd.DataFrame) -> FloatArray:
    return part.point if part.is_factor else np.array([rows[part.name].mean()])


def _least_squares(y: FloatArray, design: FloatArray, terms: list[str]) -> Any:
    scaled = design / np.maximum(np.abs(design).max(axis=0), np.finfo(float).tiny)
    require_full_rank(_residual_gram(scaled), terms)
    if len(y) <= len(terms):
        raise ValueError(f"frame holds {len(y)} complete rows for {len(terms)} terms; more rows are needed.")
    return sm.OLS(y, design).fit()


def _require_no_row_fitted_exactly(fitted: Any, robust: str) -> None:
    alone = np.flatnonzero(fitted.get_influence().hat_matrix_diag > 1 - 1e-9)
    if alone.size:
        raise ValueError(
            f"robust is {robust!r}, which divides by 1 - leverage, and {alone.size} rows have leverage 1: an arm or "
            "level with one row only. Choose HC0 or None, or join levels."
        )


def _residual_gram(design: FloatArray) -> FloatArray:
    """X'X with numbers centred, so that a covariate far from zero is not taken for the intercept."""
    centred = design.copy()
    centred[:, 1:] -= design[:, 1:].mean(axis=0)
    return centred.T @ centred


def _table(estimate: FloatArray, se: FloatArray, df: float, level: float) -> pd.DataFrame:
    t = estimate / se
    width = student.ppf((1 + level) / 2, df) * se
    return pd.DataFrame(
        {
            "estimate": estimate,
            "se": se,
            "df": df,
            "t": t,
            "p": 2 * student.sf(np.abs(t), df),
            "lower": estimate - width,
            "upper": estimate + width,
        }
    )


def _se(rows: FloatArray, variance: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(np.einsum("ri,ij,rj->r", rows, variance, rows)))


def _t_estimate(estimate: float, se: float, df: float, level: float) -> Estimate:
    if se == 0:
        raise ValueError("response differs between the treatments by the same amount in everybody: no spread.")
    row = _table(np.array([estimate]), np.array([se]), df, level).iloc[0]
    return Estimate(float(estimate), float(se), row["lower"], row["upper"], float(df), row["t"], row["p"])


def _sample(argument: str, values: ArrayLike) -> FloatArray:
    sample = floats(argument, values)
    if sample.ndim != 1 or sample.size < 2 or not np.isfinite(sample).all():
        raise ValueError(f"{argument} must hold two or more finite numbers, none missing; {sample.size} were given.")
    return sample


def _other(values: pd.Series, reference: Any) -> Any:
    found = levels(values)
    if len(found) != 2 or reference not in found:
        raise ValueError(f"reference is {reference!r}; treatment must hold it and one other, and holds {found}.")
    return next(level for level in found if level != reference)


def _pairs(
    rows: pd.DataFrame, subject: str, period: str, sequence: str, treatment: str, response: str
) -> tuple[pd.DataFrame, pd.Series]:
    """Response by subject and treatment, and each subject's sequence."""
    for column in (period, treatment):
        twice = rows.loc[rows.duplicated([subject, column]), subject].unique()
        if len(twice):
            raise ValueError(f"subject {list(twice)} has two rows in one {column}; one row each is allowed.")
    per_subject = rows.groupby(subject, observed=True)[sequence]
    if (per_subject.nunique() > 1).any():
        raise ValueError(f"{sequence} changes within a subject; each has one sequence.")
    if rows[period].nunique() != 2:
        raise ValueError(f"{period} holds {levels(rows[period])}; two periods are needed.")
    return rows.pivot(index=subject, columns=treatment, values=response), per_subject.first()
