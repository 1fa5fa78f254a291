"""Proportional hazards: Cox regression and the test of its assumption.

The fit is statsmodels' `PHReg`; the test needs the risk-set moments at every event, which are worked out
here.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import chi2
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.tools.sm_exceptions import ModelWarning

from analysis.statistics.arguments import require_level
from analysis.statistics.columns import column_names, is_numeric, numbers, require_columns
from analysis.statistics.survival.observations import labels, risk_table, times_and_events

FloatArray = NDArray[np.float64]
Ties = Literal["efron", "breslow"]


@dataclass(frozen=True)
class CoxFit:
    """coefficients: DataFrame term, log_hazard, se, hazard_ratio, lower, upper, z, p.

    proportional_hazards: DataFrame term, chi_square, df, p, one row per covariate and GLOBAL.
    log_likelihood: partial, at the estimate; log_likelihood_null at no effect. left_out: rows with a
    missing value.
    """

    coefficients: pd.DataFrame
    proportional_hazards: pd.DataFrame
    log_likelihood: float
    log_likelihood_null: float
    observations: int
    events: int
    left_out: int


@dataclass(frozen=True)
class _Observed:
    """Per person (n,): time, event, stratum; and covariates x (n, P)."""

    time: FloatArray
    event: NDArray[np.bool_]
    x: FloatArray
    block: NDArray[np.intp]

    def of(self, block: int) -> "_Observed":
        """The persons of one stratum."""
        mask = self.block == block
        return _Observed(self.time[mask], self.event[mask], self.x[mask], self.block[mask])


@dataclass(frozen=True)
class _Events:
    """Per event (E,): its time, covariates less the risk set's mean (E, P), the risk set's covariance (E, P,
    P).
    """

    time: FloatArray
    residual: FloatArray
    covariance: FloatArray


def cox(
    frame: pd.DataFrame,
    *,
    time: str,
    event: str,
    covariates: Sequence[str],
    strata: Sequence[str] = (),
    ties: Ties = "efron",
    level: float = 0.95,
) -> CoxFit:
    """Cox regression of `time` to `event` (1, or 0 censored) on covariates, with baseline hazards by strata.

    Names are columns of `frame`, a row per person. Numbers enter as they are; strings and categories as
    treatment contrasts against the first level (sorted, or in the categorical's order), named
    column[level]. Rows with a missing value are left out and counted. The proportional-hazards test is the
    score test of Grambsch & Therneau (1994, Biometrika 81:515) against 1 - S(t-) of all persons, with the
    full information matrix; nan where all events fall on one time. Raises ValueError for unknown columns, no event,
    a covariate that does not
    vary, collinear ones, or one that separates the events so that its hazard ratio is infinite. Reference:
    Cox (1972); Efron (1977), JASA 72:557.
    """
    if ties not in get_args(Ties):
        msg = f"ties is {ties!r}; allowed are {', '.join(get_args(Ties))}."
        raise ValueError(msg)
    require_level(level)
    covariates, strata = column_names("covariates", covariates), column_names("strata", strata)
    used = _complete(frame, [time, event, *covariates, *strata], covariates)
    times, events = times_and_events(used[time].to_numpy(), used[event].to_numpy())
    design, owner = _design(used, covariates)
    blocks = _blocks(used, strata)
    model = PHReg(times, design.to_numpy(), status=events.astype(int), strata=blocks, ties=ties)
    beta, covariance = _fitted(model, design)
    at_events = _event_moments(_Observed(times, events, design.to_numpy(), blocks), beta, ties)
    return CoxFit(
        coefficients=_coefficients(list(design.columns), beta, np.sqrt(np.diag(covariance)), level),
        proportional_hazards=_proportionality(at_events, _time_scale(times, events, at_events.time), owner, covariates),
        log_likelihood=float(model.loglike(beta)),
        log_likelihood_null=float(model.loglike(np.zeros_like(beta))),
        observations=len(used),
        events=int(events.sum()),
        left_out=len(frame) - len(used),
    )


def _complete(frame: pd.DataFrame, columns: list[str], covariates: Sequence[str]) -> pd.DataFrame:
    if not covariates:
        raise ValueError("covariates is empty; name at least one.")
    require_columns(frame, columns)
    for name in (columns[0], *covariates):
        if name == columns[0] or is_numeric(frame[name]):
            numbers(frame[name], "time" if name == columns[0] else "covariates")
    used = frame[list(dict.fromkeys(columns))].dropna()
    if used.empty or not (used[columns[1]] == 1).any():
        msg = f"{columns[1]} holds no event in complete rows; there is nothing to fit yet."
        raise ValueError(msg)
    return used


def _design(used: pd.DataFrame, covariates: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Columns of the model, and for each the covariate it belongs to."""
    columns: dict[str, FloatArray] = {}
    owner: list[str] = []
    for covariate in covariates:
        for name, values in _contrasts(covariate, used[covariate]).items():
            columns[name] = values
            owner.append(covariate)
    design = pd.DataFrame(columns)
    for name in design.columns:
        if design[name].nunique() < 2:
            msg = f"covariates holds {name}, which does not vary; leave it out."
            raise ValueError(msg)
    if np.linalg.matrix_rank(design - design.mean()) < design.shape[1]:
        msg = f"covariates {', '.join(design.columns)} are collinear; leave out what follows from the others."
        raise ValueError(msg)
    return design, owner


def _contrasts(covariate: str, series: pd.Series) -> dict[str, FloatArray]:
    if pd.api.types.is_numeric_dtype(series):
        return {covariate: series.to_numpy(dtype=float)}
    codes, levels = labels(covariate, series, series.size)
    if len(levels) < 2:
        msg = f"covariates holds {covariate}, which does not vary; leave it out."
        raise ValueError(msg)
    return {f"{covariate}[{level}]": (codes == code).astype(float) for code, level in enumerate(levels) if code}


def _blocks(used: pd.DataFrame, strata: Sequence[str]) -> NDArray[np.intp]:
    if not strata:
        return np.zeros(len(used), dtype=np.intp)
    return np.asarray(used.groupby(list(strata), observed=True).ngroup(), dtype=np.intp)


def _fitted(model: PHReg, design: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Estimates (P,) and their covariance (P, P)."""
    with warnings.catch_warnings():
        # What these warn of is found below and refused in plainer words.
        warnings.filterwarnings("ignore", category=ModelWarning)
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        fit = model.fit()
    beta, covariance = np.asarray(fit.params), np.asarray(fit.cov_params())
    error = np.sqrt(np.abs(np.diag(covariance))) * design.std().to_numpy()
    for name, spread in zip(design.columns, error, strict=True):
        # An infinite hazard ratio shows as a standard error that dwarfs what data can give.
        if not spread < 20:
            msg = f"covariates holds {name}, which separates events from others: its hazard ratio is infinite."
            raise ValueError(msg)
    return beta, covariance


def _event_moments(observed: _Observed, beta: FloatArray, ties: Ties) -> _Events:
    parts = [_block_moments(observed.of(block), beta, ties) for block in np.unique(observed.block[observed.event])]
    return _Events(
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.residual for part in parts]),
        np.concatenate([part.covariance for part in parts]),
    )


def _block_moments(observed: _Observed, beta: FloatArray, ties: Ties) -> _Events:
    """Moments of the covariates over the risk sets of one stratum.

    Of d persons with events at one time, Efron's l-th (l = 0..d-1) has the risk set with the share l / d of
    the tied persons' weights taken out; Breslow's has all of it.
    """
    order = np.argsort(observed.time, kind="stable")
    times, events, x = observed.time[order], observed.event[order], observed.x[order]
    weight = np.exp(x @ beta - (x @ beta).max())
    powers = [weight, weight[:, None] * x, weight[:, None, None] * x[:, :, None] * x[:, None, :]]
    at = np.flatnonzero(events)
    first = np.searchsorted(times, times[at], side="left")
    rank = np.arange(at.size) - np.searchsorted(times[at], times[at], side="left")
    deaths = np.searchsorted(times[at], times[at], side="right") - np.searchsorted(times[at], times[at])
    share = rank / deaths if ties == "efron" else np.zeros(at.size)
    s0, s1, s2 = (_at_risk(power, first) - _tied(power[at], times[at], share) for power in powers)
    mean = s1 / s0[:, None]
    covariance = s2 / s0[:, None, None] - mean[:, :, None] * mean[:, None, :]
    return _Events(times[at], x[at] - mean, covariance)


def _at_risk(power: FloatArray, first: NDArray[np.intp]) -> FloatArray:
    total: FloatArray = power[::-1].cumsum(axis=0)[::-1][first]
    return total


def _tied(power: FloatArray, times: FloatArray, share: FloatArray) -> FloatArray:
    """The share of the sum over all persons with events at the same time."""
    start = np.searchsorted(times, times, side="left")
    end = np.searchsorted(times, times, side="right")
    running = np.concatenate([np.zeros_like(power[:1]), power.cumsum(axis=0)])
    total: FloatArray = (running[end] - running[start]) * share.reshape(-1, *[1] * (power.ndim - 1))
    return total


def _time_scale(times: FloatArray, events: NDArray[np.bool_], at: FloatArray) -> FloatArray:
    """1 - S(t-) of all persons, at the times of events."""
    table = risk_table(times, events)
    before = np.append(1.0, np.cumprod(1 - table.events / table.at_risk)[:-1])
    return np.asarray(1 - before[np.searchsorted(table.time, at)], dtype=float)


def _proportionality(
    at_events: _Events, scale: FloatArray, owner: list[str], covariates: Sequence[str]
) -> pd.DataFrame:
    g = scale - scale.mean()
    score = g @ at_events.residual
    information = at_events.covariance.sum(axis=0)
    cross = np.tensordot(g, at_events.covariance, axes=1)
    spread = np.tensordot(g * g, at_events.covariance, axes=1)
    adjusted = spread - cross @ np.linalg.solve(information, cross)
    every = list(range(len(owner)))
    terms = {name: [i for i in every if owner[i] == name] for name in covariates} | {"GLOBAL": every}
    rows = []
    for term, index in terms.items():
        statistic = nan
        if g.any():
            statistic = float(score[index] @ np.linalg.solve(adjusted[np.ix_(index, index)], score[index]))
        rows.append((term, statistic, len(index), float(chi2.sf(statistic, len(index)))))
    return pd.DataFrame(rows, columns=["term", "chi_square", "df", "p"])


def _coefficients(terms: list[str], beta: FloatArray, se: FloatArray, level: float) -> pd.DataFrame:
    margin = -ndtri((1 - level) / 2) * se
    z = beta / se
    return pd.DataFrame(
        {
            "term": terms,
            "log_hazard": beta,
            "se": se,
            "hazard_ratio": np.exp(beta),
            "lower": np.exp(beta - margin),
            "upper": np.exp(beta + margin),
            "z": z,
            "p": 2 * ndtr(-np.abs(z)),
        }
    )
