"""Covariance structures of V repeated measures: a matrix as a function of its parameters, with derivatives.

Unstructured: the Cholesky factor with log diagonal, which is positive definite whatever the parameters
(Pinheiro & Bates 1996, Stat Comput 6:289). All others: log standard deviations, and correlations on their own
scale, where the likelihood itself keeps the matrix positive definite.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
STRUCTURES = ("us", "toep", "toeph", "ar1", "ar1h", "cs", "csh", "ad", "adh")


class Structure(Protocol):
    """What the likelihood needs of a covariance structure."""

    @property
    def count(self) -> int:
        """Number of parameters q."""

    def sigma(self, theta: FloatArray) -> FloatArray:
        """The matrix (V, V)."""

    def jacobian(self, theta: FloatArray) -> FloatArray:
        """Its derivatives (q, V, V)."""

    def curvature(self, theta: FloatArray, weight: FloatArray) -> FloatArray:
        """Its second derivatives, summed over all cells with a symmetric weight (V, V): (q, q)."""

    def start(self, moments: FloatArray) -> FloatArray:
        """Parameters near a positive definite matrix of moments (V, V)."""


def structure(name: str, visits: int) -> Structure:
    """The structure of a name: us, or toep, ar1, cs, ad with one variance, with an h with one per visit.

    Raises ValueError for another name.
    """
    if name not in STRUCTURES:
        raise ValueError(f"covariance is {name!r}; allowed are {', '.join(STRUCTURES)}.")
    if name == "us" or visits == 1:
        return Unstructured(visits)
    correlation = _CORRELATIONS[name.removesuffix("h")](visits)
    return Scaled(correlation, visits, heterogeneous=name.endswith("h"))


@dataclass(frozen=True)
class Unstructured:
    """Every variance and covariance its own: sigma = L L', parameters log L_aa and L_ab below."""

    visits: int

    @property
    def count(self) -> int:
        return self.visits * (self.visits + 1) // 2

    @cached_property
    def _cells(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return np.tril_indices(self.visits)

    def _factor(self, theta: FloatArray) -> FloatArray:
        factor = np.zeros((self.visits, self.visits))
        factor[self._cells] = theta
        diagonal = np.diag_indices(self.visits)
        factor[diagonal] = np.exp(factor[diagonal])
        return factor

    def sigma(self, theta: FloatArray) -> FloatArray:
        factor = self._factor(theta)
        return np.asarray(factor @ factor.T)

    def _slopes(self, factor: FloatArray) -> FloatArray:
        """How fast each cell of L moves with its parameter (q,)."""
        rows, columns = self._cells
        return np.where(rows == columns, factor[rows, columns], 1.0)

    def jacobian(self, theta: FloatArray) -> FloatArray:
        factor = self._factor(theta)
        rows, columns = self._cells
        half = np.zeros((self.count, self.visits, self.visits))
        half[np.arange(self.count), rows] = self._slopes(factor)[:, None] * factor[:, columns].T
        return np.asarray(half + half.transpose(0, 2, 1))

    def curvature(self, theta: FloatArray, weight: FloatArray) -> FloatArray:
        factor = self._factor(theta)
        rows, columns = self._cells
        slopes = self._slopes(factor)
        shared = columns[:, None] == columns
        second = 2 * shared * weight[np.ix_(rows, rows)] * np.outer(slopes, slopes)
        # exp is its own second derivative.
        own = 2 * (weight @ factor)[rows, columns] * factor[rows, columns] * (rows == columns)
        return np.asarray(second + np.diag(own))

    def start(self, moments: FloatArray) -> FloatArray:
        factor = np.linalg.cholesky(moments)
        diagonal = np.diag_indices(self.visits)
        factor[diagonal] = np.log(factor[diagonal])
        return np.asarray(factor[self._cells])


class Correlation(Protocol):
    """A correlation matrix of m parameters: as Structure, for the correlations only."""

    @property
    def count(self) -> int: ...
    def value(self, rho: FloatArray) -> FloatArray: ...
    def slopes(self, rho: FloatArray) -> FloatArray: ...
    def curvature(self, rho: FloatArray, weight: FloatArray) -> FloatArray: ...
    def start(self, moments: FloatArray) -> FloatArray: ...


@dataclass(frozen=True)
class Scaled:
    """Standard deviations times correlations; parameters: log SD (one, or one per visit), then correlations."""

    correlation: Correlation
    visits: int
    heterogeneous: bool

    @property
    def count(self) -> int:
        return self._scales + self.correlation.count

    @property
    def _scales(self) -> int:
        return self.visits if self.heterogeneous else 1

    def _parts(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The outer product of the SDs (V, V), and the correlation parameters."""
        sd = np.broadcast_to(np.exp(theta[: self._scales]), self.visits)
        return np.outer(sd, sd), theta[self._scales :]

    def sigma(self, theta: FloatArray) -> FloatArray:
        scale, rho = self._parts(theta)
        return np.asarray(scale * self.correlation.value(rho))

    def jacobian(self, theta: FloatArray) -> FloatArray:
        scale, rho = self._parts(theta)
        sigma = scale * self.correlation.value(rho)
        return np.concatenate([self._by_scale(sigma), scale * self.correlation.slopes(rho)])

    def _by_scale(self, matrix: FloatArray) -> FloatArray:
        """Derivatives in the log SDs of a matrix that carries the SDs of both visits: (scales, V, V)."""
        if not self.heterogeneous:
            return 2 * matrix[None]
        unit = np.eye(self.visits)
        return np.asarray((unit[:, :, None] + unit[:, None, :]) * matrix)

    def curvature(self, theta: FloatArray, weight: FloatArray) -> FloatArray:
        scale, rho = self._parts(theta)
        sigma = scale * self.correlation.value(rho)
        slopes = scale * self.correlation.slopes(rho)
        both = np.einsum("sab,ab->s", self._by_scale(weight * sigma), np.ones_like(weight))
        scales = 2 * np.diag(both) if not self.heterogeneous else np.diag(both) + 2 * weight * sigma
        mixed = np.einsum("sab,mab->sm", self._by_scale(weight), slopes)
        own = self.correlation.curvature(rho, weight * scale)
        return np.block([[scales, mixed], [mixed.T, own]])

    def start(self, moments: FloatArray) -> FloatArray:
        variances = np.diag(moments)
        if not self.heterogeneous:
            variances = np.array([variances.mean()])
        sd = np.sqrt(np.diag(moments))
        rho = self.correlation.start(moments / np.outer(sd, sd))
        # Averaged correlations need not make a correlation matrix; smaller ones do.
        while np.linalg.eigvalsh(self.correlation.value(rho))[0] < 1e-3:
            rho = 0.8 * rho
        return np.concatenate([np.log(variances) / 2, rho])


def _lags(visits: int) -> NDArray[np.intp]:
    places = np.arange(visits)
    return np.asarray(np.abs(places[:, None] - places))


def _lag_means(moments: FloatArray) -> FloatArray:
    return np.array([np.diag(moments, lag).mean() for lag in range(1, len(moments))])


@dataclass(frozen=True)
class _Toeplitz:
    """One correlation per distance between visits."""

    visits: int

    @property
    def count(self) -> int:
        return self.visits - 1

    def value(self, rho: FloatArray) -> FloatArray:
        return np.asarray(np.concatenate([[1.0], rho])[_lags(self.visits)])

    def slopes(self, rho: FloatArray) -> FloatArray:
        return np.asarray(_lags(self.visits) == np.arange(1, self.visits)[:, None, None], dtype=float)

    def curvature(self, rho: FloatArray, weight: FloatArray) -> FloatArray:
        return np.zeros((self.count, self.count))

    def start(self, moments: FloatArray) -> FloatArray:
        return _lag_means(moments)


@dataclass(frozen=True)
class _Autoregressive:
    """rho to the distance between visits."""

    visits: int
    count: int = 1

    def value(self, rho: FloatArray) -> FloatArray:
        return np.asarray(rho[0] ** _lags(self.visits))

    def slopes(self, rho: FloatArray) -> FloatArray:
        lags = _lags(self.visits)
        return np.asarray(lags * rho[0] ** np.maximum(lags - 1, 0))[None]

    def curvature(self, rho: FloatArray, weight: FloatArray) -> FloatArray:
        lags = _lags(self.visits)
        return np.array([[(weight * lags * (lags - 1) * rho[0] ** np.maximum(lags - 2, 0)).sum()]])

    def start(self, moments: FloatArray) -> FloatArray:
        return _lag_means(moments)[:1]


@dataclass(frozen=True)
class _Exchangeable:
    """The same correlation between any two visits: compound symmetry."""

    visits: int
    count: int = 1

    def value(self, rho: FloatArray) -> FloatArray:
        return np.where(_lags(self.visits) == 0, 1.0, rho[0])

    def slopes(self, rho: FloatArray) -> FloatArray:
        return np.asarray(_lags(self.visits) > 0, dtype=float)[None]

    def curvature(self, rho: FloatArray, weight: FloatArray) -> FloatArray:
        return np.zeros((1, 1))

    def start(self, moments: FloatArray) -> FloatArray:
        return np.array([moments[np.triu_indices(self.visits, 1)].mean()])


@dataclass(frozen=True)
class _Antedependent:
    """One correlation per step; between distant visits the product of the steps (Gabriel 1962)."""

    visits: int

    @property
    def count(self) -> int:
        return self.visits - 1

    @cached_property
    def _on_the_way(self) -> NDArray[np.bool_]:
        """Whether step s lies between visits a and b: (V - 1, V, V)."""
        places = np.arange(self.visits)
        low, high = np.minimum(places[:, None], places), np.maximum(places[:, None], places)
        step = np.arange(self.count)[:, None, None]
        return (low <= step) & (step < high)

    def _product(self, rho: FloatArray, leaving_out: tuple[int, ...]) -> FloatArray:
        """Products of the steps but some, 0 where one of these is not on the way."""
        factors = np.where(self._on_the_way, rho[:, None, None], 1.0)
        factors[list(leaving_out)] = self._on_the_way[list(leaving_out)]
        return np.asarray(factors.prod(axis=0))

    def value(self, rho: FloatArray) -> FloatArray:
        return self._product(rho, ())

    def slopes(self, rho: FloatArray) -> FloatArray:
        return np.stack([self._product(rho, (step,)) for step in range(self.count)])

    def curvature(self, rho: FloatArray, weight: FloatArray) -> FloatArray:
        found = np.zeros((self.count, self.count))
        for first in range(self.count):
            for second in range(first):
                found[first, second] = (weight * self._product(rho, (first, second))).sum()
        return found + found.T

    def start(self, moments: FloatArray) -> FloatArray:
        return np.asarray(np.diag(moments, 1)).copy()


_CORRELATIONS: dict[str, Any] = {
    "toep": _Toeplitz,
    "ar1": _Autoregressive,
    "cs": _Exchangeable,
    "ad": _Antedependent,
}
