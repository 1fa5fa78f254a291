"""Safety stopping rules: is a harm more frequent than the plan allows? Bayesian (beta-binomial) and exact binomial.

Both look at one proportion, say of participants with a serious adverse event in one arm, and both can be read as a
table made before the trial: so many events among so many participants stop it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Posterior:
    """What the beta-binomial rule says of `events` among `n`.

    mean, lower, upper: of the posterior, the interval with equal tails. probability: that the rate lies above the
    limit. stops: whether that is at least the threshold. boundary: the fewest events among n that stop; None if not
    even n do.
    """

    events: int
    n: int
    mean: float
    lower: float
    upper: float
    probability: float
    stops: bool
    boundary: int | None


@dataclass(frozen=True)
class ExactTest:
    """What the exact rule says of `events` among `n`.

    estimate, lower, upper: the rate with its Clopper-Pearson interval. p: one-sided, of so many events or more were
    the rate at the limit. stops: p <= alpha. boundary: as for `Posterior`.
    """

    events: int
    n: int
    estimate: float
    lower: float
    upper: float
    p: float
    stops: bool
    boundary: int | None


def beta_binomial(
    events: int,
    n: int,
    *,
    limit: float,
    threshold: float,
    prior: tuple[float, float] = (1.0, 1.0),
    level: float = 0.95,
) -> Posterior:
    """Stop when the posterior probability of a rate above `limit` reaches `threshold`.

    events of n participants, prior Beta(a, b), so that the posterior is Beta(a + events, b + n - events); limit,
    threshold and level are probabilities inside (0, 1). Looking often does not change a posterior, but it does change
    how often a harmless treatment is stopped: `stopping_probability` says how often. Raises ValueError naming the
    argument. References: Thall & Simon (1994), Biometrics 50:337; Geller et al. (2003), in Geller (ed.), Advances in
    Clinical Trial Biostatistics, ch. 3.
    """
    _check_counts(events, n)
    _check_probabilities(limit=limit, threshold=threshold, level=level)
    a, b = prior
    if not (a > 0 and b > 0 and np.isfinite([a, b]).all()):
        raise ValueError(f"prior is {prior}; allowed are two numbers above 0.")
    posterior = stats.beta(a + events, b + n - events)
    every = np.arange(n + 1)
    above = np.asarray(stats.beta.sf(limit, a + every, b + n - every))
    lower, upper = posterior.interval(level)
    return Posterior(
        events,
        n,
        float(posterior.mean()),
        float(lower),
        float(upper),
        float(above[events]),
        bool(above[events] >= threshold),
        _first(above >= threshold),
    )


def exact(events: int, n: int, *, limit: float, alpha: float, level: float = 0.95) -> ExactTest:
    """Stop when so many events or more would be unlikely, at most `alpha`, were the rate at `limit`.

    The one-sided exact binomial test of rate <= limit; arguments and errors as for `beta_binomial`. n of 0 never
    stops. References: Clopper & Pearson (1934), Biometrika 26:404; Goldman (1987), Control Clin Trials 8:93, for its
    use in monitoring toxicity.
    """
    _check_counts(events, n)
    _check_probabilities(limit=limit, alpha=alpha, level=level)
    tail = np.asarray(stats.binom.sf(np.arange(n + 1) - 1, n, limit))
    half = (1 - level) / 2
    lower = float(stats.beta.ppf(half, events, n - events + 1)) if events else 0.0
    upper = float(stats.beta.isf(half, events + 1, n - events)) if events < n else 1.0
    return ExactTest(
        events,
        n,
        events / n if n else float("nan"),
        lower,
        upper,
        float(tail[events]),
        bool(tail[events] <= alpha),
        _first(tail <= alpha),
    )


def stopping_probability(sizes: ArrayLike, boundaries: ArrayLike, *, rate: float) -> NDArray[np.float64]:
    """How often a rule has stopped by each look, when the true rate is `rate`.

    sizes (K,): participants observed at each look, rising. boundaries (K,): the fewest events that stop there; more
    than the size where nothing does. Returns (K,) cumulative probabilities, by convolution over the looks, without
    simulation. Raises ValueError naming the argument. Reference: Schultz et al. (1973), Biometrics 29:293.
    """
    counts, bounds = np.asarray(sizes, dtype=np.intp), np.asarray(boundaries, dtype=np.intp)
    if counts.ndim != 1 or counts.size == 0 or counts.shape != bounds.shape or np.any(np.diff(counts, prepend=0) <= 0):
        raise ValueError(
            f"sizes {counts.tolist()} must rise from above 0, with one of the boundaries {bounds.tolist()} each."
        )
    _check_probabilities(rate=rate)
    going, stopped, found = np.ones(1), 0.0, []
    for added, bound in zip(np.diff(counts, prepend=0), bounds, strict=True):
        going = np.convolve(going, stats.binom.pmf(np.arange(added + 1), added, rate))
        over = max(int(bound), 0)
        stopped += float(going[over:].sum())
        going = going[:over] if over < going.size else going
        found.append(stopped)
        if going.size == 0:
            going = np.zeros(1)
    return np.array(found)


def _first(reached: NDArray[np.bool_]) -> int | None:
    """The first count at which a rule stops; what it says can only get worse with more events."""
    return int(reached.argmax()) if reached.any() else None


def _check_counts(events: int, n: int) -> None:
    if n < 0 or not 0 <= events <= n or int(events) != events or int(n) != n:
        raise ValueError(f"events is {events} of n {n}; allowed are whole numbers with 0 <= events <= n.")


def _check_probabilities(**named: float) -> None:
    for name, value in named.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} is {value}; allowed is a probability above 0 and below 1.")
