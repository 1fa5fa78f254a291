"""Two mediators side by side, and which of the two carries more."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.arguments import require_level
from analysis.statistics.columns import column_names
from analysis.statistics.estimate import Estimate
from analysis.statistics.mediation.intervals import Interval, from_draws
from analysis.statistics.mediation.regressions import (
    Participants,
    Regression,
    normal_estimate,
    participants,
    products,
    regress,
    require_draws,
    resampled,
    solved,
)

FloatArray = NDArray[np.float64]
Method = Literal["product", "quasi_bayes", "bootstrap"]


@dataclass(frozen=True)
class TwoPaths:
    """indirect: effect through each mediator, by its name; contrast: first minus second; total: indirect effects and
    direct together; a and b: the legs of each path.
    """

    a: dict[str, Estimate]
    b: dict[str, Estimate]
    indirect: dict[str, Estimate]
    contrast: Estimate
    direct: Estimate
    total: Estimate
    observations: int
    rows_left_out: int


def parallel(
    frame: pd.DataFrame,
    *,
    treatment: str,
    mediators: tuple[str, str],
    outcome: str,
    covariates: Sequence[str] = (),
    method: Method = "product",
    draws: int = 5000,
    rng: np.random.Generator | None = None,
    interval: Interval = "bca",
    reference: Any = None,
    level: float = 0.95,
) -> TwoPaths:
    """Two parallel mediators: M_k = i_k + a_k T + ..., Y = i + c' T + b_1 M_1 + b_2 M_2 + ..., all with the covariates.

    The indirect effects are a_k b_k, their contrast a_1 b_1 - a_2 b_2. "product": normal intervals by the delta
    method, the mediators' residual correlation included; "quasi_bayes": percentiles of `draws` of the coefficients
    from their t distributions (flat priors), the distribution of the product (MacKinnon, Lockwood & Williams 2004,
    Multivar Behav Res 39:99); "bootstrap": participants resampled, bca or percentile `interval`. Where one leg of a
    path is near 0, "product" and "bootstrap" cover a little too seldom (Fritz, Taylor & MacKinnon 2012, Multivar
    Behav Res 47:61; docs/validation.md has the figures), "quasi_bayes" does not. Treatment and missing values as in
    `mediate`. Raises ValueError naming the argument. Reference: Preacher & Hayes (2008), Behav Res Methods 40:879.
    """
    require_level(level)
    if len(column_names("mediators", mediators)) != 2:
        raise ValueError(f"mediators is {mediators!r}; name two columns.")
    if method not in get_args(Method) or interval not in get_args(Interval):
        raise ValueError(
            f"method {method!r}, interval {interval!r}; allowed: {', '.join(get_args(Method))}; percentile, bca."
        )
    if method != "product":
        require_draws(f"method {method}", draws, rng, interval)
    data = participants(
        frame, treatment=treatment, mediators=mediators, outcome=outcome, covariates=covariates, reference=reference
    )
    legs = [regress(data.mediators[:, place], data.before, mediators[place], data.names) for place in (0, 1)]
    outer = regress(data.outcome, np.column_stack([data.before, data.mediators]), "the outcome", data.names)
    place = data.before.shape[1]
    if rng is None or method == "product":
        paths = _by_delta(legs, outer, place, level)
    elif method == "quasi_bayes":
        paths = _by_posterior(legs, outer, place, draws, rng, level)
    else:
        paths = _by_bootstrap(data, legs, outer, draws, rng, level, corrected=interval == "bca")
    return TwoPaths(
        a={name: leg.estimate(1, level) for name, leg in zip(mediators, legs, strict=True)},
        b={name: outer.estimate(place + number, level) for number, name in enumerate(mediators)},
        indirect=dict(zip(mediators, paths[:2], strict=True)),
        contrast=paths[2],
        direct=outer.estimate(1, level),
        total=regress(data.outcome, data.before, "the total effect", data.names).estimate(1, level),
        observations=len(data.outcome),
        rows_left_out=data.left_out,
    )


def _values(a: FloatArray, b: FloatArray) -> FloatArray:
    """a_1 b_1, a_2 b_2 and their difference, for legs (..., 2)."""
    both = a * b
    return np.concatenate([both, both[..., :1] - both[..., 1:]], axis=-1)


def _variance_of_legs(legs: list[Regression]) -> FloatArray:
    """Covariance of a_1 and a_2: the mediators' models share their design, so these covary as residuals do."""
    shared = legs[0].residuals @ legs[1].residuals / (legs[0].residuals @ legs[0].residuals)
    between = legs[0].variance[1, 1] * shared
    return np.array([[legs[0].variance[1, 1], between], [between, legs[1].variance[1, 1]]])


def _by_posterior(
    legs: list[Regression], outer: Regression, place: int, draws: int, rng: np.random.Generator, level: float
) -> list[Estimate]:
    a = np.array([leg.beta[1] for leg in legs])
    b = outer.beta[place:]
    drawn = _values(
        a + _student(_variance_of_legs(legs), legs[0].df, draws, rng),
        b + _student(outer.variance[place:, place:], outer.df, draws, rng),
    )
    return [from_draws(float(value), column, level) for value, column in zip(_values(a, b), drawn.T, strict=True)]


def _student(variance: FloatArray, df: float, draws: int, rng: np.random.Generator) -> FloatArray:
    """Multivariate t around 0 (draws, 2), with variance as its scale matrix."""
    normal = rng.multivariate_normal(np.zeros(len(variance)), variance, draws, method="cholesky")
    return np.asarray(normal / np.sqrt(rng.chisquare(df, (draws, 1)) / df))


def _by_delta(legs: list[Regression], outer: Regression, place: int, level: float) -> list[Estimate]:
    a = np.array([leg.beta[1] for leg in legs])
    b = outer.beta[place:]
    of_a, of_b = _variance_of_legs(legs), outer.variance[place:, place:]
    signs = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    errors = [sqrt((sign * b) @ of_a @ (sign * b) + (sign * a) @ of_b @ (sign * a)) for sign in signs]
    return [normal_estimate(float(value), se, level) for value, se in zip(_values(a, b), errors, strict=True)]


def _by_bootstrap(
    data: Participants,
    legs: list[Regression],
    outer: Regression,
    draws: int,
    rng: np.random.Generator,
    level: float,
    *,
    corrected: bool,
) -> list[Estimate]:
    rows = products(np.column_stack([data.before, data.mediators, data.outcome]))
    place = data.before.shape[1]

    def paths(sums: FloatArray) -> FloatArray:
        a = np.column_stack([solved(sums, range(place), place + number)[:, 1] for number in (0, 1)])
        return _values(a, solved(sums, range(place + 2), place + 2)[:, place:])

    value = _values(np.array([leg.beta[1] for leg in legs]), outer.beta[place:])
    drawn = paths(resampled(rows, draws, rng))
    left = paths(rows.sum(axis=0) - rows) if corrected else None
    return [from_draws(float(value[k]), drawn[:, k], level, None if left is None else left[:, k]) for k in range(3)]
