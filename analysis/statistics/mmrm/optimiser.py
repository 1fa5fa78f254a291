"""Newton's method for the covariance parameters, with halved steps where the likelihood would fall."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from analysis.statistics.mmrm.likelihood import Model, State, in_cells, upper_cells
from analysis.statistics.mmrm.patterns import Patterns
from analysis.statistics.mmrm.structures import Structure

FloatArray = NDArray[np.float64]
_STEPS = 200
_HALVINGS = 40
# Half the decrement is how far the log-likelihood still is from its maximum; estimates are then right to about
# its square root, in units of their standard errors.
_DECREMENT = 1e-13
# Below this share of the largest, an eigenvalue of the correlations counts as none.
_SINGULAR = 1e-9


class ConvergenceError(ValueError):
    """The covariance structure could not be fitted; the message says what to change."""


@dataclass(frozen=True)
class Solution:
    """The maximum: parameters theta (q,), the likelihood there, and steps taken."""

    covariances: "Covariances"
    theta: FloatArray
    state: State
    iterations: int

    @cached_property
    def directions(self) -> FloatArray:
        """Derivative of sigma in every parameter: (q, groups, V, V)."""
        return self.covariances.directions(self.theta)

    @cached_property
    def parameter_variance(self) -> FloatArray:
        """Inverse of the observed information of theta (q, q). Raises ConvergenceError where there is none."""
        information = self.covariances.hessian(self.theta, self.state, complete=True) / 2
        scale = np.sqrt(np.abs(np.diag(information)))
        try:
            factor = cho_factor(information / np.outer(scale, scale))
        except LinAlgError:
            raise ConvergenceError(_unidentified(self.covariances.name)) from None
        return np.asarray(cho_solve(factor, np.eye(len(scale))) / np.outer(scale, scale))


@dataclass(frozen=True)
class Covariances:
    """One structure, for one matrix or one per group; theta holds the groups' parameters one after another."""

    name: str
    structure: Structure
    groups: int

    def _split(self, theta: FloatArray) -> FloatArray:
        return theta.reshape(self.groups, self.structure.count)

    def sigma(self, theta: FloatArray) -> FloatArray:
        """The matrices (groups, V, V)."""
        return np.stack([self.structure.sigma(part) for part in self._split(theta)])

    def directions(self, theta: FloatArray) -> FloatArray:
        """Derivatives of the matrices (q, groups, V, V), 0 in the other groups."""
        parts = np.stack([self.structure.jacobian(part) for part in self._split(theta)])
        groups, count, visits, _ = parts.shape
        found = np.zeros((groups, count, groups, visits, visits))
        found[np.arange(groups), :, np.arange(groups)] = parts
        return found.reshape(groups * count, groups, visits, visits)

    def cells(self, theta: FloatArray) -> FloatArray:
        """The directions by cell a <= b: (groups * cells, q)."""
        found = self.directions(theta)
        rows, columns = upper_cells(found.shape[-1])
        return np.asarray(found[:, :, rows, columns].reshape(len(found), -1).T)

    def gradient(self, theta: FloatArray, state: State) -> FloatArray:
        """Derivative of the deviance (q,)."""
        slope = np.concatenate([in_cells(part) for part in state.slope])
        return np.asarray(self.cells(theta).T @ slope)

    def hessian(self, theta: FloatArray, state: State, *, expected: bool = False, complete: bool = False) -> FloatArray:
        """Second derivatives of the deviance (q, q)."""
        cells = self.cells(theta)
        found = cells.T @ state.hessian(expected=expected, complete=complete) @ cells
        if not expected:
            for group, (part, slope) in enumerate(zip(self._split(theta), state.slope, strict=True)):
                own = slice(group * self.structure.count, (group + 1) * self.structure.count)
                found[own, own] += self.structure.curvature(part, slope)
        return np.asarray(found)

    def step(self, theta: FloatArray, state: State) -> tuple[FloatArray, float]:
        """Newton's step, by the expected information where the observed is not positive definite; its decrement."""
        gradient = self.gradient(theta, state)
        for expected in (False, True):
            try:
                factor = cho_factor(self.hessian(theta, state, expected=expected))
            except LinAlgError:
                continue
            step = cho_solve(factor, gradient)
            return -step, float(gradient @ step)
        raise ConvergenceError(_unidentified(self.name))


def maximise(
    model: Model, covariances: Covariances, start: FloatArray, *, decrement_at_end: float = _DECREMENT
) -> Solution:
    """The maximum of the likelihood from a start (q,). Raises ConvergenceError.

    decrement_at_end: where to stop; resamples, whose estimates nobody reads to the last digit, may stop earlier.
    """
    theta, state = start, model.at(covariances.sigma(start))
    for iteration in range(_STEPS):
        if state is None:
            break
        _require_inside(covariances.name, state.sigma)
        step, decrement = covariances.step(theta, state)
        if decrement < decrement_at_end:
            # The last step costs one more look at the likelihood and adds digits.
            last = model.at(covariances.sigma(theta + step))
            return (
                Solution(covariances, theta + step, last, iteration)
                if last
                else Solution(covariances, theta, state, iteration)
            )
        theta, state = _move(model, covariances, theta, state, step, decrement)
    raise ConvergenceError(
        f"The model with covariance {covariances.name!r} did not converge in {_STEPS} steps. Choose a structure "
        "with fewer parameters (toeph, ar1h, csh), or use fit_first_converging with a list written beforehand."
    )


def _move(
    model: Model, covariances: Covariances, theta: FloatArray, state: State, step: FloatArray, decrement: float
) -> tuple[FloatArray, State | None]:
    """The longest of the step and its halves that lowers the deviance."""
    # Two deviances closer than their rounding cannot be told apart.
    slack = 1e-12 * abs(state.deviance)
    for halving in range(_HALVINGS):
        share = 0.5**halving
        trial = theta + share * step
        with np.errstate(over="ignore", invalid="ignore"):
            found = model.at(covariances.sigma(trial))
        if found is not None and found.deviance <= state.deviance - 1e-4 * share * decrement + slack:
            return trial, found
    return theta, None


def _require_inside(name: str, sigma: FloatArray) -> None:
    """Stop on the way to a singular matrix: a likelihood without a maximum rises for ever."""
    sd = np.sqrt(np.diagonal(sigma, axis1=1, axis2=2))
    values = np.linalg.eigvalsh(sigma / (sd[:, :, None] * sd[:, None, :]))
    if (values[:, 0] < _SINGULAR * values[:, -1]).any():
        raise ConvergenceError(_unidentified(name))


def require_every_pair(patterns: Patterns, name: str) -> None:
    """A covariance of two visits that no subject of the group has both of is in no likelihood: it may be anything."""
    for group in np.unique(patterns.group):
        if not patterns.pairs_observed[patterns.group == group].any(axis=0).all():
            raise ConvergenceError(_unidentified(name))


def _unidentified(name: str) -> str:
    return (
        f"The data do not determine the covariance {name!r}: it is singular, or visits were never seen together "
        "in one subject. Choose a structure with fewer parameters (toeph, ar1h, csh), or join visits."
    )
