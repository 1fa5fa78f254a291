"""The linear models of mediation: who is in them, their coefficients, and their coefficients in many resamples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import t as student

from analysis.statistics.arguments import at_least
from analysis.statistics.columns import column_names, complete_rows, covariate, levels, numbers, require_full_rank
from analysis.statistics.estimate import Estimate
from analysis.statistics.mediation.intervals import Interval

FloatArray = NDArray[np.float64]
# Residuals below this share of the values are rounding.
_NO_ERROR = 1e-12


@dataclass(frozen=True)
class Participants:
    """Complete cases: treatment (n,) 0 or 1, mediators (n, K), outcome (n,), covariates coded (n, c); names of the
    columns of `before`, then of the mediators.
    """

    treatment: FloatArray
    mediators: FloatArray
    outcome: FloatArray
    covariates: FloatArray
    left_out: int
    names: tuple[str, ...]

    @property
    def before(self) -> FloatArray:
        """1, treatment, covariates: what is fixed before the mediator (n, 2 + c)."""
        return np.column_stack([np.ones(len(self.outcome)), self.treatment, self.covariates])

    def take(self, rows: NDArray[np.intp]) -> "Participants":
        """Some of the participants, repeats allowed."""
        return replace(
            self,
            treatment=self.treatment[rows],
            mediators=self.mediators[rows],
            outcome=self.outcome[rows],
            covariates=self.covariates[rows],
        )


@dataclass(frozen=True)
class Regression:
    """Least squares: beta (p,), its variance (p, p), residual degrees of freedom, residuals (n,)."""

    beta: FloatArray
    variance: FloatArray
    df: float
    residuals: FloatArray

    def estimate(self, place: int, level: float) -> Estimate:
        """One coefficient with its t interval."""
        value, se = float(self.beta[place]), sqrt(self.variance[place, place])
        width = float(student.ppf((1 + level) / 2, self.df)) * se
        p = float(2 * student.sf(abs(value) / se, self.df))
        return Estimate(value, se, value - width, value + width, self.df, value / se, p)


def participants(
    frame: pd.DataFrame,
    *,
    treatment: str,
    mediators: Sequence[str],
    outcome: str,
    covariates: Sequence[str],
    reference: Any,
) -> Participants:
    """Complete cases of a table with one row a participant. Raises ValueError naming the argument."""
    covariates = column_names("covariates", covariates)
    rows = complete_rows(frame, outcome, [], [treatment, *mediators, *covariates])
    found = levels(rows[treatment])
    reference = 0 if reference is None else reference
    if len(found) != 2 or reference not in found or (reference == 0 and found != [0, 1]):
        raise ValueError(
            f"treatment holds {found}; allowed are 0 and 1, or two arms of which `reference` (now {reference!r}) "
            "names the control."
        )
    coded = [covariate(rows[name]) for name in covariates]
    return Participants(
        (rows[treatment] != reference).to_numpy(dtype=float),
        np.column_stack([numbers(rows[name], "mediator") for name in mediators]),
        numbers(rows[outcome], "outcome"),
        np.column_stack([np.empty((len(rows), 0)), *(part.values for part in coded)]),
        len(frame) - len(rows),
        ("intercept", treatment, *(name for part in coded for name in part.names), *mediators),
    )


def require_draws(what: str, draws: int, rng: object, interval: str) -> None:
    """Raise ValueError unless there is chance to draw with, enough of it, and a kind of interval that exists."""
    if interval not in get_args(Interval):
        raise ValueError(f"interval is {interval!r}; allowed are {', '.join(get_args(Interval))}.")
    if not isinstance(rng, np.random.Generator):
        msg = f"{what} draws: give rng, a numpy Generator, as default_rng(seed) makes one, not {rng!r}."
        raise ValueError(msg)  # noqa: TRY004 every refusal is a ValueError
    at_least("draws", draws, 100)


def regress(y: FloatArray, design: FloatArray, of: str, names: Sequence[str] = ()) -> Regression:
    """Least squares of y (n,) on design (n, p), whose first column is 1; names of its columns, as far as they have one.

    Raises ValueError for a singular design, and for a y that is fitted without error.
    """
    count, terms = design.shape
    if count <= terms:
        raise ValueError(f"The model of {of} has {terms} terms for {count} complete rows; more rows are needed.")
    centred = design - design.mean(axis=0)
    centred[:, 0] = 1.0
    numbered = [*names, *(f"product {place}" for place in range(len(names), terms))]
    require_full_rank(centred.T @ centred, [f"{name} (in the model of {of})" for name in numbered[:terms]])
    q, r = np.linalg.qr(design)
    beta = np.linalg.solve(r, q.T @ y)
    residuals = y - design @ beta
    if np.abs(residuals).max() <= _NO_ERROR * np.abs(y).max():
        raise ValueError(
            f"The model of {of} fits every value without error, as when it is constant or follows from the other "
            "columns; there is no variance to estimate, and allowed is a column that varies beyond them."
        )
    inverse = np.linalg.inv(r)
    df = float(count - terms)
    return Regression(beta, inverse @ inverse.T * float(residuals @ residuals) / df, df, residuals)


def normal_estimate(value: float, se: float, level: float) -> Estimate:
    """An estimate with its normal interval."""
    width = float(ndtri((1 + level) / 2)) * se
    z = value / se
    return Estimate(value, se, value - width, value + width, None, z, float(2 * ndtr(-abs(z))))


def products(columns: FloatArray) -> FloatArray:
    """Cross-products of every row with itself (n, q, q): sums of these are all that least squares needs."""
    return columns[:, :, None] * columns[:, None, :]


def resampled(rows: FloatArray, draws: int, rng: np.random.Generator) -> FloatArray:
    """Sums of the products (n, q, q) over participants drawn with replacement: (draws, q, q)."""
    count = len(rows)
    often = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(float)
    return (often @ rows.reshape(count, -1)).reshape(draws, *rows.shape[1:])


def solved(sums: FloatArray, on: Sequence[int], target: int) -> FloatArray:
    """Coefficients of column `target` on columns `on`, for every sum of products (draws, len(on))."""
    places = list(on)
    try:
        return np.asarray(np.linalg.solve(sums[:, places][:, :, places], sums[:, places, target][..., None])[..., 0])
    except np.linalg.LinAlgError:
        raise ValueError(
            "A resample lost a whole arm or level, so that its models are singular; leave out a rare covariate."
        ) from None
