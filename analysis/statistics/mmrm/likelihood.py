"""The (restricted) likelihood of the normal model for repeated measures, with its derivatives in the covariance.

Notation: W = inverse covariance of a pattern, filled with 0 where unobserved; a subject's mean at visit a is
(B u)_a, with vec B = C beta; A = sum X'WX; r residuals at the estimate of beta, which is profiled out. All
derivatives are in the cells a <= b of the symmetric matrix sigma, and of minus twice the log-likelihood. For a
direction D the second derivative is
    sum { 2 tr(W D W E W (R + P)) - n tr(W D W E) } - 2 b_D' A^-1 b_E - tr(A^-1 A_D A^-1 A_E),
with R = sum r r', P = sum X A^-1 X', b_D = sum X'W D W r, A_D = sum X'W D W X; P and the last term only under
REML (Lindstrom & Bates 1988, JASA 83:1014, in another notation).
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import log, pi

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

from analysis.statistics.mmrm.patterns import Patterns

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """What does not change while the covariance is sought: data, design C (V, k, p), REML or not."""

    patterns: Patterns
    design: FloatArray
    reml: bool

    @property
    def visits(self) -> int:
        return int(self.design.shape[0])

    @property
    def groups(self) -> int:
        """Number of covariance matrices: 1, or one per arm."""
        return int(self.patterns.group.max()) + 1

    @cached_property
    def expand(self) -> FloatArray:
        """C as (V k, p)."""
        visits, known, terms = self.design.shape
        return self.design.reshape(visits * known, terms)

    def at(self, sigma: FloatArray) -> "State | None":
        """The likelihood at covariances (groups, V, V); None where one is not positive definite."""
        both = self.patterns.pairs_observed
        filled = np.where(both, sigma[self.patterns.group], np.eye(self.visits))
        try:
            factor = np.linalg.cholesky(filled)
            weights = np.linalg.inv(filled) * both
            return State(self, sigma, weights, 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1))
        except np.linalg.LinAlgError:
            return None

    def crossed(self, cells: FloatArray) -> FloatArray:
        """Sum over patterns of X' M X for matrices M (G, V, V) between visits: (p, p)."""
        visits, known, _ = self.design.shape
        flat = cells.reshape(len(cells), -1).T @ self.patterns.uu.reshape(len(cells), -1)
        full = flat.reshape(visits, visits, known, known).transpose(0, 2, 1, 3)
        return np.asarray(self.expand.T @ full.reshape(visits * known, -1) @ self.expand)


