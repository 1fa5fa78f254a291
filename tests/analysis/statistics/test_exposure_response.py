"""Exposure and response: against statsmodels and SciPy on the same rows, and on curves whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import curve_fit
from scipy.stats import t as student

from analysis.statistics.exposure_response import emax, joint, line


def made_up(n: int = 60, *, seed: int = 3, sd: float = 0.6) -> tuple[Any, Any, Any]:
    """Exposure, a response with Emax -4 at EC50 150, and a baseline that counts 0.3."""
    rng = np.random.default_rng(seed)
    dose = np.exp(rng.normal(np.log(150), 0.9, n))
    baseline = rng.normal(6, 1, n)
    return dose, 1 - 4 * dose / (150 + dose) + 0.3 * baseline + rng.normal(0, sd, n), baseline


def test_a_line_is_that_of_statsmodels_on_log2_exposure():
    dose, y, baseline = made_up()
    reference = sm.OLS(y, sm.add_constant(np.column_stack([np.log2(dose), baseline]))).fit()
    found = line(dose, y, covariates=baseline)
    assert found.slope.estimate == pytest.approx(reference.params[1], rel=1e-10)
    assert found.slope.se == pytest.approx(reference.bse[1], rel=1e-10)
    assert [found.slope.lower, found.slope.upper] == pytest.approx(reference.conf_int()[1], rel=1e-10)
    assert (found.slope.df, found.slope.p) == (57, pytest.approx(reference.pvalues[1], rel=1e-8))
    assert found.r_squared == pytest.approx(reference.rsquared, rel=1e-10)
    # statsmodels counts neither the variance as a parameter nor drops the constant of the likelihood.
    assert found.aic == pytest.approx(reference.aic - 60 * (1 + np.log(2 * np.pi)) + 2, rel=1e-10)
    [there] = found.at(200.0)
    shown = reference.get_prediction([[1, np.log2(200), baseline.mean()]]).summary_frame()
    assert (there.estimate, there.se) == (pytest.approx(shown["mean"][0]), pytest.approx(shown["mean_se"][0]))


def test_a_unit_of_exposure_changes_no_slope():
    dose, y, baseline = made_up()
    one, other = line(dose, y, covariates=baseline), line(1000 * dose, y, covariates=baseline)
    assert other.slope.estimate == pytest.approx(one.slope.estimate, rel=1e-9)
    curve, scaled = emax(dose, y, covariates=baseline), emax(1000 * dose, y, covariates=baseline)
    assert scaled.ec50.estimate == pytest.approx(1000 * curve.ec50.estimate, rel=1e-5)
    assert scaled.emax.estimate == pytest.approx(curve.emax.estimate, rel=1e-5)


def test_a_joint_model_is_that_of_statsmodels_with_its_variance_inflation():
    rng = np.random.default_rng(8)
    ket = np.exp(rng.normal(5, 0.3, 80))
    nk, hnk = ket * np.exp(rng.normal(-0.5, 0.2, 80)), ket * np.exp(rng.normal(-1.5, 0.3, 80))
    baseline = rng.normal(6, 1, 80)
    y = -0.8 * np.log2(hnk) + 0.1 * baseline + rng.normal(0, 1, 80)
    exposures = {"ket": ket, "nk": nk, "hnk": hnk}
    design = sm.add_constant(np.column_stack([*(np.log2(each) for each in exposures.values()), baseline]))
    reference = sm.OLS(y, design).fit()
    found = joint(exposures, y, covariates=baseline)
    assert [each.estimate for each in found.slopes.values()] == pytest.approx(reference.params[1:4], rel=1e-9)
    assert [each.se for each in found.slopes.values()] == pytest.approx(reference.bse[1:4], rel=1e-9)
    from statsmodels.stats.outliers_influence import variance_inflation_factor

    wanted = [variance_inflation_factor(design, place) for place in (1, 2, 3)]
    assert list(found.inflation.values()) == pytest.approx(wanted, rel=1e-8)
    contrast = reference.t_test([0, -1, 0, 1, 0])
    difference = found.difference("hnk", "ket")
    assert (difference.estimate, difference.se) == (pytest.approx(contrast.effect[0]), pytest.approx(contrast.sd[0, 0]))


def test_an_emax_curve_is_that_of_scipy_with_its_standard_errors():
    dose, y, baseline = made_up()
    found = emax(dose, y, covariates=baseline)

    def curve(x: Any, e0: float, top: float, place: float, slope: float) -> Any:
        return e0 + top * x[0] / (np.exp(place) + x[0]) + slope * x[1]

    best, variance = curve_fit(curve, np.vstack([dose, baseline]), y, p0=[0, -3, 5, 0.2], xtol=1e-14, ftol=1e-14)
    assert found.emax.estimate == pytest.approx(best[1], rel=1e-5)
    assert found.ec50.estimate == pytest.approx(np.exp(best[2]), rel=1e-5)
    assert found.emax.se == pytest.approx(np.sqrt(variance[1, 1]), rel=1e-3)
    assert found.ec50.se == pytest.approx(np.sqrt(variance[2, 2]), rel=1e-3)
    assert found.e0 == pytest.approx(best[0], rel=1e-4)
    assert found.aic < line(dose, y, covariates=baseline).aic


def test_the_interval_of_the_ec50_is_where_the_sum_of_squares_meets_the_f_bound():
    dose, y, baseline = made_up()
    found = emax(dose, y, covariates=baseline)

    def residual(half: float) -> float:
        design = np.column_stack([np.ones(60), dose / (half + dose), baseline])
        return float(((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2).sum())

    bound = residual(found.ec50.estimate) * (1 + student.ppf(0.975, 56) ** 2 / 56)
    assert residual(found.ec50.lower) == pytest.approx(bound, rel=1e-6)
    assert residual(found.ec50.upper) == pytest.approx(bound, rel=1e-6)
    assert found.ec50.lower < found.ec50.estimate < found.ec50.upper


def test_intervals_hold_the_truth_as_often_as_they_say():
    """200 trials of 60: three standard errors of a share around 95 %."""
    low = 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)
    covered = {"ec50": 0, "emax": 0}
    for seed in range(200):
        dose, y, baseline = made_up(seed=seed, sd=0.3)
        found = emax(dose, y, covariates=baseline)
        covered["ec50"] += found.ec50.lower <= 150 <= found.ec50.upper
        covered["emax"] += found.emax.lower <= -4 <= found.emax.upper
    # The range of EC50 is exact up to curvature; Emax by its tangent falls short by little.
    assert covered["ec50"] / 200 >= low
    assert covered["emax"] / 200 >= low - 0.03


@pytest.mark.parametrize("shape", ["nothing", "a line"])
def test_data_without_a_bend_have_no_emax_curve(shape: str):
    rng = np.random.default_rng(5)
    dose = np.exp(rng.normal(5, 0.3, 60))
    y = rng.normal(0, 1, 60) + (0.01 * dose if shape == "a line" else 0)
    with pytest.raises(ValueError, match="do not bend"):
        emax(dose, y)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"exposure": [1, 2, 0, 4, 5]}, "not above 0"),
        ({"exposure": [1, 2, -3, 4, 5]}, "not above 0"),
        ({"exposure": [1, 2, np.nan, 4, 5]}, "missing or infinite"),
        ({"response": [1, 2, np.inf, 4, 5]}, "missing or infinite"),
        ({"covariates": [1, 2, np.nan, 4, 5]}, "missing or infinite"),
        ({"response": [1, 2, 3]}, "differ in length"),
        ({"exposure": [3, 3, 3, 3, 3]}, "singular|Fewer than four"),
        ({"covariates": [7, 7, 7, 7, 7]}, "singular"),
        ({"exposure": [1, 2, 3], "response": [1, 2, 3], "covariates": [1, 0, 1]}, "too few|Fewer than four"),
        ({"level": 1.5}, "confidence level"),
    ],
)
def test_hostile_rows_are_refused_in_words(change: dict[str, Any], why: str):
    rows = {"exposure": [1, 2, 3, 4, 5], "response": [1.0, 3, 2, 5, 4], "covariates": [2, 1, 4, 3, 6], **change}
    for fit in (line, emax):
        with pytest.raises(ValueError, match=why):
            fit(**rows)


def test_a_joint_model_of_one_or_of_the_same_exposure_twice_is_refused():
    dose, y, _ = made_up()
    with pytest.raises(ValueError, match="two or more"):
        joint({"ket": dose}, y)
    with pytest.raises(ValueError, match="singular"):
        joint({"ket": dose, "again": 2 * dose}, y)


def test_a_curve_through_every_point_has_no_interval():
    dose = np.array([10.0, 20, 50, 100, 200, 400, 800])
    with pytest.raises(ValueError, match="every point"):
        emax(dose, 2 * dose / (90 + dose))
