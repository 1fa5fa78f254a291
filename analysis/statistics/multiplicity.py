"""Several hypotheses at one error: step-wise, in sequence, and by graphs, in one look or in many.

p-values and alpha belong to the same side: one-sided p with the one-sided alpha of 0.025, or two-sided with
0.05.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics import sequential
from analysis.statistics.arguments import error_rate, floats

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Decisions:
    """rejected (m,) at alpha, and adjusted_p (m,): the smallest alpha at which each would be rejected."""

    rejected: BoolArray
    adjusted_p: FloatArray


@dataclass(frozen=True)
class SequentialDecisions:
    """rejected (m,); look (m,): the look, from 1, at which each was rejected, 0 where it was not.

    weights (m,): the shares of alpha the hypotheses not rejected hold at the end.
    """

    rejected: BoolArray
    look: IntArray
    weights: FloatArray


def holm(p: ArrayLike, *, alpha: float = 0.025) -> Decisions:
    """Holm's step-down procedure, valid whatever the dependence (Holm 1979, Scand J Statist 6:65). p (m,)."""
    values = _p_values(p)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    return _decided(stepped, order, alpha)


def hochberg(p: ArrayLike, *, alpha: float = 0.025) -> Decisions:
    """Hochberg's step-up procedure, valid for independent or positively dependent p (Hochberg 1988,
    Biometrika 75:800). p (m,).
    """
    values = _p_values(p)
    order = np.argsort(-values, kind="stable")
    stepped = np.minimum.accumulate(values[order] * np.arange(1, values.size + 1))
    return _decided(stepped, order, alpha)


def fixed_sequence(p: ArrayLike, *, alpha: float = 0.025) -> Decisions:
    """Each hypothesis at full alpha, in the order given, until one is not rejected (Maurer et al. 1995). p
    (m,).
    """
    values = _p_values(p)
    return _decided(np.maximum.accumulate(values), np.arange(values.size), alpha)


def graphical(weights: ArrayLike, transitions: ArrayLike, p: ArrayLike, *, alpha: float = 0.025) -> Decisions:
    """Weighted Bonferroni tests that hand on their alpha along a graph (Bretz et al. 2009, Stat Med 28:586).

    weights (m,): share of alpha of each hypothesis at the start, from 0, adding up to at most 1.
    transitions (m, m): share of a rejected hypothesis' alpha that goes to each other, zero diagonal, rows
    up to 1. p (m,). Raises ValueError naming the argument.
    """
    values = _p_values(p)
    graph = _Graph.start(weights, transitions, values.size)
    adjusted = np.ones(values.size)
    reached = 0.0
    while graph.open.any():
        share = np.maximum(graph.weights, 1e-300)
        needed = np.where(graph.open & (graph.weights > 0), values / share, np.inf)
        best = int(needed.argmin())
        if not needed[best] < 1:
            break
        reached = max(reached, float(needed[best]))
        adjusted[best] = reached
        graph = graph.without(best)
    return Decisions(adjusted <= error_rate("alpha", alpha), adjusted)


def group_sequential_graphical(
    weights: ArrayLike,
    transitions: ArrayLike,
    spending: Sequence[sequential.Family],
    z: ArrayLike,
    *,
    timing: ArrayLike | None = None,
    alpha: float = 0.025,
) -> SequentialDecisions:
    """The same over the looks of a group-sequential trial, each hypothesis with its own spending function.

    weights (m,), transitions (m, m): as for `graphical`. spending (m,): one family each. z (looks so far,
    m): the statistic of each hypothesis at each look, larger is better, nan where it is not tested. timing:
    information fractions of all planned looks, (K,) for all hypotheses or (m, K), the last 1; None: the looks in
    z are all there are, at equal steps of information. alpha: of one side.

    At a look a hypothesis is rejected when its smallest sequential p so far is at most its share of alpha,
    so that alpha received later also applies to earlier looks, and alpha is spent by the hypothesis' own
    function: after an early stop a secondary hypothesis is tested at what its function has spent by then,
    not at full alpha. Raises ValueError naming the argument. Reference: Maurer & Bretz (2013), Stat
    Biopharm Res 5:311; Glimm, Maurer & Bretz (2010), Stat Med 29:219; Liu & Anderson (2008), JASA 103:1581.
    """
    statistics = floats("z", z)
    if statistics.ndim != 2 or np.any(np.isinf(statistics)):
        msg = f"z has shape {statistics.shape}; allowed is (looks so far, hypotheses), nan where not tested."
        raise ValueError(msg)
    graph = _Graph.start(weights, transitions, statistics.shape[1])
    sequential_p = _running_p(statistics, spending, timing, error_rate("alpha", alpha))
    looks = np.zeros(statistics.shape[1], dtype=np.intp)
    for look, p in enumerate(sequential_p, start=1):
        while (passed := graph.open & (p <= graph.weights * alpha)).any():
            first = int(passed.argmax())
            looks[first] = look
            graph = graph.without(first)
    return SequentialDecisions(looks > 0, looks, graph.weights)