class State:
    """The likelihood at one covariance; every property is worked out once, when first asked for."""

    def __init__(self, model: Model, sigma: FloatArray, weights: FloatArray, log_determinants: FloatArray) -> None:
        self.model = model
        self.sigma = sigma
        self.weights = weights
        self._log_determinants = log_determinants
        self._factor = np.linalg.cholesky(model.crossed(weights))
        moments = (weights @ model.patterns.yu).sum(axis=0)
        self.beta: FloatArray = cho_solve((self._factor, True), model.expand.T @ moments.ravel())

    @cached_property
    def variance(self) -> FloatArray:
        """A^-1, the covariance of beta (p, p)."""
        return np.asarray(cho_solve((self._factor, True), np.eye(len(self.beta))))

    @property
    def log_determinant_of_information(self) -> float:
        """log |A|."""
        return float(2 * np.log(np.diag(self._factor)).sum())

    @cached_property
    def _by_visit(self) -> FloatArray:
        """B (V, k)."""
        return (self.model.expand @ self.beta).reshape(self.model.design.shape[:2])

    @cached_property
    def _scatter(self) -> tuple[FloatArray, FloatArray]:
        """R (G, V, V) and the sums of r u' (G, V, k)."""
        data, slopes = self.model.patterns, self._by_visit
        crossed = data.yu @ slopes.T
        fitted = slopes @ data.uu
        return data.yy - crossed - crossed.transpose(0, 2, 1) + fitted @ slopes.T, data.yu - fitted

    @cached_property
    def deviance(self) -> float:
        """Minus twice the log-likelihood, constant included."""
        data = self.model.patterns
        free = data.observations - (len(self.beta) if self.model.reml else 0)
        quadratic = float(np.vdot(self.weights, self._scatter[0]))
        extra = self.log_determinant_of_information if self.model.reml else 0.0
        return free * log(2 * pi) + float(data.count @ self._log_determinants) + extra + quadratic

    @cached_property
    def _inner(self) -> FloatArray:
        """W (R + P) W per pattern."""
        scatter = self._scatter[0]
        if self.model.reml:
            visits, known, _ = self.model.design.shape
            spread = (self.model.expand @ self.variance @ self.model.expand.T).reshape(visits, known, visits, known)
            flat = spread.transpose(0, 2, 1, 3).reshape(visits**2, known**2)
            scatter = scatter + (self.model.patterns.uu.reshape(-1, known**2) @ flat.T).reshape(scatter.shape)
        return np.asarray(self.weights @ scatter @ self.weights)

    @cached_property
    def slope(self) -> FloatArray:
        """Derivative of the deviance in every cell of sigma, cells taken as if free: (groups, V, V)."""
        parts = self.model.patterns.count[:, None, None] * self.weights - self._inner
        return self._by_group(parts)

    def _by_group(self, parts: FloatArray) -> FloatArray:
        total = np.zeros((self.model.groups, *parts.shape[1:]))
        np.add.at(total, self.model.patterns.group, parts)
        return total

    def hessian(self, *, expected: bool = False, complete: bool = False) -> FloatArray:
        """Second derivatives in the cells a <= b, one block of V (V + 1) / 2 per group.

        Without `complete` the last REML term is left out, which costs most and matters little; `expected` is
        the information expected of the covariance for known means, which is always positive definite.
        """
        weighted = self.model.patterns.count[:, None, None] * self.weights
        inner = weighted if expected else 2 * self._inner - weighted
        blocks = [self._block(inner, self.model.patterns.group == group) for group in range(self.model.groups)]
        cells = len(blocks[0])
        total = np.zeros((len(blocks) * cells, len(blocks) * cells))
        for place, block in enumerate(blocks):
            own = slice(place * cells, (place + 1) * cells)
            total[own, own] = block
        if expected:
            return total
        half = solve_triangular(self._factor, self._moved_moments().T, lower=True)
        total -= 2 * half.T @ half
        if complete and self.model.reml:
            inverse = solve_triangular(self._factor, np.eye(len(self.beta)), lower=True)
            turned = (inverse @ self.moved @ inverse.T).reshape(len(total), -1)
            total -= turned @ turned.T
        return total

    def _block(self, inner: FloatArray, mine: NDArray[np.bool_]) -> FloatArray:
        """sum tr(D W E inner) over the patterns of a group, for all pairs of cells."""
        visits = self.model.visits
        flat = self.weights[mine].reshape(-1, visits**2).T @ inner[mine].reshape(-1, visits**2)
        # flat is over (b, c), (a, d) for D = e_a e_b', E = e_c e_d'.
        table = flat.reshape(visits, visits, visits, visits).transpose(2, 0, 1, 3)
        once = in_cells(table.reshape(visits, visits, -1))
        return in_cells(once.T.reshape(visits, visits, -1)).T

    def _moved_moments(self) -> FloatArray:
        """b_D for every cell (groups * cells, p)."""
        visits, known, _ = self.model.design.shape
        residual = self.weights @ self._scatter[1]
        found = []
        for group in range(self.model.groups):
            mine = self.model.patterns.group == group
            flat = self.weights[mine].reshape(-1, visits**2).T @ residual[mine].reshape(-1, visits * known)
            table = flat.reshape(visits, visits, visits, known).transpose(1, 2, 0, 3)
            found.append(in_cells(table.reshape(visits, visits, -1)) @ self.model.expand)
        return np.concatenate(found)

    @cached_property
    def moved(self) -> FloatArray:
        """A_D for every cell (groups * cells, p, p): minus the derivative of A."""
        groups = range(self.model.groups)
        return np.concatenate([self._moved_in(self.model.patterns.group == group) for group in groups])

    def _moved_in(self, mine: NDArray[np.bool_]) -> FloatArray:
        """A_D of one group: first visit by first visit, so that no table is larger than V^3 by G."""
        weights, known = self.weights[mine], self.model.patterns.uu[mine]
        found = []
        for first in range(self.model.visits):
            # W e_a e_b' W for a = first and all b >= a.
            outer = weights[:, None, :, first, None] * weights[:, first:, None, :]
            flat = outer.reshape(len(outer), -1).T @ known.reshape(len(known), -1)
            found.append(self._joined(flat, self.model.visits - first))
        return np.concatenate(found)

    def _joined(self, flat: FloatArray, seconds: int) -> FloatArray:
        visits, known, terms = self.model.design.shape
        full = flat.reshape(seconds, visits, visits, known, known).transpose(0, 1, 3, 2, 4)
        rows = full.reshape(-1, visits * known) @ self.model.expand
        half = self.model.expand.T @ rows.reshape(seconds, visits * known, terms)
        half[1:] += half[1:].transpose(0, 2, 1).copy()
        return np.asarray(half)


@lru_cache(maxsize=64)
def upper_cells(visits: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the cells a <= b; asked for at every step, so kept."""
    return np.triu_indices(visits)


def in_cells(table: FloatArray) -> FloatArray:
    """From (V, V, ...) over e_a e_b' to the symmetric directions of the cells a <= b: (cells, ...)."""
    rows, columns = upper_cells(len(table))
    found = table[rows, columns].copy()
    apart = rows != columns
    found[apart] += table[columns[apart], rows[apart]]
    return found
