"""Was the blind kept? Indices from what people guess their treatment to be."""

from math import nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from analysis.statistics.arguments import floats, quantile
from analysis.statistics.estimate import Estimate

FloatArray = NDArray[np.float64]

# Weight of an incorrect guess; a correct one has 0, "do not know" has 1.
_INCORRECT = 0.5


class BangByArm(NamedTuple):
    """Bang's index in each arm."""

    treatment: Estimate
    control: Estimate


def james(counts: ArrayLike, *, level: float = 0.95) -> Estimate:
    """James' blinding index over both arms: 0 all know, 0.5 guessing at random, 1 nobody claims to know.

    counts (3, 2): guess treatment, guess control, do not know x treatment arm, control arm. An upper limit
    under 0.5 speaks for unblinding. se by the delta method over the six cells. Nobody guessing at all gives
    1, se 0. Raises ValueError for other shapes or values, or an empty arm. Reference: James et al. (1996),
    Stat Med 15:1421; Bang, Ni & Davis (2004), Control Clin Trials 25:143.
    """
    table = _checked(counts)
    z = quantile(level)
    share = table / table.sum()
    index, gradient = _james_index(share)
    variance = float((share * gradient**2).sum() - (share * gradient).sum() ** 2) / float(table.sum())
    se = sqrt(max(variance, 0.0))
    return Estimate(index, se, index - z * se, index + z * se)


def bang(counts: ArrayLike, *, level: float = 0.95) -> BangByArm:
    """Bang's blinding index by arm: (correct - incorrect) / all, from -1 (all wrong) by 0 (random) to 1
    (all right).

    counts as for `james`; those who do not know count among all. p is two-sided, of random guessing; nan
    where nobody guesses. Raises as `james`. Reference: Bang, Ni & Davis (2004), Control Clin Trials 25:143.
    """
    table = _checked(counts)
    z = quantile(level)
    return BangByArm(
        _bang_index(table[0, 0], table[1, 0], table[:, 0].sum(), z),
        _bang_index(table[1, 1], table[0, 1], table[:, 1].sum(), z),
    )


def _bang_index(correct: float, incorrect: float, total: float, z: float) -> Estimate:
    right, wrong = correct / total, incorrect / total
    index = right - wrong
    se = sqrt((right * (1 - right) + wrong * (1 - wrong) + 2 * right * wrong) / total)
    statistic = index / se if se > 0 else nan
    p = float(2 * ndtr(-abs(statistic)))
    return Estimate(index, se, index - z * se, index + z * se, statistic=statistic, p=p)


def _james_index(share: FloatArray) -> tuple[float, FloatArray]:
    """The index and its derivative by each cell's share, (3, 2).

    With G the share who guess, W the weighted share of wrong guesses and X the same if guess and arm were
    independent among those who guess: Po = W / G, Pe = X / G^2, index = 1 - G + G Po / (2 Pe) = 1 - G + W
    G^2/(2 X).
    """
    guesses = share[:2]
    guessing = float(guesses.sum())
    wrong = np.array([[0.0, _INCORRECT], [_INCORRECT, 0.0]])
    by_guess, by_arm = guesses.sum(axis=1), guesses.sum(axis=0)
    observed = float((wrong * guesses).sum())
    expected = float(by_guess @ wrong @ by_arm)
    gradient = np.array([[-1.0, -1.0], [-1.0, -1.0], [0.0, 0.0]])
    if expected == 0:
        # Nobody guesses, or one arm alone does and names itself: no chance agreement to compare with.
        return 1.0 - guessing, gradient
    index = 1 - guessing + observed * guessing**2 / (2 * expected)
    by_cell = (wrong @ by_arm)[:, None] + (by_guess @ wrong)[None, :]
    gradient[:2] += (
        wrong * guessing**2 / (2 * expected)
        + observed * guessing / expected
        - observed * guessing**2 * by_cell / (2 * expected**2)
    )
    return index, gradient


def _checked(counts: ArrayLike) -> FloatArray:
    table = floats("counts", counts)
    if table.shape != (3, 2):
        msg = f"counts has shape {table.shape}; allowed is (3, 2), guesses x arms."
        raise ValueError(msg)
    if not np.all(np.isfinite(table)) or np.any(table < 0) or np.any(table != np.round(table)):
        raise ValueError("counts holds values that are no counts; allowed are whole numbers from 0.")
    if np.any(table.sum(axis=0) == 0):
        raise ValueError("counts holds an arm without anybody; both arms must have been asked.")
    return table
