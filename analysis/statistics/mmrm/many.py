"""One contrast of the unstructured model fitted to many trials at once: what a simulation repeats ten thousand times.

The likelihood, the estimate and the degrees of freedom are those of `fit`, worked out for all trials together with
a leading axis T; tests hold both to the same digits. The covariance is sought in its cells themselves: as the
estimate is a maximum and both approximations of the degrees of freedom are linear in the derivatives, the
parameters chosen do not change them. A trial that does not converge here is left to `fit_first_converging`.
Notation as in `likelihood`; S (c, V V) holds the symmetric direction of each cell a <= b.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Self

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
_STEPS = 40
_HALVINGS = 12
# As in `optimiser`: estimates are right to about its square root, in units of their standard errors.
_DECREMENT = 1e-13


@dataclass(frozen=True)
class ManyTrials:
    """Sums of T trials over the patterns of observed visits.

    observed (G, V), the same for all; count (T, G); uu (T, G, k, k), yu (T, G, V, k), yy (T, G, V, V) as in
    `Patterns`; design C (V, k, p).
    """

    observed: BoolArray
    count: FloatArray
    uu: FloatArray
    yu: FloatArray
    yy: FloatArray
    design: FloatArray

    @cached_property
    def expand(self) -> FloatArray:
        """C as (V k, p)."""
        visits, known, terms = self.design.shape
        return self.design.reshape(visits * known, terms)

    @cached_property
    def pairs(self) -> BoolArray:
        """Both visits of a pair observed (G, V, V)."""
        return np.asarray(self.observed[:, :, None] & self.observed[:, None, :])

    @cached_property
    def directions(self) -> FloatArray:
        """S (c, V V)."""
        return cell_directions(self.observed.shape[1])

    def take(self, trials: NDArray[np.intp] | BoolArray) -> Self:
        """Some of the trials."""
        return type(self)(
            self.observed, self.count[trials], self.uu[trials], self.yu[trials], self.yy[trials], self.design
        )

    def crossed(self, cells: FloatArray) -> FloatArray:
        """Sum over patterns of X' M X for matrices M (T, ..., G, V, V): (T, ..., p, p)."""
        visits, known, _ = self.design.shape
        front, groups = cells.shape[:-3], cells.shape[-3]
        middle = (1,) * (len(front) - 1)
        flat = cells.reshape(*front, groups, -1).swapaxes(-1, -2) @ self.uu.reshape(len(cells), *middle, groups, -1)
        full = flat.reshape(*front, visits, visits, known, known).swapaxes(-2, -3)
        return np.asarray(self.expand.T @ full.reshape(*front, visits * known, -1) @ self.expand)


@dataclass(frozen=True)
class ManyContrasts:
    """One contrast of each trial; all (T,). se by Satterthwaite's model and by Kenward and Roger's, which share df.

    Where `converged` is False the numbers are nan.
    """

    estimate: FloatArray
    se: FloatArray
    se_kenward_roger: FloatArray
    df: FloatArray
    converged: BoolArray


def many_trials(response: FloatArray, known: FloatArray, by_visit: Sequence[int]) -> ManyTrials:
    """T trials of n participants: response (T, n, V), nan where missing; known (T, n, k) with 1 first.

    Every known column has a term, and those in `by_visit` (the first must be) one more for each visit but the
    first: terms in this order.
    """
    observed = np.isfinite(response)
    codes = observed @ (1 << np.arange(observed.shape[-1]))
    patterns = np.unique(codes[codes > 0])
    members = (codes[:, None, :] == patterns[:, None]).astype(float)
    count, participants, visits = response.shape
    y, width = np.where(observed, response, 0.0), known.shape[-1]
    shape = (count, len(patterns))

    def sums(left: FloatArray, right: FloatArray) -> FloatArray:
        products = (left[..., :, None] * right[..., None, :]).reshape(count, participants, -1)
        return np.asarray((members @ products).reshape(*shape, left.shape[-1], right.shape[-1]))

    design = np.zeros((visits, width, width + len(by_visit) * (visits - 1)))
    design[:, np.arange(width), np.arange(width)] = 1.0
    for place, (column, visit) in enumerate(product(by_visit, range(1, visits)), start=width):
        design[visit, column, place] = 1.0
    seen = (patterns[:, None] >> np.arange(visits)) & 1 == 1
    return ManyTrials(seen, members.sum(axis=2), sums(known, known), sums(y, known), sums(y, y), design)


