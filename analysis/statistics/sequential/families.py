"""Boundary families and error-spending functions: how strict a trial is at each look.

A family is made by one of the functions below and given to `design`. Spending functions say how much error
may have been spent by a share of the information; Wang-Tsiatis shapes fix the bounds up to one constant;
fixed bounds are the numbers themselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import e

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from analysis.statistics.arguments import floats, is_number

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Spending:
    """An error-spending function: `spent(fractions, error)` is the cumulative error at each information
    fraction.
    """

    name: str
    parameters: tuple[float, ...]
    cumulative: Callable[[FloatArray, float], FloatArray] = field(compare=False, repr=False)

    def spent(self, fractions: ArrayLike, error: float) -> FloatArray:
        """Error spent by each fraction (0 to 1); all of `error` from fraction 1 on."""
        clipped = np.minimum(np.asarray(fractions, dtype=float), 1.0)
        return np.where(clipped >= 1.0, error, self.cumulative(clipped, error))


@dataclass(frozen=True)
class Shape:
    """Bounds c x t^(delta - 1/2) with the one constant c that spends the error exactly."""

    name: str
    delta: float

    def at(self, timing: FloatArray) -> FloatArray:
        """The bounds at each fraction, for c = 1."""
        return np.asarray(timing ** (self.delta - 0.5), dtype=float)


@dataclass(frozen=True)
class FixedBounds:
    """Bounds given outright on the z scale, nan at looks that have none."""

    z: tuple[float, ...]
    name: str = "fixed"


Family = Spending | Shape | FixedBounds


def require_family(name: str, family: object) -> None:
    """Raise ValueError unless this is a family, as the functions below make them."""
    if not isinstance(family, Family):
        msg = f"{name} is {family!r}; allowed is a boundary family or spending function, as lan_demets_of() makes one."
        raise ValueError(msg)  # noqa: TRY004 whoever passes another thing is told of it


def obrien_fleming() -> Shape:
    """O'Brien-Fleming bounds, c / sqrt(t) (O'Brien & Fleming 1979, Biometrics 35:549)."""
    return Shape("O'Brien-Fleming", 0.0)


def pocock() -> Shape:
    """Pocock bounds, the same critical value at every look (Pocock 1977, Biometrika 64:191)."""
    return Shape("Pocock", 0.5)


def wang_tsiatis(delta: float) -> Shape:
    """Bounds c t^(delta - 1/2); 0 is O'Brien-Fleming, 0.5 Pocock (Wang & Tsiatis 1987, Biometrics 43:193).

    Raises ValueError unless delta lies in [-2, 2].
    """
    return Shape("Wang-Tsiatis", _within("delta", delta, -2.0, 2.0))


def lan_demets_of() -> Spending:
    """O'Brien-Fleming-type spending, 2 - 2 Phi(z_{1-a/2} / sqrt t) (Lan & DeMets 1983, Biometrika 70:659)."""
    return Spending("Lan-DeMets O'Brien-Fleming", (), _like_obrien_fleming)


def lan_demets_pocock() -> Spending:
    """Pocock-type spending, a ln(1 + (e - 1) t) (Lan & DeMets 1983, Biometrika 70:659)."""
    return Spending("Lan-DeMets Pocock", (), _like_pocock)


def hwang_shih_decani(gamma: float) -> Spending:
    """Spending a (1 - e^(-gamma t)) / (1 - e^-gamma); a t at gamma 0 (Hwang, Shih & De Cani 1990, Stat Med
    9:1439).

    Raises ValueError unless gamma lies in [-40, 40].
    """
    gamma = _within("gamma", gamma, -40.0, 40.0)
    return Spending("Hwang-Shih-DeCani", (gamma,), partial(_exponential, gamma))


def kim_demets(rho: float) -> Spending:
    """Power-family spending a t^rho (Kim & DeMets 1987, Biometrika 74:149).

    Raises ValueError unless rho lies in (0, 50].
    """
    if not (is_number(rho) and 0 < rho <= 50):
        msg = f"rho is {rho}; allowed is a number above 0 and at most 50."
        raise ValueError(msg)
    return Spending("Kim-DeMets", (float(rho),), partial(_power, float(rho)))


def user_spending(points: Sequence[tuple[float, float]]) -> Spending:
    """Spending through given points (information fraction, share of the error spent), straight lines between.

    Fractions strictly increasing in (0, 1], shares never falling in [0, 1]; the last point must be (1, 1).
    Raises ValueError otherwise.
    """
    table = floats("points", points)
    if table.ndim != 2 or table.shape[1] != 2 or table.shape[0] < 1:
        raise ValueError("points must be pairs of (information fraction, share of the error), at least one.")
    fractions, shares = np.r_[0.0, table[:, 0]], np.r_[0.0, table[:, 1]]
    if not (np.all(np.diff(fractions) > 0) and np.all(np.diff(shares) >= 0)):
        msg = f"points are {table.tolist()}; fractions must rise strictly from above 0, shares must never fall."
        raise ValueError(msg)
    if fractions[-1] != 1 or shares[-1] != 1:
        msg = f"points end at {table[-1].tolist()}; the last must be (1, 1), all of the error."
        raise ValueError(msg)
    return Spending("user", tuple(table.ravel().tolist()), partial(_interpolated, fractions, shares))


def fixed_bounds(z: Sequence[float]) -> FixedBounds:
    """Bounds given on the z scale, one per look, nan at a look without (Haybittle-Peto rules, futility
    thresholds).

    With one fewer than there are looks, the last efficacy bound is solved to spend what is left of alpha,
    and the last futility bound is the efficacy bound. Raises ValueError for an empty or infinite list.
    """
    given = floats("z", z)
    bounds = tuple(given.tolist()) if given.ndim == 1 else ()
    if not bounds or np.isinf(bounds).any():
        msg = f"z is {z!r}; allowed are finite numbers, nan at a look without a bound, at least one value."
        raise ValueError(msg)
    return FixedBounds(bounds)


def _like_obrien_fleming(fractions: FloatArray, error: float) -> FloatArray:
    critical = -float(ndtri(error / 2))
    return np.asarray(2 * ndtr(-critical / np.sqrt(fractions)), dtype=float)


def _like_pocock(fractions: FloatArray, error: float) -> FloatArray:
    return np.asarray(error * np.log1p((e - 1) * fractions), dtype=float)


def _exponential(gamma: float, fractions: FloatArray, error: float) -> FloatArray:
    if gamma == 0:
        return error * fractions
    return np.asarray(error * np.expm1(-gamma * fractions) / np.expm1(-gamma), dtype=float)


def _power(rho: float, fractions: FloatArray, error: float) -> FloatArray:
    return np.asarray(error * fractions**rho, dtype=float)


def _interpolated(known: FloatArray, shares: FloatArray, fractions: FloatArray, error: float) -> FloatArray:
    return np.asarray(error * np.interp(fractions, known, shares), dtype=float)


def _within(name: str, value: float, low: float, high: float) -> float:
    if not (is_number(value) and low <= value <= high):
        msg = f"{name} is {value}; allowed is {low} to {high}."
        raise ValueError(msg)
    return float(value)
