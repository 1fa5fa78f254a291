"""Group-sequential designs: bounds, operating characteristics, monitoring at the information that came."""

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from analysis.statistics.arguments import error_rate
from analysis.statistics.sequential.bounds import (
    Plan,
    Spend,
    crossing,
    efficacy_rule,
    futility_rule,
    null_lower,
    solve,
    with_known_efficacy,
)
from analysis.statistics.sequential.checks import finite, increasing, positive, timing_of
from analysis.statistics.sequential.families import Family, FixedBounds, Spending, lan_demets_of, require_family
from analysis.statistics.sequential.integration import root
from analysis.statistics.sequential.sizes import Requirement, SampleSize, size_for_means, size_for_rates

FloatArray = NDArray[np.float64]
_USUAL = lan_demets_of()


@dataclass(frozen=True)
class Properties:
    """What a design does at one drift.

    power: probability of rejecting (in either direction for a two-sided test); stop_efficacy (K,) of
    rejecting at each look, of which stop_efficacy_lower (K,) in the lower direction of a two-sided test;
    stop_futility (K,) of ending under the futility bound, all zero without one, at the last look not
    rejecting; expected_information in units of the fixed design's information.
    """

    drift: float
    power: float
    stop_efficacy: FloatArray
    stop_efficacy_lower: FloatArray
    stop_futility: FloatArray
    expected_information: float


@dataclass(frozen=True)
class Terms:
    """What a design was asked for; the arguments of `design`."""

    alpha: float
    beta: float
    sides: int
    efficacy: Family
    futility: Family | None
    binding: bool


