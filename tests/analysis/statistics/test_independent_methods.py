"""Beyond the reference numbers: the same answers by other roads, and far from the middle of the road.

Oracles: matrices of all observations and finite differences, statsmodels, SciPy's optimisers, simulated normal paths.
"""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.proportion import proportion_confint

from analysis.statistics import ancova, mmrm, proportions, sequential
from analysis.statistics.ancova import _noncentrality
from analysis.statistics.mmrm.structures import STRUCTURES
from tests.analysis.statistics.test_mmrm_identities import PARTS, trial


class Dense:
    """The model of all observations at once: y ~ N(X b, S(theta)), with everything by finite differences."""

    def __init__(self, frame: pd.DataFrame, sigma_of):
        rows = frame.dropna(subset=["y"])
        self.y = rows["y"].to_numpy()
        self.visit = rows["visit"].to_numpy()
        subject = rows["subject"].to_numpy()
        self.same = subject[:, None] == subject
        visits = pd.get_dummies(rows["visit"], dtype=float).to_numpy()
        in_b = (rows["arm"] == "b").to_numpy(float)[:, None]
        self.x = np.column_stack([visits, in_b * visits, rows["base"] - 50])
        self.sigma_of = sigma_of

    def inverse(self, theta):
        return np.linalg.inv(np.where(self.same, self.sigma_of(theta)[np.ix_(self.visit, self.visit)], 0.0))

    def information(self, theta):
        return self.x.T @ self.inverse(theta) @ self.x

    def deviance(self, theta):
        inverse = self.inverse(theta)
        information = self.x.T @ inverse @ self.x
        residual = self.y - self.x @ np.linalg.solve(information, self.x.T @ inverse @ self.y)
        determinants = np.linalg.slogdet(information)[1] - np.linalg.slogdet(inverse)[1]
        return determinants + residual @ inverse @ residual

    def parameter_variance(self, theta, step=1e-3):
        """Twice the inverse of the Hessian of the restricted deviance, by central differences."""
        units = step * np.eye(len(theta))
        hessian = [
            [
                sum(s * t * self.deviance(theta + s * a + t * b) for s in (1, -1) for t in (1, -1)) / (4 * step**2)
                for b in units
            ]
            for a in units
        ]
        return 2 * np.linalg.inv(np.array(hessian))

    def of(self, row, theta, step=1e-4):
        """Estimate, SE, Kenward and Roger's linear SE, and degrees of freedom of one combination of b."""
        weights, inverse = self.parameter_variance(theta), self.inverse(theta)
        phi = np.linalg.inv(self.information(theta))
        moved = []
        for unit in step * np.eye(len(theta)):
            after, before = (
                np.where(self.same, self.sigma_of(theta + s * unit)[np.ix_(self.visit, self.visit)], 0) for s in (1, -1)
            )
            moved.append(inverse @ ((after - before) / (2 * step)) @ inverse)
        p = [self.x.T @ each @ self.x for each in moved]
        slopes = np.array([row @ phi @ each @ phi @ row for each in p])
        sigma = np.linalg.inv(inverse)
        extra = sum(
            weights[r, s] * (self.x.T @ moved[r] @ sigma @ moved[s] @ self.x - p[r] @ phi @ p[s])
            for r in range(len(p))
            for s in range(len(p))
        )
        variance = row @ phi @ row
        beta = phi @ self.x.T @ inverse @ self.y
        adjusted = variance + 2 * row @ phi @ extra @ phi @ row
        return row @ beta, np.sqrt(variance), np.sqrt(adjusted), 2 * variance**2 / (slopes @ weights @ slopes)


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_structure_has_the_errors_and_degrees_of_freedom_of_matrices_written_out(name):
    # Finite differences leave about five digits.
    frame = trial(seed=4, subjects=24, visits=3, missing=0.2)
    options = PARTS | {"covariates": ["base"], "covariance": name}
    fits = {df: mmrm.fit(frame, **options, df=df) for df in ("satterthwaite", "kenward_roger")}
    solution = fits["satterthwaite"].solution
    scale = fits["satterthwaite"].design.scale
    dense = Dense(frame, lambda theta: scale**2 * solution.covariances.sigma(theta)[0])
    row = np.zeros(7)
    row[5] = 1
    estimate, se, adjusted, df = dense.of(row, solution.theta)
    plain, linear = (fit.contrasts().iloc[2] for fit in fits.values())
    assert plain["estimate"] == pytest.approx(estimate, rel=1e-6)
    assert plain["se"] == pytest.approx(se, rel=1e-6)
    assert linear["se"] == pytest.approx(adjusted, rel=1e-5)
    assert (plain["df"], linear["df"]) == pytest.approx((df, df), rel=1e-3)