def fit_many(trials: ManyTrials, contrast: FloatArray) -> ManyContrasts:
    """The contrast (p,) of every trial under an unstructured covariance, by REML."""
    sigma, found = _maximise(trials)
    count = len(trials.count)
    numbers = np.full((4, count), np.nan)
    if found.any():
        numbers[:, found] = _inference(_State(trials.take(found), sigma[found]), contrast)
    found &= np.isfinite(numbers).all(axis=0)
    numbers[:, ~found] = np.nan
    return ManyContrasts(numbers[0], numbers[1], numbers[2], numbers[3], found)


def cell_directions(visits: int) -> FloatArray:
    """S (c, V V): the symmetric matrices of ones in each cell a <= b."""
    rows, columns = np.triu_indices(visits)
    matrices = np.zeros((len(rows), visits, visits))
    places = np.arange(len(rows))
    matrices[places, rows, columns] = matrices[places, columns, rows] = 1.0
    return matrices.reshape(len(rows), -1)


class _State:
    """The likelihood of every trial at a covariance of its own, sigma (T, V, V), all positive definite."""

    def __init__(self, trials: ManyTrials, sigma: FloatArray) -> None:
        self.trials, self.sigma = trials, sigma
        filled = np.where(trials.pairs, sigma[:, None], np.eye(sigma.shape[-1]))
        self.weights = np.linalg.inv(filled) * trials.pairs
        factor = np.linalg.cholesky(trials.crossed(self.weights))
        half = np.linalg.inv(factor)
        self.half = half
        self.variance = half.swapaxes(1, 2) @ half
        moments = (self.weights @ trials.yu).sum(axis=1).reshape(len(sigma), -1)
        self.beta = (self.variance @ (moments @ trials.expand)[..., None])[..., 0]
        self.by_visit = (self.beta @ trials.expand.T).reshape(len(sigma), *trials.design.shape[:2])
        fitted = self.by_visit[:, None] @ trials.uu
        crossed = trials.yu @ self.by_visit[:, None].swapaxes(-1, -2)
        self.left = trials.yu - fitted
        self.scatter = trials.yy - crossed - crossed.swapaxes(-1, -2) + fitted @ self.by_visit[:, None].swapaxes(-1, -2)
        log_determinants = np.linalg.slogdet(filled)[1]
        diagonal = np.diagonal(factor, axis1=1, axis2=2)
        self.deviance = (
            (trials.count * log_determinants).sum(axis=1)
            + 2 * np.log(diagonal).sum(axis=1)
            + (self.weights * self.scatter).sum(axis=(1, 2, 3))
        )

    def among(self, keep: BoolArray) -> "_State":
        """The same of some of the trials."""
        if keep.all():
            return self
        some = object.__new__(_State)
        some.trials = self.trials.take(keep)
        for name in vars(self).keys() - {"trials"}:
            setattr(some, name, getattr(self, name)[keep])
        return some

    @cached_property
    def inner(self) -> FloatArray:
        """W (R + P) W (T, G, V, V)."""
        visits, known, _ = self.trials.design.shape
        count, groups = self.trials.count.shape
        spread = self.trials.expand @ self.variance @ self.trials.expand.T
        flat = spread.reshape(count, visits, known, visits, known).swapaxes(2, 3).reshape(count, visits**2, -1)
        added = self.trials.uu.reshape(count, groups, -1) @ flat.swapaxes(1, 2)
        return np.asarray(self.weights @ (self.scatter + added.reshape(self.scatter.shape)) @ self.weights)

    @cached_property
    def gradient(self) -> FloatArray:
        """Of the deviance in the cells (T, c)."""
        slope = (self.trials.count[..., None, None] * self.weights - self.inner).sum(axis=1)
        return np.asarray(slope.reshape(len(slope), -1) @ self.trials.directions.T)

    def expected(self) -> FloatArray:
        """Information of the covariance for known means, on the deviance's scale (T, c, c)."""
        return self._block(self.trials.count[..., None, None] * self.weights)

    def observed(self) -> FloatArray:
        """Second derivatives of the deviance without the last REML term (T, c, c)."""
        weighted = self.trials.count[..., None, None] * self.weights
        moved = self.half @ self._moved_moments().swapaxes(1, 2)
        return self._block(2 * self.inner - weighted) - 2 * moved.swapaxes(1, 2) @ moved

    def _block(self, inner: FloatArray) -> FloatArray:
        """sum tr(D W E inner) for all pairs of cells."""
        count, groups = self.trials.count.shape
        visits = inner.shape[-1]
        flat = self.weights.reshape(count, groups, -1).swapaxes(1, 2) @ inner.reshape(count, groups, -1)
        # flat is over (b, c), (a, d) for D = e_a e_b', E = e_c e_d'.
        table = flat.reshape(count, visits, visits, visits, visits).transpose(0, 3, 1, 2, 4)
        directions = self.trials.directions
        return np.asarray(directions @ table.reshape(count, visits**2, -1) @ directions.T)

    def _moved_moments(self) -> FloatArray:
        """b_D for every cell (T, c, p)."""
        count, groups = self.trials.count.shape
        visits, known, _ = self.trials.design.shape
        residual = (self.weights @ self.left).reshape(count, groups, -1)
        flat = self.weights.reshape(count, groups, -1).swapaxes(1, 2) @ residual
        table = flat.reshape(count, visits, visits, visits, known).transpose(0, 2, 3, 1, 4)
        rows = self.trials.directions @ table.reshape(count, visits**2, -1)
        return np.asarray(rows @ self.trials.expand)

    @cached_property
    def moved(self) -> FloatArray:
        """A_D for every cell (T, c, p, p)."""
        visits = self.sigma.shape[-1]
        directions = self.trials.directions.reshape(-1, 1, visits, visits)
        turned = self.weights[:, None] @ directions @ self.weights[:, None]
        return self.trials.crossed(turned)

    def parameter_variance(self) -> FloatArray:
        """Inverse of the observed information of the cells (T, c, c); nan where there is none."""
        count, cells = self.moved.shape[:2]
        turned = (self.half[:, None] @ self.moved @ self.half[:, None].swapaxes(-1, -2)).reshape(count, cells, -1)
        information = (self.observed() - turned @ turned.swapaxes(1, 2)) / 2
        good = np.linalg.eigvalsh(information)[:, 0] > 0
        found = np.full_like(information, np.nan)
        found[good] = np.linalg.inv(information[good])
        return found