@dataclass(frozen=True)
class Design:
    """A group-sequential design of K looks. Arrays are (K,); z and p values are standardised normal.

    timing: share of the final information at each look; spending_time: the share at which the spending
    functions are read (the same unless updated). efficacy_z and futility_z are nan where a look has none;
    the last futility_z is the last efficacy_z. nominal_p: one-sided p that just crosses, 0 where nothing
    can. alpha_spent: cumulative, of one side; beta_spent: cumulative probability of stopping under the
    futility bound at the planned drift. inflation_factor: maximum information / information of the fixed
    design with the same alpha and beta. drift: expected z at full information at which the power was
    planned.
    """

    terms: Terms
    timing: FloatArray
    spending_time: FloatArray
    efficacy_z: FloatArray
    futility_z: FloatArray
    nominal_p: FloatArray
    alpha_spent: FloatArray
    beta_spent: FloatArray
    inflation_factor: float
    drift: float

    @property
    def alpha(self) -> float:
        """Error of one side."""
        return self.terms.alpha

    @property
    def beta(self) -> float:
        """1 - planned power."""
        return self.terms.beta

    @property
    def sides(self) -> int:
        """1, or 2 for a symmetric two-sided test."""
        return self.terms.sides

    @property
    def efficacy(self) -> Family:
        """The family of the efficacy bounds."""
        return self.terms.efficacy

    @property
    def binding(self) -> bool:
        """Whether the futility bounds must be obeyed for alpha to hold."""
        return self.terms.binding

    @property
    def looks(self) -> int:
        """Number of looks, the final one included."""
        return len(self.timing)

    @property
    def fixed_drift(self) -> float:
        """Drift of the fixed design of the same alpha and power: z_alpha + z_beta."""
        return _fixed_drift(self.alpha, self.beta)

    @property
    def upper(self) -> FloatArray:
        """Upper bounds, infinite where a look has none."""
        return np.where(np.isnan(self.efficacy_z), inf, self.efficacy_z)

    @property
    def lower(self) -> FloatArray:
        """Bounds at which a path ends below: futility, or the mirror of a two-sided test; -infinity
        without.
        """
        return -self.upper if self.sides == 2 else np.where(np.isnan(self.futility_z), -inf, self.futility_z)

    def properties(self, drift: float) -> Properties:
        """Power, stopping probabilities and expected information at a drift (expected z at full
        information).
        """
        up, low = crossing(self.timing, self.upper, self.lower, finite("drift", drift))
        rejected_low = low if self.sides == 2 else np.zeros_like(low)
        ended = (up + low)[:-1]
        share = 1.0 - float(ended @ (1.0 - self.timing[:-1]))
        return Properties(
            drift=float(drift),
            power=float(up.sum() + rejected_low.sum()),
            stop_efficacy=up + rejected_low,
            stop_efficacy_lower=rejected_low,
            stop_futility=low - rejected_low,
            expected_information=self.inflation_factor * share,
        )

    def update(self, actual_information: ArrayLike, planned_maximum: float, *, ended: bool | None = None) -> "Design":
        """The design at the information that came (Lan & DeMets 1983; overrun, underrun, unplanned looks).

        actual_information: strictly increasing, > 0, one per look, in the units of planned_maximum.
        Correlations between looks come from it; the spending functions are read at actual / planned
        maximum. ended True: the last entry is the trial's last look and spends all that is left. ended
        False: the trial goes on; the later looks follow at their planned information (or list them
        yourself). By default a trial has ended when it reached the planned maximum or took as many looks as
        were planned, so say ended=False at an unplanned interim look that uses up the number. A
        beta-spending futility bound keeps the effect planned for.

        Raises ValueError for information that does not increase, or a family that is no spending function.
        """
        if not isinstance(self.efficacy, Spending) or isinstance(self.terms.futility, FixedBounds):
            msg = f"efficacy is {self.efficacy.name}; update needs spending functions, for futility too."
            raise ValueError(msg)  # noqa: TRY004 a family is the right type, this one has the wrong value
        actual = increasing("actual_information", actual_information)
        maximum = positive("planned_maximum", planned_maximum)
        if ended is None:
            ended = bool(actual[-1] >= maximum or len(actual) >= self.looks)
        if not ended:
            to_come = np.r_[self.timing[len(actual) : -1] * maximum, maximum]
            actual = np.r_[actual, to_come[to_come > actual[-1]]]
        spending_time = np.minimum(actual / maximum, 1.0)
        spending_time[-1] = 1.0
        growth = float(actual[-1]) / maximum
        plan = _plan(self.terms, actual / actual[-1], spending_time)
        # The effect stays, so the drift grows with the root of the information.
        drift = self.drift * sqrt(growth)
        inflation = self.inflation_factor * growth
        return _assembled(self.terms, plan, spending_time, bounds=solve(plan, drift), drift=drift, inflation=inflation)

    def sample_size(
        self,
        *,
        difference: float,
        sd: float,
        ratio: float = 1,
        dropout: float = 0,
        normal_approximation: bool = True,
    ) -> SampleSize:
        """Participants for a difference of two means with a common sd; ratio is group 1 : group 2.

        Unrounded; dropout (0 to <1) is the share without the endpoint, whom the total is inflated for.
        normal_approximation False: the fixed design is that of the t test, whose size the looks then inflate.
        """
        return size_for_means(
            self._expected(),
            difference=difference,
            sd=sd,
            ratio=ratio,
            dropout=dropout,
            normal_approximation=normal_approximation,
        )

    def sample_size_rates(self, *, p1: float, p2: float, ratio: float = 1, dropout: float = 0) -> SampleSize:
        """Participants for a difference of two proportions: pooled variance under the null, unpooled
        otherwise.
        """
        return size_for_rates(self._expected(), p1=p1, p2=p2, ratio=ratio, dropout=dropout)

    def _expected(self) -> Requirement:
        return Requirement(
            critical=-float(ndtri(self.alpha)),
            power_quantile=-float(ndtri(self.beta)),
            information=self.inflation_factor * self.timing,
            expected_null=self.properties(0.0).expected_information,
            expected_alternative=self.properties(self.drift).expected_information,
        )


def design(
    timing: ArrayLike,
    *,
    alpha: float = 0.025,
    beta: float = 0.1,
    sides: int = 1,
    efficacy: Family = _USUAL,
    futility: Family | None = None,
    binding: bool = False,
) -> Design:
    """A group-sequential design with exact bounds.

    timing (K,): information fractions, strictly increasing in (0, 1], the last 1. alpha: error of one side;
    beta: 1 - power. sides: 1, or 2 for a symmetric two-sided test of total error 2 alpha, which has no
    futility bound. efficacy: a family, `lan_demets_of()` by default. futility: a spending function of beta,
    or fixed_bounds. binding True lets the efficacy bounds gain from the futility bounds, which then must be
    obeyed.

    Raises ValueError naming the argument: timing not increasing, alpha or beta outside (0, 0.5), a family
    that cannot be used there, bounds that spend more than alpha. Reference: Jennison & Turnbull (2000),
    Group Sequential Methods with Applications to Clinical Trials.
    """
    looks = timing_of(timing)
    error_rate("alpha", alpha)
    error_rate("beta", beta)
    if sides not in (1, 2):
        msg = f"sides is {sides}; allowed are 1 and 2."
        raise ValueError(msg)
    if sides == 2 and futility is not None:
        raise ValueError("futility with sides=2 is not defined; allowed is futility=None, or sides=1.")
    require_family("efficacy", efficacy)
    if futility is not None:
        require_family("futility", futility)
    terms = Terms(alpha, beta, sides, efficacy, futility, binding)
    plan = _plan(terms, looks, looks)
    try:
        upper, lower, drift = _powered(plan, beta)
    except ArithmeticError as error:
        msg = f"No bounds have alpha {alpha} and beta {beta} with this futility; loosen it."
        raise ValueError(msg) from error
    _refuse_wrong_alpha(plan, terms.efficacy, upper, lower)
    inflation = (drift / _fixed_drift(alpha, beta)) ** 2
    return _assembled(terms, plan, looks, bounds=(upper, lower), drift=drift, inflation=inflation)


