"""Dissociation of dimensions over time. Oracles: truths that data were made with, identities, worked examples."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from analysis.statistics import dissociation, mmrm
from analysis.statistics.mmrm.design import Columns, build
from analysis.statistics.mmrm.fits import starting_values
from analysis.statistics.mmrm.kronecker import AutoregressiveAroundLevel, FirstVarianceOne, Kronecker
from analysis.statistics.mmrm.likelihood import Model
from analysis.statistics.mmrm.optimiser import Covariances
from analysis.statistics.mmrm.patterns import summarise
from analysis.statistics.mmrm.structures import Unstructured

DAYS = (1, 7, 28, 84)
TRUTH = {"S": (1.0, 40.0), "A": (0.8, 30.0), "Q": (0.8, 5.0)}


def effect(dimension, day):
    amplitude, half_life = TRUTH[dimension]
    return amplitude * 2.0 ** (-day / half_life)


def made_up(seed=1, subjects=120, missing=0.1, dimensions=("S", "A", "Q"), days=DAYS):
    """Subjects by dimension and day; effects of KET decay with known half-lives; errors correlated throughout."""
    rng = np.random.default_rng(seed)
    cells = [(dimension, day) for dimension in dimensions for day in days]
    between = 0.4 + 0.6 * np.eye(len(dimensions))
    within = 0.3 + 0.7 * 0.5 ** np.abs(np.subtract.outer(range(len(days)), range(len(days))))
    errors = rng.multivariate_normal(np.zeros(len(cells)), np.kron(between, within), subjects)
    baseline = rng.normal(6, 1, (subjects, len(dimensions)))
    rows = [
        {
            "subject": f"P{i:03d}",
            "arm": "KET" if i % 2 else "MDZ",
            "strata": f"site {i % 3}",
            "dimension": dimension,
            "day": day,
            "baseline": baseline[i, dimensions.index(dimension)],
            "improvement": (i % 2) * effect(dimension, day) + 0.1 * (baseline[i, 0] - 6) + errors[i, place],
        }
        for i in range(subjects)
        for place, (dimension, day) in enumerate(cells)
    ]
    frame = pd.DataFrame(rows)
    return frame[rng.random(len(frame)) >= missing].reset_index(drop=True)


def test_curves_and_contrasts_find_the_truth_they_were_made_with():
    # Simulation, 40 trials: the mean of an estimate has a standard error of se / sqrt(40), of which four are allowed.
    models = [dissociation.joint_model(made_up(seed), covariance="un_un", df="satterthwaite") for seed in range(40)]
    for day in DAYS:
        found = [model.level_contrast(day) for model in models]
        error = found[0].se / np.sqrt(40)
        assert np.mean([each.estimate for each in found]) == pytest.approx(
            effect("S", day) - effect("Q", day), abs=4 * error
        )
        # An SD from 40 has an error of 11 %, of which three are allowed.
        assert np.std([each.estimate for each in found], ddof=1) == pytest.approx(found[0].se, rel=0.35)


@pytest.mark.parametrize("covariance", ["us", "un_un", "un_ar1_re"])
def test_contrasts_are_differences_of_curves(covariance):
    model = dissociation.joint_model(made_up(), covariance=covariance)
    assert model.covariance_used == covariance
    assert model.curves[["dimension", "day"]].to_numpy().tolist() == [
        [dimension, day] for dimension in ("A", "Q", "S") for day in DAYS
    ]
    at = {(row["dimension"], row["day"]): number for number, row in model.curves.iterrows()}
    weights = np.zeros(len(model.curves))
    weights[at["S", 28]], weights[at["Q", 28]] = 1, -1
    level = model.level_contrast(28)
    assert level.estimate == pytest.approx(weights @ model.curves["estimate"])
    assert level.se == pytest.approx(np.sqrt(weights @ model.curve_covariance @ weights))
    assert np.sqrt(np.diag(model.curve_covariance)) == pytest.approx(model.curves["se"].to_numpy())
    change = model.change_contrast(1, 28)
    assert change.estimate == pytest.approx(level.estimate - model.level_contrast(1).estimate)
    assert model.level_contrast(28, first="Q", second="S").estimate == pytest.approx(-level.estimate)


def test_one_dimension_is_the_mixed_model_of_its_days():
    frame = made_up(dimensions=("S",))
    model = dissociation.joint_model(frame)
    alone = mmrm.fit(
        frame, response="improvement", subject="subject", visit="day", arm="arm", reference="MDZ",
        covariates=["baseline", "strata"], covariates_by_visit=["baseline"], df="kenward_roger",
    )  # fmt: skip
    columns = ["estimate", "se", "df", "t", "p", "lower", "upper"]
    pd.testing.assert_frame_equal(model.curves[columns], alone.contrasts()[columns], rtol=1e-7)


def test_a_level_contrast_of_complete_data_is_near_a_t_test_of_differences():
    # With baselines that explain nothing, only their chance adjustment parts the two: a tenth of the error.
    frame = made_up(5, missing=0).assign(strata="all")
    wide = frame[frame["day"] == 28].pivot(index=["subject", "arm"], columns="dimension", values="improvement")
    difference = (wide["S"] - wide["Q"]).reset_index()
    by_arm = {arm: rows[0] for arm, rows in difference.groupby("arm")}
    expected = stats.ttest_ind(by_arm["KET"], by_arm["MDZ"])
    found = dissociation.joint_model(frame).level_contrast(28)
    assert found.estimate == pytest.approx(by_arm["KET"].mean() - by_arm["MDZ"].mean(), abs=0.3 * found.se)
    assert found.statistic == pytest.approx(expected.statistic, abs=0.4)


def test_the_next_structure_is_taken_and_named():
    # Ten subjects cannot carry the 78 covariances of 12 cells.
    model = dissociation.joint_model(made_up(3, subjects=16, missing=0))
    assert model.covariance_used == "un_un"
    assert [name for name, _ in model.not_converged] == ["us"]


@pytest.mark.parametrize("times", [FirstVarianceOne(4), AutoregressiveAroundLevel(4)])
def test_derivatives_of_product_structures_are_those_of_the_deviance(times):
    # Oracle: central differences away from the maximum.
    frame = made_up(2, subjects=40, dimensions=("S", "Q"))
    rows = frame.assign(cell=frame["dimension"] + frame["day"].map("{:02d}".format))
    columns = Columns("improvement", "subject", "cell", "arm", (), ())
    design = build(rows, columns, "MDZ", group_by_arm=False)
    model = Model(summarise(design.subjects), design.expand, True)
    covariances = Covariances("product", Kronecker(Unstructured(2), times, 4), 1)
    theta = starting_values(model.patterns, covariances)
    theta = theta + 0.05 * np.cos(np.arange(len(theta)))

    def at(point):
        return model.at(covariances.sigma(point))

    step = 1e-5 * np.eye(len(theta))
    slopes = [(at(theta + d).deviance - at(theta - d).deviance) / 2e-5 for d in step]
    assert covariances.gradient(theta, at(theta)) == pytest.approx(np.array(slopes), rel=1e-6, abs=1e-6)
    curvature = [
        (covariances.gradient(theta + d, at(theta + d)) - covariances.gradient(theta - d, at(theta - d))) / 2e-5
        for d in step
    ]
    exact = covariances.hessian(theta, at(theta), complete=True)
    assert exact == pytest.approx(np.array(curvature), rel=1e-5, abs=1e-5)


def exact_curves(se=0.1):
    return pd.DataFrame(
        [
            {"dimension": dimension, "day": day, "estimate": effect(dimension, day), "se": se}
            for dimension in TRUTH
            for day in DAYS
        ]
    )


def test_half_lives_of_exact_curves_are_found():
    found = dissociation.half_life_ratio(exact_curves(1e-6), rng=np.random.default_rng(1), draws=100)
    assert (found.first.amplitude, found.first.days) == pytest.approx((1.0, 40.0), rel=1e-4)
    assert (found.second.amplitude, found.second.days) == pytest.approx((0.8, 5.0), rel=1e-4)
    assert found.log_ratio.estimate == pytest.approx(np.log(8), abs=1e-4)
    assert (found.log_ratio.lower, found.log_ratio.upper) == pytest.approx((np.log(8), np.log(8)), abs=1e-3)
    assert found.share_at_bound == 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_half_lives_are_those_of_a_bounded_optimiser(seed):
    # Oracle: scipy.optimize over both parameters from several starts.
    rng = np.random.default_rng(seed)
    curves = exact_curves().assign(
        estimate=lambda table: table["estimate"] + rng.normal(0, 0.1, len(table)), se=rng.uniform(0.05, 0.2, 12)
    )
    found = dissociation.half_life_ratio(curves, rng=rng, draws=100).first
    mine = curves[curves["dimension"] == "S"]
    day, value, se = (mine[name].to_numpy(dtype=float) for name in ("day", "estimate", "se"))

    def loss(theta):
        return (((value - theta[0] * 2 ** (-day / np.exp(theta[1]))) / se) ** 2).sum()

    bounds = [(0, None), (np.log(0.5), np.log(400))]
    best = min(optimize.minimize(loss, [1, start], bounds=bounds).fun for start in (0.5, 2, 3.5, 5))
    assert loss([found.amplitude, np.log(found.days)]) <= best + 1e-5


def test_half_lives_at_a_bound_are_flagged_and_kept():
    flat = exact_curves().assign(estimate=0.5)
    found = dissociation.half_life_ratio(flat, rng=np.random.default_rng(1), draws=200)
    assert found.first.at_bound
    assert found.first.days == pytest.approx(400, rel=1e-3)
    none = dissociation.half_life_ratio(flat.assign(estimate=-0.5), rng=np.random.default_rng(1), draws=200)
    assert (none.first.amplitude, none.first.days, none.first.at_bound) == (0.0, 0.5, True)
    assert none.share_at_bound == 1.0


def test_the_covariance_of_the_curves_is_that_of_the_draws():
    curves = exact_curves(0.05)
    apart = dissociation.half_life_ratio(curves, rng=np.random.default_rng(1), draws=2000)
    # Dimensions that err together, day by day, part less than those that err apart.
    shared = 0.05**2 * (0.9 * np.kron(np.ones((3, 3)), np.eye(4)) + 0.1 * np.eye(12))
    together = dissociation.half_life_ratio(curves, rng=np.random.default_rng(1), draws=2000, covariance=shared)
    assert together.log_ratio.estimate == apart.log_ratio.estimate
    assert together.log_ratio.se < 0.97 * apart.log_ratio.se
    again = dissociation.half_life_ratio(curves, rng=np.random.default_rng(1), draws=2000)
    assert again == apart


def answers(**responses):
    """One participant per list of 0 and 1 by dimension, on the common days; None is a missing visit."""
    return pd.DataFrame(
        [
            {"subject": 1, "arm": "KET", "dimension": dimension, "day": day, "improvement": value}
            for dimension, values in responses.items()
            for day, value in zip(DAYS, values, strict=True)
            if value is not None
        ]
    )


@pytest.mark.parametrize(
    ("values", "days"),
    [
        # The worked example of the handbook: pain 1, 1, 1, 0 is 83 days, sensory testing 1, 0, 0, 0 is 6.
        ([1, 1, 1, 0], 83),
        ([1, 0, 0, 0], 6),
        ([1, 1, 1, 1], 83),
        ([0, 0, 0, 0], 0),
        ([0, 1, None, 1], 21),
        ([np.nan, 0.5, 0.5 - 1e-12, 0.49], 21 + 56),
    ],
)
def test_days_in_response(values, days):
    frame = answers(S=values, Q=[0, 0, 0, 0])
    found = dissociation.time_in_response(frame, threshold=0.5, end_day=84)
    assert found.set_index("dimension").loc["S", "days"] == days


def test_days_in_response_of_those_without_a_row_are_none():
    frame = pd.concat([answers(S=[1, 1, 1, 1], Q=[1, 1, 1, 1]), answers(S=[1, 1, 1, 1]).assign(subject=2)])
    found = dissociation.time_in_response(frame).set_index(["subject", "dimension"])["days"]
    assert found.to_dict() == {(1, "Q"): 83, (2, "Q"): 0, (1, "S"): 83, (2, "S"): 83}
    assert dissociation.time_in_response(frame, end_day=30)["days"].max() == 29


def times(seed=3, n=40):
    rng = np.random.default_rng(seed)
    ids = np.arange(n)
    arm = np.where(ids % 2, "KET", "MDZ")
    rows = {"S": 30 + 20 * (ids % 2) + rng.normal(0, 15, n), "Q": 25 + rng.normal(0, 10, n)}
    return pd.concat([pd.DataFrame({"subject": ids, "arm": arm, "dimension": d, "days": v}) for d, v in rows.items()])


def test_paired_differences_are_t_tests():
    frame = times()
    found = dissociation.paired_difference(frame)
    wide = frame.pivot(index=["subject", "arm"], columns="dimension", values="days")
    difference = (wide["S"] - wide["Q"]).reset_index()
    by_arm = {arm: rows[0].to_numpy() for arm, rows in difference.groupby("arm")}
    one = stats.ttest_1samp(by_arm["KET"], 0)
    assert (found.by_arm["KET"].statistic, found.by_arm["KET"].p) == pytest.approx((one.statistic, one.pvalue))
    two = stats.ttest_ind(by_arm["KET"], by_arm["MDZ"], equal_var=False)
    assert (found.difference.statistic, found.difference.p) == pytest.approx((two.statistic, two.pvalue))
    low, high = two.confidence_interval()
    assert (found.difference.lower, found.difference.upper) == pytest.approx((low, high))


def test_the_bootstrap_of_the_paired_difference_is_near_welch():
    # 20 an arm: the percentile interval is narrower by about sqrt(19 / 20) and a t quantile, 6 % in all.
    welch = dissociation.paired_difference(times()).difference
    drawn = dissociation.paired_difference(times(), rng=np.random.default_rng(1), draws=5000).difference
    assert drawn.estimate == welch.estimate
    assert drawn.upper - drawn.lower == pytest.approx(0.94 * (welch.upper - welch.lower), rel=0.05)
    assert drawn == dissociation.paired_difference(times(), rng=np.random.default_rng(1), draws=5000).difference


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f, {"covariance": "toep"}, "us, un_un, un_ar1_re"),
        (lambda f: f, {"df": "kr"}, "kenward_roger"),
        (lambda f: f, {"reference": "PLC"}, "reference is 'PLC'"),
        (lambda f: f.drop(columns="strata"), {}, "no column"),
        (lambda f: pd.concat([f, f.head(1)]), {}, "occur twice"),
        (lambda f: f.assign(arm=np.where(f["subject"] == "P001", "ESK", f["arm"])), {}, "two arms"),
        (
            lambda f: f[(f["dimension"] != "Q") | (f["day"] != 7)],
            {"covariance": "un_un"},
            "same days in every dimension",
        ),
        (lambda f: f[f["day"] < 20], {"covariance": "un_ar1_re"}, "three days or more"),
    ],
)
def test_what_cannot_be_modelled_jointly_is_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        dissociation.joint_model(change(made_up()), **options)


def test_a_contrast_outside_the_model_is_refused():
    model = dissociation.joint_model(made_up(dimensions=("S", "Q"), days=(1, 28)))
    with pytest.raises(ValueError, match="dimension 'S' at day 84 is not in the model"):
        model.level_contrast(84)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda c: c, {"draws": 10}, "draws is 10"),
        (lambda c: c, {"first": "M"}, "dimension 'M' has 0 days"),
        (lambda c: c, {"covariance": np.eye(3)}, r"shape \(3, 3\) for 12 rows"),
        (lambda c: c.drop(columns="se"), {}, "no column"),
    ],
)
def test_curves_without_a_half_life_are_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        dissociation.half_life_ratio(change(exact_curves()), rng=np.random.default_rng(1), **options)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: pd.concat([f, f]), {}, "one row per subject"),
        (lambda f: f.assign(arm=["KET", "MDZ"] * 4), {}, "arm changes"),
        (lambda f: f, {"end_day": 0}, "before every day"),
        (lambda f: f.assign(improvement=np.inf), {}, "infinite"),
    ],
)
def test_days_in_response_of_what_makes_no_sense_are_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        dissociation.time_in_response(change(answers(S=[1, 1, 1, 0], Q=[1, 0, 0, 0])), **options)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda t: t, {"second": "M"}, "second 'M'; the dimensions of times are"),
        (lambda t: t, {"reference": "PLC"}, "reference 'PLC'"),
        (lambda t: t, {"rng": np.random.default_rng(1), "draws": 5}, "draws is 5"),
        (lambda t: t[t["subject"] < 3], {}, "two participants"),
        (lambda t: t.iloc[1:], {}, r"has no days on 'S' or 'Q', or more than one arm"),
    ],
)
def test_paired_differences_without_pairs_are_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        dissociation.paired_difference(change(times()), **options)