def _maximise(trials: ManyTrials) -> tuple[FloatArray, BoolArray]:
    """The covariance of each trial (T, V, V), and which have converged."""
    sigma, begun = _start(trials)
    converged = np.zeros(len(sigma), dtype=bool)
    going = np.flatnonzero(begun)
    state = _State(trials.take(going), sigma[going]) if len(going) else None
    for _ in range(_STEPS):
        if state is None or not len(going):
            break
        step, decrement = _newton(state)
        done = decrement < _DECREMENT
        state, accepted = _move(state, step, decrement)
        sigma[going] = state.sigma
        converged[going[done]] = True
        keep = accepted & ~done
        going = going[keep]
        state = state.among(keep)
    return sigma, converged


def _start(trials: ManyTrials) -> tuple[FloatArray, BoolArray]:
    """Moments of the residuals of least squares over pairs of visits; which trials can be begun."""
    visits = trials.observed.shape[1]
    identity = np.broadcast_to(np.eye(visits), (len(trials.count), visits, visits))
    seen = np.einsum("tg,gab->tab", trials.count, trials.pairs.astype(float))
    gram = trials.crossed(np.broadcast_to(np.eye(visits) * trials.pairs, (len(seen), *trials.pairs.shape)))
    scale = np.sqrt(np.einsum("tpp->tp", gram))
    regular = (scale > 0).all(axis=1) & (np.einsum("taa->ta", seen) >= 2).all(axis=1)
    sized = gram[regular] / (scale[regular, :, None] * scale[regular, None, :])
    # Cross-products square the share that is left of a term: see columns.require_full_rank.
    regular[regular] = np.linalg.eigvalsh(sized)[:, 0] > 1e-10
    sigma = identity.copy()
    if regular.any():
        scatter = _State(trials.take(regular), identity[regular]).scatter.sum(axis=1)
        sigma[regular] = _repaired(scatter / np.maximum(seen[regular], 1.0))
    return sigma, regular


