"""Covariance of several outcomes at several times as a product: one matrix between outcomes, one between times.

Cells are ordered by outcome, then time. The matrix between times has no scale of its own: its first variance is
1, or it holds correlations. Reference: Galecki (1994), Commun Stat Theory Methods 23:3105.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.mmrm.structures import Correlation, Unstructured

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Kronecker:
    """Outcomes unstructured, times as `times` says; parameters of the first, then of the second."""

    outcomes: Unstructured
    times: Correlation
    visits: int

    @property
    def count(self) -> int:
        return self.outcomes.count + self.times.count

    def _split(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        return theta[: self.outcomes.count], theta[self.outcomes.count :]

    def sigma(self, theta: FloatArray) -> FloatArray:
        first, second = self._split(theta)
        return np.asarray(np.kron(self.outcomes.sigma(first), self.times.value(second)), dtype=float)

    def jacobian(self, theta: FloatArray) -> FloatArray:
        first, second = self._split(theta)
        between, within = self.outcomes.sigma(first), self.times.value(second)
        by_first = [np.kron(slope, within) for slope in self.outcomes.jacobian(first)]
        by_second = [np.kron(between, slope) for slope in self.times.slopes(second)]
        return np.stack(by_first + by_second)

    def curvature(self, theta: FloatArray, weight: FloatArray) -> FloatArray:
        first, second = self._split(theta)
        table = weight.reshape(self.outcomes.visits, self.visits, self.outcomes.visits, self.visits)
        of_first = np.einsum("aibj,ij->ab", table, self.times.value(second))
        of_second = np.einsum("aibj,ab->ij", table, self.outcomes.sigma(first))
        mixed = np.einsum(
            "aibj,rab,sij->rs", table, self.outcomes.jacobian(first), self.times.slopes(second), optimize=True
        )
        return np.block(
            [
                [self.outcomes.curvature(first, of_first), mixed],
                [mixed.T, self.times.curvature(second, of_second)],
            ]
        )

    def start(self, moments: FloatArray) -> FloatArray:
        table = moments.reshape(self.outcomes.visits, self.visits, self.outcomes.visits, self.visits)
        between = np.einsum("aibi->ab", table) / self.visits
        within = np.einsum("aiaj,a->ij", table, 1 / np.diag(between))
        return np.concatenate([self.outcomes.start(between), self.times.start(within / within[0, 0])])


@dataclass(frozen=True)
class FirstVarianceOne:
    """Unstructured but for its scale: the first variance is 1."""

    visits: int

    @property
    def _free(self) -> Unstructured:
        return Unstructured(self.visits)

    @property
    def count(self) -> int:
        return self._free.count - 1

    def value(self, rho: FloatArray) -> FloatArray:
        return self._free.sigma(np.concatenate([[0.0], rho]))

    def slopes(self, rho: FloatArray) -> FloatArray:
        return self._free.jacobian(np.concatenate([[0.0], rho]))[1:]

    def curvature(self, rho: FloatArray, weight: FloatArray) -> FloatArray:
        return self._free.curvature(np.concatenate([[0.0], rho]), weight)[1:, 1:]

    def start(self, moments: FloatArray) -> FloatArray:
        return self._free.start(moments)[1:]


@dataclass(frozen=True)
class AutoregressiveAroundLevel:
    """A random level of share w, and first-order autoregression around it: w + (1 - w) rho to the distance in visits.

    Needs three visits or more.
    """

    visits: int
    count: int = 2

    @property
    def _lags(self) -> NDArray[np.intp]:
        places = np.arange(self.visits)
        return np.asarray(np.abs(places[:, None] - places))

    def value(self, rho: FloatArray) -> FloatArray:
        return np.asarray(rho[0] + (1 - rho[0]) * rho[1] ** self._lags)

    def slopes(self, rho: FloatArray) -> FloatArray:
        lags = self._lags
        by_step = (1 - rho[0]) * lags * rho[1] ** np.maximum(lags - 1, 0)
        return np.stack([1 - rho[1] ** lags, by_step])

    def curvature(self, rho: FloatArray, weight: FloatArray) -> FloatArray:
        lags = self._lags
        mixed = -(weight * lags * rho[1] ** np.maximum(lags - 1, 0)).sum()
        step = ((1 - rho[0]) * weight * lags * (lags - 1) * rho[1] ** np.maximum(lags - 2, 0)).sum()
        return np.array([[0.0, mixed], [mixed, step]])

    def start(self, moments: FloatArray) -> FloatArray:
        sd = np.sqrt(np.diag(moments))
        correlations = moments / np.outer(sd, sd)
        level = float(np.clip(correlations[0, -1] / 2, 0.05, 0.8))
        near = float(np.diag(correlations, 1).mean())
        return np.array([level, np.clip((near - level) / (1 - level), 0.1, 0.9)])