def require_design(design: object) -> None:
    """Raise ValueError unless this is a design."""
    if not isinstance(design, Design):
        msg = f"design is {type(design).__name__}; allowed is what sequential.design(...) gives."
        raise ValueError(msg)  # noqa: TRY004 whoever passes another thing is told of it


def _plan(terms: Terms, timing: FloatArray, spending_time: FloatArray) -> Plan:
    lower = None if terms.futility is None else futility_rule(terms.futility, spending_time, terms.beta)
    upper = efficacy_rule(terms.efficacy, timing, spending_time, terms.alpha)
    plan = Plan(timing, terms.alpha, terms.sides, upper, lower, terms.binding)
    # Bounds that owe nothing to the futility rule are solved once, not again for each drift tried.
    return plan if terms.binding and lower is not None else with_known_efficacy(plan)


def _powered(plan: Plan, beta: float) -> tuple[FloatArray, FloatArray, float]:
    """Bounds, and the drift at which they reject in its direction with the planned power."""
    guess = _fixed_drift(plan.alpha, beta)
    fixed = solve(plan, guess)

    def bounds_at(drift: float) -> tuple[FloatArray, FloatArray]:
        return solve(plan, drift) if isinstance(plan.futility, Spend) else fixed

    def power(drift: float) -> float:
        upper, lower = bounds_at(drift)
        return float(crossing(plan.timing, upper, lower, drift)[0].sum())

    drift = root(power, 1.0 - beta, guess, guess * 1.03)
    return *bounds_at(drift), drift


def _assembled(
    terms: Terms,
    plan: Plan,
    spending_time: FloatArray,
    *,
    bounds: tuple[FloatArray, FloatArray],
    drift: float,
    inflation: float,
) -> Design:
    upper, lower = bounds
    spent, _ = crossing(plan.timing, upper, null_lower(plan, upper, lower), 0.0)
    _, failed = crossing(plan.timing, upper, lower, drift)
    none = terms.futility is None
    return Design(
        terms=terms,
        timing=plan.timing,
        spending_time=spending_time,
        efficacy_z=np.where(np.isinf(upper), nan, upper),
        futility_z=np.where(np.isinf(lower) | none, nan, lower),
        nominal_p=ndtr(-upper),
        alpha_spent=np.cumsum(spent),
        beta_spent=np.zeros_like(failed) if none else np.cumsum(failed),
        inflation_factor=inflation,
        drift=drift,
    )


def _fixed_drift(alpha: float, beta: float) -> float:
    return float(-ndtri(alpha) - ndtri(beta))


def _refuse_wrong_alpha(plan: Plan, efficacy: Family, upper: FloatArray, lower: FloatArray) -> None:
    """Bounds given by hand may cost more than alpha; binding futility may leave too few paths to spend it.

    Rounding is not held against the bounds, nor is the usual Haybittle-Peto rule of 3 and then 1.96.
    """
    cost = float(crossing(plan.timing, upper, null_lower(plan, upper, lower), 0.0)[0].sum())
    if cost > plan.alpha * 1.05:
        msg = f"efficacy bounds spend {cost:.5f}, alpha is {plan.alpha}; raise them or leave out the last."
        raise ValueError(msg)
    if cost < plan.alpha * (1 - 1e-6) and not isinstance(efficacy, FixedBounds):
        msg = f"futility ends so many trials that only {cost:.5f} of alpha {plan.alpha} can be spent; loosen it."
        raise ValueError(msg)
