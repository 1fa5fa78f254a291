"""Standard errors, degrees of freedom and tests for linear combinations of the coefficients.

Satterthwaite: Fai & Cornelius (1996), J Stat Comput Simul 54:363. Kenward & Roger (1997), Biometrics 53:983,
in the linear form, without second derivatives of the covariance. The variance of the covariance parameters is
the inverse of their observed information.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import f as fisher
from scipy.stats import t as student

from analysis.statistics.mmrm.likelihood import State
from analysis.statistics.mmrm.optimiser import Solution

FloatArray = NDArray[np.float64]
DegreesOfFreedom = Literal["satterthwaite", "kenward_roger", "residual"]


@dataclass(frozen=True)
class LinearTest:
    """Wald test of L beta = 0: F on numerator_df and denominator_df, and its p."""

    F: float
    numerator_df: int
    denominator_df: float
    p: float


@dataclass(frozen=True)
class Inference:
    """Linear combinations of beta (p,), whose model-based variance is scale squared times the solution's."""

    solution: Solution
    beta: FloatArray
    method: DegreesOfFreedom
    residual_df: float
    level: float
    scale: float

    @property
    def _state(self) -> State:
        return self.solution.state

    @cached_property
    def _moved(self) -> FloatArray:
        """X'W D W X for every covariance parameter (q, p, p)."""
        cells = self.solution.covariances.cells(self.solution.theta)
        flat = self._state.moved.reshape(len(cells), -1)
        return (cells.T @ flat).reshape(-1, len(self.beta), len(self.beta))

    @cached_property
    def variance(self) -> FloatArray:
        """Variance of beta (p, p) in the units of the solution, that of Kenward and Roger where they were asked for."""
        if self.method != "kenward_roger":
            return self._state.variance
        phi, weights = self._state.variance, self.solution.parameter_variance
        mixed = np.tensordot(weights, self._moved, axes=1)
        pairs = np.einsum("rij,jk,rkl->il", mixed, phi, self._moved, optimize=True)
        return np.asarray(phi + 2 * phi @ (self._twice_moved() - pairs) @ phi)

    def _twice_moved(self) -> FloatArray:
        """sum over r, s of w_rs X'W D_r W D_s W X, without forming a term (p, p)."""
        model, weights = self._state.model, self._state.weights
        visits = model.visits
        cells = np.empty_like(weights)
        for group in range(model.groups):
            mine = model.patterns.group == group
            flat = self.solution.directions[:, group].reshape(-1, visits**2)
            both = (flat.T @ self.solution.parameter_variance @ flat).reshape(visits, visits, visits, visits)
            # D_r W D_s at (a, d) is the sum over (b, c) of D_r[ab] W[bc] D_s[cd].
            turned = both.transpose(1, 2, 0, 3).reshape(visits**2, visits**2)
            cells[mine] = (weights[mine].reshape(-1, visits**2) @ turned).reshape(-1, visits, visits)
        return model.crossed(weights @ cells @ weights)

    def _gradients(self, rows: FloatArray) -> FloatArray:
        """Derivatives of the model-based variance of each combination in the covariance parameters (n, q)."""
        turned = rows @ self._state.variance
        return np.asarray(np.einsum("ni,qij,nj->nq", turned, self._moved, turned, optimize=True))

    def degrees_of_freedom(self, rows: FloatArray) -> FloatArray:
        """One per combination (n,); Kenward and Roger's for one combination are Satterthwaite's."""
        if self.method == "residual":
            return np.full(len(rows), self.residual_df)
        variance = np.einsum("ni,ij,nj->n", rows, self._state.variance, rows)
        slopes = self._gradients(rows)
        spread = np.einsum("nq,qr,nr->n", slopes, self.solution.parameter_variance, slopes)
        return np.asarray(2 * variance**2 / spread)

    def table(self, rows: FloatArray) -> pd.DataFrame:
        """estimate, se, df, t, p, lower, upper of combinations (n, p)."""
        estimate = rows @ self.beta
        se = self.scale * np.sqrt(np.einsum("ni,ij,nj->n", rows, self.variance, rows))
        df = self.degrees_of_freedom(rows)
        t = estimate / se
        width = student.ppf((1 + self.level) / 2, df) * se
        columns = [estimate, se, df, t, 2 * student.sf(np.abs(t), df), estimate - width, estimate + width]
        return pd.DataFrame(dict(zip(("estimate", "se", "df", "t", "p", "lower", "upper"), columns, strict=True)))

    def test(self, rows: FloatArray) -> LinearTest:
        """Joint test that combinations (n, p), independent of each other, are all zero."""
        estimate = rows @ self.beta / self.scale
        variance = rows @ self.variance @ rows.T
        sd = np.sqrt(np.diag(variance))
        if not sd.all() or np.linalg.matrix_rank(variance / np.outer(sd, sd)) < len(rows):
            raise ValueError("L holds a row that is zero or follows from the others; give independent rows.")
        wald = float(estimate @ np.linalg.solve(variance, estimate)) / len(rows)
        scale, df = self._joint(rows)
        return LinearTest(scale * wald, len(rows), df, float(fisher.sf(scale * wald, len(rows), df)))

    def _joint(self, rows: FloatArray) -> tuple[float, float]:
        """Scale of the Wald statistic over its rank, and denominator degrees of freedom."""
        if self.method == "residual":
            return 1.0, self.residual_df
        if len(rows) == 1:
            return 1.0, float(self.degrees_of_freedom(rows)[0])
        return self._kenward_roger(rows) if self.method == "kenward_roger" else (1.0, self._fai_cornelius(rows))

    def _fai_cornelius(self, rows: FloatArray) -> float:
        """From the independent one-dimensional tests into which the joint one falls apart."""
        _, axes = np.linalg.eigh(rows @ self._state.variance @ rows.T)
        df = self.degrees_of_freedom(axes.T @ rows)
        if np.ptp(df) < 1e-8 * df.max():
            return float(df.mean())
        if (df <= 2).any():
            return 2.0
        expected = float((df / (df - 2)).sum())
        return 2 * expected / (expected - len(rows))

    def _kenward_roger(self, rows: FloatArray) -> tuple[float, float]:
        """Match the first two moments of the scaled statistic to those of an F (Kenward & Roger 1997, section 3)."""
        rank = len(rows)
        phi, weights = self._state.variance, self.solution.parameter_variance
        inner = rows.T @ np.linalg.solve(rows @ phi @ rows.T, rows)
        turned = inner @ phi @ self._moved @ phi
        traces = np.trace(turned, axis1=1, axis2=2)
        first = float(traces @ weights @ traces)
        second = float(np.einsum("qr,qij,rji->", weights, turned, turned, optimize=True))
        b = (first + 6 * second) / (2 * rank)
        g = ((rank + 1) * first - (rank + 4) * second) / ((rank + 2) * second)
        below = 3 * rank + 2 * (1 - g)
        c1, c2, c3 = g / below, (rank - g) / below, (rank + 2 - g) / below
        mean = 1 / (1 - second / rank)
        variance = 2 / rank * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
        ratio = variance / (2 * mean**2)
        df = 4 + (rank + 2) / (rank * ratio - 1)
        return df / (mean * (df - 2)), df