def _repaired(moments: FloatArray) -> FloatArray:
    """Moments (T, V, V) made positive definite, as `starting_values` does."""
    variances = np.einsum("taa->ta", moments)
    sd = np.sqrt(np.maximum(variances, 1e-3 * variances.max(axis=1, keepdims=True)))
    correlations = moments / (sd[:, :, None] * sd[:, None, :])
    np.einsum("taa->ta", correlations)[...] = 1.0
    values, axes = np.linalg.eigh(correlations)
    whole = (axes * np.maximum(values, 0.05)[:, None, :]) @ axes.swapaxes(1, 2)
    scale = sd / np.sqrt(np.einsum("taa->ta", whole))
    return np.asarray(whole * scale[:, :, None] * scale[:, None, :])


def _newton(state: _State) -> tuple[FloatArray, FloatArray]:
    """The step in the cells (T, c) and its decrement (T,).

    Where the observed information is not definite the expected is used.
    """
    hessian = state.observed()
    bent = np.linalg.eigvalsh(hessian)[:, 0] <= 0
    if bent.any():
        hessian[bent] = state.expected()[bent]
    step: FloatArray = np.asarray(np.linalg.solve(hessian, state.gradient[..., None])[..., 0])
    return -step, np.asarray(np.einsum("tc,tc->t", state.gradient, step))


def _move(state: _State, step: FloatArray, decrement: FloatArray) -> tuple[_State, BoolArray]:
    """The state after the longest of each step and its halves that lowers its deviance, and for whom one was found."""
    sigma = state.sigma.copy()
    visits = sigma.shape[-1]
    change = (step @ state.trials.directions).reshape(sigma.shape)
    open_ = np.arange(len(sigma))
    for halving in range(_HALVINGS):
        share = 0.5**halving
        tried = state.sigma[open_] + share * change[open_]
        inside = np.linalg.eigvalsh(tried)[:, 0] > 1e-9 * np.trace(tried, axis1=1, axis2=2) / visits
        better = inside.copy()
        if inside.any():
            found = _State(state.trials.take(open_[inside]), tried[inside])
            before = state.deviance[open_[inside]]
            slack = 1e-12 * np.abs(before)
            better[inside] = found.deviance <= before - 1e-4 * share * decrement[open_[inside]] + slack
            if better.all() and len(better) == len(sigma):
                # As nearly always: the whole step for everybody, and its state need not be worked out again.
                return found, better
        sigma[open_[better]] = tried[better]
        open_ = open_[~better]
        if not len(open_):
            break
    accepted = np.ones(len(sigma), dtype=bool)
    accepted[open_] = False
    return _State(state.trials, sigma), accepted


def _inference(state: _State, contrast: FloatArray) -> FloatArray:
    """estimate, se, se of Kenward and Roger, df: (4, T). Formulas and references as in `inference`."""
    weights = state.parameter_variance()
    turned = state.variance @ contrast
    variance = turned @ contrast
    by_cell = (state.moved @ turned[:, None, :, None])[..., 0]
    slopes = np.einsum("tcp,tp->tc", by_cell, turned)
    df = 2 * variance**2 / np.einsum("tc,tcd,td->t", slopes, weights, slopes)
    pairs = np.einsum("tcd,tcp,tpq,tdq->t", weights, by_cell, state.variance, by_cell, optimize=True)
    twice = np.einsum("tp,tpq,tq->t", turned, _twice_moved(state, weights), turned)
    adjusted = variance + 2 * (twice - pairs)
    with np.errstate(invalid="ignore"):
        return np.stack([state.beta @ contrast, np.sqrt(variance), np.sqrt(adjusted), df])


def _twice_moved(state: _State, weights: FloatArray) -> FloatArray:
    """sum over r, s of w_rs X'W D_r W D_s W X (T, p, p)."""
    count, groups = state.trials.count.shape
    visits = state.sigma.shape[-1]
    directions = state.trials.directions
    both = (directions.T @ weights @ directions).reshape(count, visits, visits, visits, visits)
    # D_r W D_s at (a, d) is the sum over (b, c) of D_r[ab] W[bc] D_s[cd].
    table = both.transpose(0, 2, 3, 1, 4).reshape(count, visits**2, -1)
    cells = (state.weights.reshape(count, groups, -1) @ table).reshape(state.weights.shape)
    return state.trials.crossed(state.weights @ cells @ state.weights)