def test_compound_symmetry_is_the_random_intercept_of_statsmodels():
    frame = trial(seed=6, subjects=40, visits=3, missing=0.15)
    fit = mmrm.fit(frame, **PARTS, covariates=["base"], covariance="cs")
    rows = frame.dropna(subset=["y"])
    other = smf.mixedlm("y ~ C(arm) * C(visit) + base", rows, groups=rows["subject"]).fit(reml=True)
    # statsmodels stops its search after six digits or so.
    assert fit.log_likelihood == pytest.approx(other.llf, abs=1e-4)
    found = fit.coefficients.set_index("term")
    assert found.loc["arm[b]", "estimate"] == pytest.approx(other.params["C(arm)[T.b]"], rel=1e-3)
    assert found.loc["base", "se"] == pytest.approx(other.bse["base"], rel=1e-3)


@pytest.mark.parametrize("df", ["satterthwaite", "kenward_roger"])
def test_twelve_visits_of_twenty_thousand_subjects_stay_exact(df):
    # SDs from 1 to 300, neighbours correlated by .97, a covariate near a million, half leave early. The truth lies
    # within four of 12 standard errors each; at visit 0 the SE is that of a t test.
    subjects, visits = 20_000, 12
    rng = np.random.default_rng(1)
    sd = np.geomspace(1, 300, visits)
    apart = np.abs(np.subtract.outer(range(visits), range(visits)))
    y = 1e4 + rng.multivariate_normal(np.zeros(visits), np.outer(sd, sd) * 0.97**apart, subjects, method="cholesky")
    in_b = np.arange(subjects) % 2
    effect = np.linspace(0, 1, visits) * sd
    y += in_b[:, None] * effect
    y[np.arange(visits) > rng.integers(visits // 2, 2 * visits, subjects)[:, None]] = np.nan
    frame = pd.DataFrame(
        {
            "subject": np.repeat(np.arange(subjects), visits),
            "visit": np.tile(np.arange(visits), subjects),
            "arm": np.repeat(np.where(in_b, "b", "a"), visits),
            "base": np.repeat(rng.normal(1e6, 3, subjects), visits),
            "y": y.ravel(),
        }
    )
    fit = mmrm.fit(frame, **PARTS, covariates=["base"], covariates_by_visit=["base"], df=df)
    table = fit.contrasts()
    assert (np.abs(table["estimate"] - effect) / table["se"]).max() < 4
    assert table["se"].iloc[0] == pytest.approx(np.sqrt(4 / subjects), rel=0.02)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(sd, rel=0.03)
    assert (table["df"] > 0.9 * subjects).all()


def simulated_crossings(design, drift, paths=200_000, seed=5):
    """Shares of simulated trials that first cross the upper and the lower bound at each look."""
    rng = np.random.default_rng(seed)
    steps = np.diff(design.timing, prepend=0.0)
    score = np.cumsum(rng.normal(drift * steps, np.sqrt(steps), (paths, len(steps))), axis=1)
    z = score / np.sqrt(design.timing)
    up, low = z >= design.upper, z <= design.lower
    first = np.where((up | low).any(axis=1), (up | low).argmax(axis=1), len(steps))
    looks = range(len(steps))
    return [[float((first == k)[which[:, k]].sum()) / paths for k in looks] for which in (up, low)]


@pytest.mark.parametrize(
    "arguments",
    [
        {"timing": [0.05, 0.1, 0.9, 1.0], "efficacy": sequential.lan_demets_pocock()},
        {"timing": [0.01, 0.02, 0.99, 1.0], "efficacy": sequential.kim_demets(0.5), "sides": 2},
        {"timing": [0.3, 0.31, 1.0], "efficacy": sequential.pocock(), "alpha": 0.1, "sides": 2},
        {
            "timing": [0.2, 0.5, 0.55, 1.0],
            "efficacy": sequential.hwang_shih_decani(-8),
            "futility": sequential.kim_demets(1.0),
            "binding": True,
        },
        {
            "timing": [0.1, 0.95, 1.0],
            "efficacy": sequential.user_spending([(0.1, 0.5), (1, 1)]),
            "futility": sequential.fixed_bounds([-1.0, 1.0]),
        },
    ],
    ids=["clustered", "extreme two-sided", "near looks", "binding", "early spending"],
)
def test_unusual_designs_cross_their_bounds_as_simulated_paths_do(arguments):
    # 200,000 paths: errors of at most .0011 a look, of which four and a half are allowed.
    design = sequential.design(**arguments)
    for drift in (0.0, design.drift):
        up, low = simulated_crossings(design, drift)
        found = design.properties(drift)
        assert found.stop_efficacy - found.stop_efficacy_lower == pytest.approx(np.array(up), abs=0.005)
        if design.sides == 2 or arguments.get("futility"):
            ended = found.stop_efficacy_lower + found.stop_futility
            assert ended == pytest.approx(np.array(low), abs=0.005)


def test_stage_wise_p_is_uniform_and_the_estimate_above_the_truth_half_of_the_time():
    # Simulation, 150 trials at an effect of 1 in units of its final standard error: three binomial errors of .04.
    design = sequential.design([0.4, 0.7, 1.0], efficacy=sequential.lan_demets_pocock())
    rng = np.random.default_rng(11)
    steps = np.diff(design.timing, prepend=0.0)
    above, covered, small = 0, 0, 0
    for _ in range(150):
        z = np.cumsum(rng.normal(1.0 * steps, np.sqrt(steps))) / np.sqrt(design.timing)
        crossed = z >= design.efficacy_z
        look = int(crossed.argmax()) + 1 if crossed.any() else 3
        error = 1 / np.sqrt(design.timing[look - 1])
        found = sequential.inference_after_stopping(z[look - 1], look, design=design, standard_error=error)
        above += found.estimate > 1
        covered += found.lower <= 1 <= found.upper
        at_null = np.cumsum(rng.normal(0, np.sqrt(steps))) / np.sqrt(design.timing)
        stopped = at_null >= design.efficacy_z
        last = int(stopped.argmax()) + 1 if stopped.any() else 3
        null = sequential.inference_after_stopping(at_null[last - 1], last, design=design, standard_error=1.0)
        small += null.p <= 0.3
    assert above / 150 == pytest.approx(0.5, abs=3 * np.sqrt(0.25 / 150))
    assert covered / 150 == pytest.approx(0.95, abs=3 * np.sqrt(0.0475 / 150))
    assert small / 150 == pytest.approx(0.3, abs=3 * np.sqrt(0.21 / 150))


@pytest.mark.parametrize(("ratio", "effect"), [(1, 0.2), (2, 0.8), (0.5, 2.0), (3, 0.5)])
def test_sample_sizes_of_the_t_test_are_those_of_statsmodels(ratio, effect):
    size = sequential.design([1.0]).sample_size(difference=effect, sd=1, ratio=ratio, normal_approximation=False)
    other = TTestIndPower().solve_power(effect, alpha=0.025, power=0.9, ratio=1 / ratio, alternative="larger")
    assert size.per_arm[0] == pytest.approx(other, rel=1e-6)
    inflated = sequential.design([0.5, 1.0], efficacy=sequential.pocock())
    looks = inflated.sample_size(difference=effect, sd=1, ratio=ratio, normal_approximation=False)
    assert looks.total == pytest.approx(size.total * inflated.inflation_factor)


def brute_limit(x1, n1, x0, n0, side):
    """Miettinen and Nurminen's limit with the restricted estimate found by a general optimiser."""

    def likelihood(p0, difference):
        p = np.clip([p0 + difference, p0], 1e-15, 1 - 1e-15)
        counts = ((x1, n1), (x0, n0))
        return sum(x * np.log(q) + (n - x) * np.log1p(-q) for (x, n), q in zip(counts, p, strict=True))

    def score(difference):
        inside = (max(0.0, -difference), min(1.0, 1 - difference))
        p0 = minimize_scalar(lambda p: -likelihood(p, difference), bounds=inside, options={"xatol": 1e-12}).x
        p1 = p0 + difference
        n = n1 + n0
        variance = (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * n / (n - 1)
        return (x1 / n1 - x0 / n0 - difference) / np.sqrt(variance)

    observed = x1 / n1 - x0 / n0
    ends = (-0.999, observed - 1e-6) if side > 0 else (observed + 1e-6, 0.999)
    return brentq(lambda d: score(d) - side * norm.isf(0.025), *ends)


@pytest.mark.parametrize("counts", [(56, 70, 48, 80), (1, 12, 3, 40), (9, 10, 2, 33), (30, 31, 20, 100)])
def test_score_limits_are_those_of_a_general_optimiser(counts):
    found = proportions.risk_difference(*counts)
    expected = [brute_limit(*counts, side) for side in (1, -1)]
    assert [found.lower, found.upper] == pytest.approx(expected, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 80), share=st.floats(0, 1))
def test_intervals_of_one_proportion_are_those_of_statsmodels(n, share):
    x = round(share * n)
    for ours, theirs in (("wilson", "wilson"), ("clopper_pearson", "beta")):
        assert proportions.interval(x, n, method=ours) == pytest.approx(
            proportion_confint(x, n, method=theirs), abs=1e-9
        )


def test_mantel_haenszel_is_that_of_statsmodels():
    tables = np.array([[[12, 8], [5, 15]], [[3, 9], [4, 4]], [[20, 1], [9, 7]]])
    found = proportions.stratified(tables)
    other = StratifiedTable([table.T for table in tables])
    assert found.odds_ratio.estimate == pytest.approx(other.oddsratio_pooled)
    assert [found.odds_ratio.lower, found.odds_ratio.upper] == pytest.approx(other.oddsratio_pooled_confint())
    assert found.chi_square == pytest.approx(other.test_null_odds().statistic)


@pytest.mark.parametrize("df", [4, 38])
def test_standardised_differences_however_large_have_an_interval(df):
    # Where both ways to the noncentrality hold they agree to SciPy's own error; far out SciPy's does not end.
    for tail in (0.025, 0.975):
        near = _noncentrality(df, tail, max(20.0, 2 * np.sqrt(2 * df)))
        beyond = _noncentrality(df, tail, max(20.0, 2 * np.sqrt(2 * df)) * (1 + 1e-9))
        assert beyond == pytest.approx(near, rel=2e-5)
        assert _noncentrality(df, 1 - tail, -50.0) == pytest.approx(-_noncentrality(df, tail, 50.0))
    far = ancova.standardised_difference([1e8, 1e8 + 1, 1e8 + 2], [0, 1, 2]).cohen_d
    assert 0 < far.lower < far.estimate < far.upper < np.inf
