"""From information to participants: sample sizes of a group-sequential trial with two arms."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import nct
from scipy.stats import t as student

from analysis.statistics.arguments import is_number

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Requirement:
    """What a design asks for. `information` (K,) and both expectations are multiples of the fixed
    design's.
    """

    critical: float
    power_quantile: float
    information: FloatArray
    expected_null: float
    expected_alternative: float


@dataclass(frozen=True)
class SampleSize:
    """Participants, unrounded: round up, and to full blocks, when the trial is planned.

    total: both arms at the last look; per_arm: (group 1, group 2); per_look (K,): both arms, cumulative;
    fixed: both arms without interim looks; expected_h0 and expected_h1: mean total without an effect and at
    the planned effect. All are inflated for dropout.
    """

    total: float
    per_arm: tuple[float, float]
    per_look: FloatArray
    fixed: float
    expected_h0: float
    expected_h1: float


def size_for_means(
    need: Requirement, *, difference: float, sd: float, ratio: float, dropout: float, normal_approximation: bool
) -> SampleSize:
    """Difference of means: n2 = (1 + 1/ratio) (z_alpha + z_beta)^2 sd^2 / difference^2, n1 = ratio n2.

    Reference: Chow, Shao, Wang & Lokhnygina (2018), Sample Size Calculations in Clinical Research, section 3.2.
    """
    _nonzero("difference", difference)
    _above_zero("sd", sd)
    _above_zero("ratio", ratio)
    drift = need.critical + need.power_quantile
    second_arm = (1 + 1 / ratio) * (drift * sd / difference) ** 2
    if not normal_approximation:
        second_arm = _by_student(need, abs(difference) / sd, ratio, second_arm)
    return _spread(need, second_arm, ratio, dropout)


def _by_student(need: Requirement, effect: float, ratio: float, guess: float) -> float:
    """Size of the second arm at which the t test of one look has the power, by the noncentral t; not rounded."""
    alpha, power = float(ndtr(-need.critical)), float(ndtr(need.power_quantile))

    def excess(second_arm: float) -> float:
        df = second_arm * (1 + ratio) - 2
        noncentrality = effect * sqrt(second_arm * ratio / (1 + ratio))
        return float(nct.sf(student.isf(alpha, df), df, noncentrality)) - power

    # The t test needs more than the normal one, and by a few participants only.
    return float(brentq(excess, max(guess, 2.001 / (1 + ratio)), guess + 20, xtol=1e-10))


def size_for_rates(need: Requirement, *, p1: float, p2: float, ratio: float, dropout: float) -> SampleSize:
    """Difference of proportions (Fleiss, Levin & Paik 2003, section 4.2, without continuity correction)."""
    _above_zero("ratio", ratio)
    for name, value in (("p1", p1), ("p2", p2)):
        if not (is_number(value) and 0 < value < 1):
            msg = f"{name} is {value}; allowed is a proportion above 0 and below 1."
            raise ValueError(msg)
    _nonzero("p1 - p2", p1 - p2)
    pooled = (ratio * p1 + p2) / (ratio + 1)
    null = need.critical * sqrt((1 + 1 / ratio) * pooled * (1 - pooled))
    alternative = need.power_quantile * sqrt(p1 * (1 - p1) / ratio + p2 * (1 - p2))
    return _spread(need, ((null + alternative) / (p1 - p2)) ** 2, ratio, dropout)


def _spread(need: Requirement, second_arm: float, ratio: float, dropout: float) -> SampleSize:
    if not (is_number(dropout) and 0 <= dropout < 1):
        msg = f"dropout is {dropout}; allowed is a share from 0 to below 1."
        raise ValueError(msg)
    fixed = second_arm * (1 + ratio) / (1 - dropout)
    total = fixed * float(need.information[-1])
    return SampleSize(
        total=total,
        per_arm=(total * ratio / (1 + ratio), total / (1 + ratio)),
        per_look=fixed * need.information,
        fixed=fixed,
        expected_h0=fixed * need.expected_null,
        expected_h1=fixed * need.expected_alternative,
    )


def _nonzero(name: str, value: float) -> None:
    if not is_number(value) or value == 0:
        msg = f"{name} is {value}; allowed is a finite number other than 0."
        raise ValueError(msg)


def _above_zero(name: str, value: float) -> None:
    if not (is_number(value) and value > 0):
        msg = f"{name} is {value}; allowed is a finite number above 0."
        raise ValueError(msg)
