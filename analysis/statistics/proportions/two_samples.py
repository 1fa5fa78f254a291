"""Two independent proportions, the active arm first."""

from dataclasses import dataclass
from math import exp, inf, isnan, log, nan, sqrt

import numpy as np
from scipy.special import ndtr
from scipy.stats import chi2, contingency, fisher_exact

from analysis.statistics.arguments import quantile
from analysis.statistics.estimate import Estimate
from analysis.statistics.proportions import score
from analysis.statistics.proportions.counts import (
    DifferenceMethod,
    OddsRatioMethod,
    RiskRatioMethod,
    Table,
    one_of,
    table,
)
from analysis.statistics.proportions.one_sample import wilson


@dataclass(frozen=True)
class IndependenceTest:
    """Tests of equal proportions: Pearson's chi-square (1 df, no continuity correction), Fisher's exact
    test.
    """

    chi_square: float
    pearson_p: float
    fisher_p: float


@dataclass(frozen=True)
class NumberNeededToTreat:
    """1 / risk difference; negative when the active arm has fewer responders (a number needed to harm).

    disjoint True: the interval of the difference holds 0, so the interval of this number runs through
    infinity: `lower` and `upper` are nan, and it consists of benefit from `benefit_from` up and harm from
    `harm_from` up.
    """

    estimate: float
    lower: float
    upper: float
    disjoint: bool
    benefit_from: float
    harm_from: float

    def __str__(self) -> str:
        if not self.disjoint:
            return f"{self.estimate:.1f} ({self.lower:.1f} to {self.upper:.1f})"
        return f"{self.estimate:.1f} (benefit {self.benefit_from:.1f} to infinity to harm {self.harm_from:.1f})"


def risk_difference(
    x1: float,
    n1: float,
    x0: float,
    n0: float,
    *,
    method: DifferenceMethod = "miettinen_nurminen",
    level: float = 0.95,
) -> Estimate:
    """Difference of proportions, active minus control, with its interval; se is the unpooled one.

    "miettinen_nurminen" score with the N / (N - 1) factor, "mee" without (Mee 1984, Biometrics 40:1175),
    "newcombe" hybrid of Wilson intervals (Newcombe 1998, Stat Med 17:873, method 10), "wald", which has no
    width where all or none respond in both arms. The statistic
    and p belong to the method (score at 0, Wald); Newcombe's has none. Raises ValueError naming the
    argument.
    """
    data = table(x1, n1, x0, n0)
    one_of(DifferenceMethod, method)
    z, difference = quantile(level), data.p1 - data.p0
    se = sqrt(data.p1 * (1 - data.p1) / data.n1 + data.p0 * (1 - data.p0) / data.n0)
    if method == "wald":
        statistic = nan if se == 0 else difference / se
        return _tested(difference, se, (difference - z * se, difference + z * se), statistic)
    if method == "newcombe":
        return Estimate(difference, se, *_newcombe(data, z))
    bias_factor = method == "miettinen_nurminen"
    limits = score.difference_limits(data, z, bias_factor=bias_factor)
    return _tested(difference, se, limits, score.difference_score(data, 0.0, bias_factor=bias_factor))


def risk_ratio(
    x1: float, n1: float, x0: float, n0: float, *, method: RiskRatioMethod = "log_wald", level: float = 0.95
) -> Estimate:
    """Ratio of proportions, active / control; se on the log scale.

    "log_wald" (Katz et al. 1978, Biometrics 34:469), whose interval is nan when an arm has no responder or
    everybody responded in both;
    "score" (Miettinen & Nurminen 1985, Stat Med 4:213), which always has one.
    The ratio is infinite without responders under control, nan without any. ValueError names the argument.
    """
    data = table(x1, n1, x0, n0)
    one_of(RiskRatioMethod, method)
    z, ratio = quantile(level), _quotient(data.p1, data.p0)
    known = data.x1 > 0 and data.x0 > 0
    se = sqrt(1 / data.x1 - 1 / data.n1 + 1 / data.x0 - 1 / data.n0) if known else nan
    if method == "log_wald":
        return _log_wald(ratio, se, z)
    return _score_ratio(data, ratio, se, z, score.ratio_score)


