"""What follows an intercurrent event is imputed from: strategies, and the normal distribution given what was seen."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Strategy = Literal["MAR", "JR", "CR", "CIR", "LMCF"]


def joint(
    strategy: Strategy, own: FloatArray, theirs: FloatArray, sigma: FloatArray, reference: FloatArray, after: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Means (n, V) and covariance (V, V) from which participants with one event pattern are imputed."""
    if strategy == "MAR" or not after.any():
        return own, sigma
    if strategy == "CR" or after.all():
        # Without a visit before the event nothing of the own arm can be carried on.
        return theirs, reference
    last = own[:, [np.flatnonzero(~after)[-1]]]
    if strategy == "LMCF":
        return np.where(after, last, own), sigma
    if strategy == "CIR":
        theirs = theirs + last - theirs[:, [np.flatnonzero(~after)[-1]]]
    return np.where(after, theirs, own), _spliced(sigma, reference, after)


def _spliced(sigma: FloatArray, reference: FloatArray, after: BoolArray) -> FloatArray:
    """Own covariance before the event, the reference's regression on it after (Carpenter et al. 2013, section 4)."""
    before = ~after
    found = sigma.copy()
    slope = np.linalg.solve(reference[np.ix_(before, before)], reference[np.ix_(before, after)]).T
    found[np.ix_(after, before)] = slope @ sigma[np.ix_(before, before)]
    found[np.ix_(before, after)] = found[np.ix_(after, before)].T
    change = sigma[np.ix_(before, before)] - reference[np.ix_(before, before)]
    found[np.ix_(after, after)] = reference[np.ix_(after, after)] + slope @ change @ slope.T
    return found


def conditional(y: FloatArray, mean: FloatArray, sigma: FloatArray, rng: np.random.Generator | None) -> FloatArray:
    """Participants (n, V) with the same visits missing, filled in from a normal distribution."""
    missing = np.isnan(y[0])
    seen = ~missing
    slope = np.linalg.solve(sigma[np.ix_(seen, seen)], sigma[np.ix_(seen, missing)])
    filled = y.copy()
    filled[:, missing] = mean[:, missing] + (y[:, seen] - mean[:, seen]) @ slope
    if rng is not None:
        rest = sigma[np.ix_(missing, missing)] - sigma[np.ix_(missing, seen)] @ slope
        draws = rng.standard_normal((len(y), int(missing.sum())))
        filled[:, missing] += draws @ np.linalg.cholesky(rest).T
    return filled
