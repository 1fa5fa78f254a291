"""Score intervals for two proportions (Miettinen & Nurminen 1985, Stat Med 4:213).

The limits are the effects that a score test would just not reject; the variance is taken at the maximum of
the likelihood restricted to that effect.
"""

from collections.abc import Callable
from math import acos, copysign, cos, exp, inf, log, pi, sqrt

from scipy.optimize import brentq

from analysis.statistics.proportions.counts import Table

Score = Callable[[float], float]
RatioScore = Callable[[Table, float], float]


def difference_score(data: Table, difference: float, *, bias_factor: bool) -> float:
    """Standardised distance of the observed risk difference from `difference`."""
    p0 = _control_given_difference(data, difference)
    p1 = min(max(p0 + difference, 0.0), 1.0)
    variance = p1 * (1 - p1) / data.n1 + p0 * (1 - p0) / data.n0
    if bias_factor:
        variance *= data.total / (data.total - 1)
    return _standardised(data.p1 - data.p0 - difference, variance)


def ratio_score(data: Table, ratio: float) -> float:
    """Standardised distance from a risk ratio; restricted estimate from a quadratic (their eq. 12)."""
    a = data.total * ratio
    b = -(data.n1 * ratio + data.x1 + data.n0 + data.x0 * ratio)
    root = sqrt(max(b * b - 4 * a * data.responders, 0.0))
    # The smaller root, written so that it does not cancel when the ratio is small.
    p0 = 2 * data.responders / (-b + root)
    p1 = min(ratio * p0, 1.0)
    variance = p1 * (1 - p1) / data.n1 + ratio * ratio * p0 * (1 - p0) / data.n0
    return _standardised(data.p1 - ratio * data.p0, variance * data.total / (data.total - 1))


def odds_score(data: Table, odds: float) -> float:
    """Standardised distance from an odds ratio; restricted estimate from a quadratic (their eq. 15).

    Less Gart's bias of the score, (p1 - p0) / (n1 p1 q1 + n0 p0 q0), without which the interval lies too
    far out (Gart 1985, Biometrika 72:673; Laud 2017, Pharm Stat 16:334).
    """
    if odds > 1:
        # With the arms exchanged b below is positive and nothing cancels.
        return -odds_score(Table(data.x0, data.n0, data.x1, data.n1), 1 / odds)
    a = data.n0 * (odds - 1)
    b = data.n1 * odds + data.n0 - data.responders * (odds - 1)
    p0 = 2 * data.responders / (b + sqrt(max(b * b + 4 * a * data.responders, 0.0)))
    p1 = p0 * odds / (1 + p0 * (odds - 1))
    information = data.n1 * p1 * (1 - p1), data.n0 * p0 * (1 - p0)
    spread = 1 / information[0] + 1 / information[1]
    bias = (p1 - p0) / (information[0] + information[1])
    distance = data.n1 * (data.p1 - p1) * spread - bias
    return _standardised(distance, spread * data.total / (data.total - 1))


def difference_limits(data: Table, z: float, *, bias_factor: bool) -> tuple[float, float]:
    """Differences whose score is z and -z, within [-1, 1]."""

    def score(difference: float) -> float:
        return difference_score(data, difference, bias_factor=bias_factor)

    observed = data.p1 - data.p0
    return _crossing(score, z, -1.0, observed), _crossing(score, -z, observed, 1.0)


def ratio_limits(data: Table, z: float, score: RatioScore) -> tuple[float, float]:
    """Ratios (risk or odds) whose score is z and -z, found on the log scale; 0 or infinite at the edge."""

    def on_log_scale(log_ratio: float) -> float:
        return score(data, exp(log_ratio))

    # Beyond 1e9 a limit is as good as infinite; the score there tells whether one exists.
    edge = 9 * log(10)
    lower = -inf if on_log_scale(-edge) <= z else brentq(lambda v: on_log_scale(v) - z, -edge, edge, xtol=1e-13)
    upper = inf if on_log_scale(edge) >= -z else brentq(lambda v: on_log_scale(v) + z, -edge, edge, xtol=1e-13)
    return exp(lower), exp(upper)


def _crossing(score: Score, value: float, low: float, high: float) -> float:
    """Where a falling score takes a value; the end of the range where it never does."""
    if score(low) <= value:
        return low
    if score(high) >= value:
        return high
    return float(brentq(lambda x: score(x) - value, low, high, xtol=1e-14))


def _standardised(distance: float, variance: float) -> float:
    if variance > 0:
        return distance / sqrt(variance)
    return 0.0 if distance == 0 else copysign(inf, distance)


def _control_given_difference(data: Table, difference: float) -> float:
    """Control proportion of the restricted maximum likelihood: the root of their cubic, by trigonometry."""
    n1, n0, x0, total, d = data.n1, data.n0, data.x0, data.total, difference
    l2 = ((n1 + 2 * n0) * d - total - data.responders) / (3 * total)
    l1 = ((n0 * d - total - 2 * x0) * d + data.responders) / (3 * total)
    l0 = x0 * d * (1 - d) / total
    q = l2**3 - 1.5 * l1 * l2 + 0.5 * l0
    p = copysign(sqrt(max(l2 * l2 - l1, 0.0)), q)
    angle = 0.0 if p == 0 else acos(min(max(q / p**3, -1.0), 1.0))
    root = 2 * p * cos((pi + angle) / 3) - l2
    return min(max(root, 0.0, -d), 1.0, 1.0 - d)
