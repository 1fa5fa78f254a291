"""Does the response go with the exposure? Within one treated arm: a line in log exposure, an Emax curve, a joint model.

Exposure is not assigned by chance: body size, genotype and a held dose move both, so that an association is no effect.
Exposures are of those who have one: a control arm has none, and 0 has no logarithm.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, inf, log, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import t as student

from analysis.statistics.arguments import require_level
from analysis.statistics.columns import require_full_rank
from analysis.statistics.estimate import Estimate

FloatArray = NDArray[np.float64]

# The EC50 is looked for from a hundredth of the smallest exposure to a hundred times the largest.
_BEYOND = 100.0
_GRID = 200


@dataclass(frozen=True)
class LineFit:
    """slope: change of the response per doubling of the exposure; residual_sd in units of the response."""

    slope: Estimate
    residual_sd: float
    r_squared: float
    observations: int
    aic: float
    _least: "_LeastSquares" = field(repr=False)
    _level: float = field(repr=False)

    def at(self, exposure: ArrayLike) -> list[Estimate]:
        """The mean response at exposures, covariates at their means."""
        rows = np.atleast_1d(np.asarray(exposure, dtype=float))
        point = self._least.design[:, 2:].mean(axis=0)
        return [self._least.estimate(np.array([1.0, np.log2(x), *point]), self._level) for x in rows]


@dataclass(frozen=True)
class JointFit:
    """slopes: by exposure, per doubling with the others held; inflation: variance inflation of each slope, how far the
    others tell it already (1: not at all).
    """

    slopes: dict[str, Estimate]
    inflation: dict[str, float]
    residual_sd: float
    observations: int
    _least: "_LeastSquares" = field(repr=False)
    _level: float = field(repr=False)

    def difference(self, one: str, other: str) -> Estimate:
        """The slope of one exposure minus that of another."""
        names = list(self.slopes)
        row = np.zeros(self._least.design.shape[1])
        row[1 + names.index(one)], row[1 + names.index(other)] = 1.0, -1.0
        return self._least.estimate(row, self._level)


@dataclass(frozen=True)
class EmaxFit:
    """response = e0 + emax x / (ec50 + x) + covariates. ec50 with its profile-likelihood interval, se of its logarithm.

    aic: to be compared with that of `line` on the same rows.
    """

    emax: Estimate
    ec50: Estimate
    e0: float
    residual_sd: float
    observations: int
    aic: float


def line(
    exposure: ArrayLike, response: ArrayLike, *, covariates: ArrayLike | None = None, level: float = 0.95
) -> LineFit:
    """Least squares of the response on log2 exposure.

    exposure (n,) above 0; response (n,); covariates (n, k), as the baseline. Raises ValueError for values that are
    missing, infinite or not above 0, for exposures that are all alike, and for too few rows.
    """
    dose, y, more = _rows(exposure, response, covariates, level)
    least = _LeastSquares.of(np.column_stack([np.ones(y.size), np.log2(dose), more]), y, ("exposure",))
    total = float(((y - y.mean()) ** 2).sum())
    fitted = 1 - least.residual / total if total > 0 else nan
    slope = least.estimate(np.eye(least.design.shape[1])[1], level)
    return LineFit(slope, least.sd, fitted, y.size, least.aic(0), least, level)


def joint(
    exposures: Mapping[str, ArrayLike],
    response: ArrayLike,
    *,
    covariates: ArrayLike | None = None,
    level: float = 0.95,
) -> JointFit:
    """Least squares on the log2 of several exposures together, by name. Raises as `line`; ValueError for less than two.

    Parent and metabolites rise and fall together: read each slope beside its inflation.
    """
    if len(exposures) < 2:
        raise ValueError(f"exposures names {list(exposures)}; allowed are two or more.")
    rows = [_rows(each, response, covariates, level) for each in exposures.values()]
    _, y, more = rows[0]
    logs = np.column_stack([np.log2(dose) for dose, *_ in rows])
    design = np.column_stack([np.ones(y.size), logs, more])
    least = _LeastSquares.of(design, y, tuple(exposures))
    each = np.eye(design.shape[1])[1 : 1 + len(exposures)]
    slopes = {name: least.estimate(row, level) for name, row in zip(exposures, each, strict=True)}
    spread = ((design - design.mean(axis=0)) ** 2).sum(axis=0)
    inflation = {name: float(least.inverse[i, i] * spread[i]) for i, name in enumerate(exposures, start=1)}
    return JointFit(slopes, inflation, least.sd, y.size, least, level)


def emax(
    exposure: ArrayLike, response: ArrayLike, *, covariates: ArrayLike | None = None, level: float = 0.95
) -> EmaxFit:
    """The Emax curve by least squares, where the data bend enough to place it.

    Given EC50 the curve is linear in the rest, so that its sum of squares is a function of EC50 alone; its interval is
    where that stays within the F bound of the smallest. Raises ValueError as `line`, and where the interval has no end
    between a hundredth of the smallest exposure and a hundred times the largest: no EC50 fits better than a line or a
    constant. Reference: Bates & Watts (1988), Nonlinear Regression Analysis, chapters 2 and 6.
    """
    dose, y, more = _rows(exposure, response, covariates, level)
    if np.unique(dose).size < 4:
        raise ValueError("Fewer than four different exposures; an Emax curve needs more.")
    profile = _Profile.of(dose, y, more)
    low, high = log(dose.min() / _BEYOND), log(dose.max() * _BEYOND)
    best = _best(profile, np.linspace(low, high, _GRID))
    share = dose / (exp(best) + dose)
    least = _LeastSquares.of(np.column_stack([np.ones(y.size), share, more]), y, ("exposure",))
    df = least.df - 1
    if df < 1:
        raise ValueError(f"{y.size} rows are too few for an Emax curve with these covariates.")
    if least.residual <= 1e-12 * float(((y - y.mean()) ** 2).sum()):
        raise ValueError("The curve passes through every point; without error there is no interval.")
    bound = profile.at(best) * (1 + float(student.ppf((1 + level) / 2, df)) ** 2 / df)
    ends = _crossing(profile, best, low, bound), _crossing(profile, best, high, bound)
    return _emax_fit(dose, y, least, best, ends, df, level)


def _emax_fit(
    dose: FloatArray,
    y: FloatArray,
    least: "_LeastSquares",
    best: float,
    ends: tuple[float, float],
    df: int,
    level: float,
) -> EmaxFit:
    half = exp(best)
    # Columns of the Jacobian: the linear ones, and that of log EC50.
    jacobian = np.column_stack([least.design, -least.beta[1] * half * dose / (half + dose) ** 2])
    sd = sqrt(least.residual / df)
    variance = np.linalg.inv(jacobian.T @ jacobian) * sd**2
    top, se = float(least.beta[1]), sqrt(float(variance[1, 1]))
    reach = float(student.ppf((1 + level) / 2, df)) * se
    p = 2 * float(student.sf(abs(top) / se, df))
    return EmaxFit(
        emax=Estimate(top, se, top - reach, top + reach, float(df), top / se, p),
        ec50=Estimate(half, sqrt(float(variance[-1, -1])), exp(ends[0]), exp(ends[1]), float(df)),
        e0=float(least.beta[0]),
        residual_sd=sd,
        observations=y.size,
        aic=least.aic(1),
    )


@dataclass(frozen=True)
class _Profile:
    """The sum of squares as a function of log EC50. dose and y (n,); basis (n, k) of what both are cleared of."""

    dose: FloatArray
    y: FloatArray
    basis: FloatArray

    @classmethod
    def of(cls, dose: FloatArray, y: FloatArray, more: FloatArray) -> "_Profile":
        basis = np.linalg.qr(np.column_stack([np.ones(y.size), more]))[0]
        return cls(dose, y - basis @ (basis.T @ y), basis)

    def at(self, place: float) -> float:
        return float(self.over(np.array([place]))[0])

    def over(self, places: FloatArray) -> FloatArray:
        """At each of the places (m,)."""
        share = self.dose[:, None] / (np.exp(places) + self.dose[:, None])
        share = share - self.basis @ (self.basis.T @ share)
        slope = (self.y @ share) / np.maximum((share**2).sum(axis=0), np.finfo(float).tiny)
        found: FloatArray = ((self.y[:, None] - slope * share) ** 2).sum(axis=0)
        return found


def _best(profile: _Profile, grid: FloatArray) -> float:
    """Where the profile is smallest: on the grid, then between the neighbours."""
    place = int(np.argmin(profile.over(grid)))
    around = float(grid[max(place - 1, 0)]), float(grid[min(place + 1, grid.size - 1)])
    return float(minimize_scalar(profile.at, bounds=around, method="bounded", options={"xatol": 1e-10}).x)


def _crossing(profile: _Profile, best: float, side: float, bound: float) -> float:
    """Where the profile leaves the bound between its smallest value and one side."""
    steps = np.linspace(best, side, _GRID)
    beyond = np.flatnonzero(profile.over(steps) > bound)
    if beyond.size == 0:
        raise ValueError("The data do not bend enough to place an EC50: a line, or no relation, fits as well.")
    first = int(beyond[0])
    return float(brentq(lambda place: profile.at(place) - bound, float(steps[first - 1]), float(steps[first])))


@dataclass(frozen=True)
class _LeastSquares:
    """Ordinary least squares: design (n, P), inverse (P, P) of X'X, beta (P,), sum of squared residuals."""

    design: FloatArray
    inverse: FloatArray
    beta: FloatArray
    residual: float

    @classmethod
    def of(cls, design: FloatArray, y: FloatArray, names: tuple[str, ...]) -> "_LeastSquares":
        n, columns = design.shape
        if n <= columns:
            raise ValueError(f"{n} rows are too few for {columns} coefficients; more participants are needed.")
        terms = ["intercept", *names, *(f"covariate {i}" for i in range(1, columns - len(names)))]
        gram = design.T @ design
        require_full_rank(gram, terms)
        beta: FloatArray = np.asarray(np.linalg.lstsq(design, y, rcond=None)[0], dtype=float)
        inverse: FloatArray = np.asarray(np.linalg.inv(gram), dtype=float)
        return cls(design, inverse, beta, float(((y - design @ beta) ** 2).sum()))

    @property
    def df(self) -> int:
        n, columns = self.design.shape
        return int(n - columns)

    @property
    def sd(self) -> float:
        return sqrt(self.residual / self.df)

    def aic(self, extra: int) -> float:
        """Akaike's criterion of normal errors, with `extra` parameters beside the linear ones and the variance."""
        n, columns = self.design.shape
        if self.residual <= 0:
            return -inf
        return float(n * log(self.residual / n) + 2 * (columns + 1 + extra))

    def estimate(self, row: FloatArray, level: float) -> Estimate:
        value = float(row @ self.beta)
        se = self.sd * sqrt(float(row @ self.inverse @ row))
        reach = float(student.ppf((1 + level) / 2, self.df)) * se
        statistic = value / se if se > 0 else nan
        p = 2 * float(student.sf(abs(statistic), self.df)) if se > 0 else nan
        return Estimate(value, se, value - reach, value + reach, float(self.df), statistic, p)


def _rows(
    exposure: ArrayLike, response: ArrayLike, covariates: ArrayLike | None, level: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    require_level(level)
    dose, y = np.asarray(exposure, dtype=float), np.asarray(response, dtype=float)
    more = np.empty((y.size, 0)) if covariates is None else np.asarray(covariates, dtype=float)
    more = more[:, None] if more.ndim == 1 else more
    if dose.ndim != 1 or dose.shape != y.shape or more.shape[0] != y.size:
        raise ValueError("exposure, response and covariates differ in length; one value of each per participant.")
    if not (np.isfinite(dose).all() and np.isfinite(y).all() and np.isfinite(more).all()):
        raise ValueError("exposure, response or covariates hold missing or infinite values; give complete rows.")
    if not (dose > 0).all():
        raise ValueError("An exposure is not above 0 and has no logarithm; leave out who has none.")
    return dose, y, more