@dataclass(frozen=True)
class _Graph:
    """Hypotheses still open, their shares of alpha, and where these go."""

    weights: FloatArray
    transitions: FloatArray
    open: BoolArray

    @classmethod
    def start(cls, weights: ArrayLike, transitions: ArrayLike, hypotheses: int) -> "_Graph":
        shares, edges = floats("weights", weights), floats("transitions", transitions)
        if shares.shape != (hypotheses,) or np.any(~(shares >= 0)) or shares.sum() > 1 + 1e-9:
            msg = f"weights is {shares.tolist()}; allowed are {hypotheses} shares from 0, together at most 1."
            raise ValueError(msg)
        if edges.shape != (hypotheses, hypotheses):
            msg = f"transitions has shape {edges.shape}; allowed is ({hypotheses}, {hypotheses})."
            raise ValueError(msg)
        if np.any(~(edges >= 0)) or np.any(edges.sum(axis=1) > 1 + 1e-9) or np.any(np.diag(edges) != 0):
            raise ValueError("transitions must be from 0, with rows adding up to at most 1 and a zero diagonal.")
        return cls(shares, edges, np.ones(hypotheses, dtype=bool))

    def without(self, rejected: int) -> "_Graph":
        """The graph after a rejection: its alpha handed on, its edges joined."""
        weights = self.weights + self.weights[rejected] * self.transitions[rejected]
        out, into = self.transitions[rejected], self.transitions[:, rejected]
        joined = self.transitions + np.outer(into, out)
        back = 1 - into * out
        edges = np.where(back[:, None] > 1e-12, joined / np.maximum(back, 1e-12)[:, None], 0.0)
        np.fill_diagonal(edges, 0.0)
        still = self.open.copy()
        still[rejected] = False
        edges[rejected], edges[:, rejected], weights[rejected] = 0.0, 0.0, 0.0
        return _Graph(weights, edges, still)


def _running_p(
    statistics: FloatArray, spending: Sequence[sequential.Family], timing: ArrayLike | None, alpha: float
) -> FloatArray:
    """Smallest sequential p so far, (looks so far, m); 1 where a hypothesis has not been tested."""
    looks, hypotheses = statistics.shape
    if not isinstance(spending, Sequence) or len(spending) != hypotheses:
        msg = f"spending is {spending!r}; allowed is one for each of {hypotheses} hypotheses."
        raise ValueError(msg)
    equal_steps = np.arange(1, looks + 1) / max(looks, 1)
    fractions = equal_steps if timing is None else floats("timing", timing)
    if fractions.ndim == 1:
        fractions = np.tile(fractions, (hypotheses, 1))
    if fractions.ndim != 2 or fractions.shape[0] != hypotheses or fractions.shape[1] < looks:
        msg = f"timing has shape {fractions.shape}; allowed is (K,) or ({hypotheses}, K), K from {looks} looks."
        raise ValueError(msg)
    p = np.ones_like(statistics)
    for j, (family, column) in enumerate(zip(spending, statistics.T, strict=True)):
        design = sequential.design(fractions[j], alpha=alpha, efficacy=family)
        p[:, j] = _running_p_of(column, design)
    return p


def _running_p_of(column: FloatArray, design: sequential.Design) -> FloatArray:
    tested = ~np.isnan(column)
    # An untested look rejects nothing; a very low z says so.
    filled = np.where(tested, column, -50.0)
    at_look = sequential.repeated_intervals(filled, np.ones_like(filled), design=design).p
    return np.minimum.accumulate(np.where(tested, at_look, 1.0))


def _decided(stepped: FloatArray, order: IntArray, alpha: float) -> Decisions:
    """Adjusted p in the order of the procedure, put back in the order given."""
    adjusted = np.empty(stepped.size)
    adjusted[order] = np.minimum(stepped, 1.0)
    return Decisions(adjusted <= error_rate("alpha", alpha), adjusted)


def _p_values(p: ArrayLike) -> FloatArray:
    values = floats("p", p)
    if values.ndim != 1 or values.size == 0 or not np.all((values >= 0) & (values <= 1)):
        msg = f"p is {values.tolist()}; allowed are probabilities from 0 to 1, at least one."
        raise ValueError(msg)
    return values