def odds_ratio(
    x1: float, n1: float, x0: float, n0: float, *, method: OddsRatioMethod = "woolf", level: float = 0.95
) -> Estimate:
    """Ratio of odds, active / control; se (Woolf) on the log scale.

    "woolf" (Woolf 1955, Ann Hum Genet 19:251), whose interval is nan with a zero cell; "conditional_mle" with
    Fisher's exact interval and p (Cornfield 1956); "score" (Miettinen & Nurminen 1985, Stat Med 4:213,
    bias-corrected by Gart). Infinite or nan with zero cells, as the counts say. ValueError names the argument.
    """
    data = table(x1, n1, x0, n0)
    one_of(OddsRatioMethod, method)
    cells = (data.x1, data.n1 - data.x1, data.x0, data.n0 - data.x0)
    z, ratio = quantile(level), _quotient(cells[0] * cells[3], cells[1] * cells[2])
    se = sqrt(sum(1 / cell for cell in cells)) if all(cells) else nan
    if method == "woolf":
        return _log_wald(ratio, se, z)
    if method == "conditional_mle":
        return _conditional(cells, se, level)
    return _score_ratio(data, ratio, se, z, score.odds_score)


def test(x1: float, n1: float, x0: float, n0: float) -> IndependenceTest:
    """Pearson's chi-square and Fisher's exact test, two-sided. Both p are 1 when all or none responded."""
    data = table(x1, n1, x0, n0)
    pooled = data.responders / data.total
    variance = pooled * (1 - pooled) * (1 / data.n1 + 1 / data.n0)
    statistic = 0.0 if variance == 0 else (data.p1 - data.p0) ** 2 / variance
    exact = fisher_exact(np.array([[data.x1, data.n1 - data.x1], [data.x0, data.n0 - data.x0]])).pvalue
    return IndependenceTest(statistic, float(chi2.sf(statistic, 1)), float(exact))


def number_needed_to_treat(x1: float, n1: float, x0: float, n0: float, *, level: float = 0.95) -> NumberNeededToTreat:
    """Number needed to treat for one more responder, from the Miettinen-Nurminen interval of the difference.

    Reference: Altman (1998), BMJ 317:1309. Raises ValueError naming the argument.
    """
    difference = risk_difference(x1, n1, x0, n0, level=level)
    estimate = inf if difference.estimate == 0 else 1 / difference.estimate
    if difference.lower > 0 or difference.upper < 0:
        return NumberNeededToTreat(estimate, 1 / difference.upper, 1 / difference.lower, False, nan, nan)
    benefit = inf if difference.upper == 0 else 1 / difference.upper
    harm = inf if difference.lower == 0 else -1 / difference.lower
    return NumberNeededToTreat(estimate, nan, nan, True, benefit, harm)


def _newcombe(data: Table, z: float) -> tuple[float, float]:
    active, control = wilson(data.x1, data.n1, z), wilson(data.x0, data.n0, z)
    difference = data.p1 - data.p0
    below = sqrt((data.p1 - active.lower) ** 2 + (control.upper - data.p0) ** 2)
    above = sqrt((active.upper - data.p1) ** 2 + (data.p0 - control.lower) ** 2)
    return difference - below, difference + above


def _log_wald(ratio: float, se: float, z: float) -> Estimate:
    if isnan(se) or se == 0:
        return Estimate(ratio, se, nan, nan)
    centre = log(ratio)
    return _tested(ratio, se, (exp(centre - z * se), exp(centre + z * se)), centre / se)


def _score_ratio(data: Table, ratio: float, se: float, z: float, score_of: score.RatioScore) -> Estimate:
    """Without a responder, or without a non-responder, every ratio fits as well as any other."""
    if data.responders == 0 or (score_of is score.odds_score and data.responders == data.total):
        return Estimate(ratio, se, 0.0, inf)
    lower, upper = score.ratio_limits(data, z, score_of)
    # At the edge of the sample space the data exclude no ratio on that side.
    limits = (0.0 if ratio == 0 else lower, inf if ratio == inf else upper)
    return _tested(ratio, se, limits, score_of(data, 1.0))


def _conditional(cells: tuple[int, int, int, int], se: float, level: float) -> Estimate:
    counts = np.array(cells).reshape(2, 2)
    if not counts.sum(axis=0).all():
        return Estimate(nan, se, 0.0, inf, p=1.0)
    found = contingency.odds_ratio(counts, kind="conditional")
    limits = found.confidence_interval(confidence_level=level)
    p = float(fisher_exact(counts).pvalue)
    return Estimate(float(found.statistic), se, float(limits.low), float(limits.high), p=p)


def _tested(estimate: float, se: float, limits: tuple[float, float], statistic: float) -> Estimate:
    p = float(2 * ndtr(-abs(statistic)))
    return Estimate(estimate, se, limits[0], limits[1], statistic=statistic, p=p)


def _quotient(numerator: float, denominator: float) -> float:
    if denominator > 0:
        return numerator / denominator
    return inf if numerator > 0 else nan
