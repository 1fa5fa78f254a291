"""Analysis of covariance against t tests and identities; the reference numbers are in tests/validation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics import ancova
from tests.analysis.statistics import trials


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), m=st.integers(3, 12), n=st.integers(3, 12), shift=st.floats(-3, 3))
def test_an_interval_of_d_ends_where_the_noncentral_t_has_the_tail(seed, m, n, shift):
    # Identity: at the lower limit the observed t has 2.5 % above it, at the upper 2.5 % below.
    # SciPy finds the noncentrality to about seven digits.
    rng = np.random.default_rng(seed)
    found = ancova.standardised_difference(rng.normal(shift, 1, m), rng.normal(0, 1, n)).cohen_d
    root = np.sqrt(m * n / (m + n))
    assert stats.nct.sf(found.statistic, m + n - 2, found.lower * root) == pytest.approx(0.025, abs=1e-6)
    assert stats.nct.cdf(found.statistic, m + n - 2, found.upper * root) == pytest.approx(0.025, abs=1e-6)


def test_a_standardised_difference_tests_as_student_does():
    x, y = [1.0, 2.0, 4.0, 7.0], [0.5, 0.7, 2.0]
    found = ancova.standardised_difference(x, y)
    expected = stats.ttest_ind(x, y)
    assert (found.cohen_d.statistic, found.cohen_d.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.hedges_g.estimate / found.cohen_d.estimate == pytest.approx(1 - 3 / (4 * 5 - 1), abs=2e-3)


def test_a_difference_of_means_without_covariates_is_students():
    frame = trials.ashar_wide()
    fit = ancova.fit(frame[frame["arm"] != "PRT"], response="pain_avg_post", arm="arm", reference="usual_care")
    by_arm = {arm: rows["pain_avg_post"].dropna() for arm, rows in frame.groupby("arm")}
    expected = stats.ttest_ind(by_arm["placebo"], by_arm["usual_care"])
    assert fit.contrasts().loc[0, ["t", "p"]].tolist() == pytest.approx([expected.statistic, expected.pvalue])
    assert fit.rows_left_out == frame.loc[frame["arm"] != "PRT", "pain_avg_post"].isna().sum()


def test_means_may_be_taken_over_the_rows_fitted():
    frame = trials.vickers()
    options = {"response": "pk5", "arm": "arm", "reference": "control", "covariates": ["pk1"]}
    fitted_rows = ancova.fit(frame, means_over="rows_fitted", **options)
    complete = ancova.fit(frame.dropna(subset=["pk5"]), **options)
    pd.testing.assert_frame_equal(fitted_rows.ls_means(), complete.ls_means())
    assert (fitted_rows.ls_means()["estimate"] != ancova.fit(frame, **options).ls_means()["estimate"]).all()


def test_the_order_of_rows_does_not_matter():
    frame = trials.vickers()
    again = ancova.fit(
        frame.sample(frac=1, random_state=4), response="pk5", arm="arm", reference="control", covariates=["pk1", "sex"]
    )
    once = ancova.fit(frame, response="pk5", arm="arm", reference="control", covariates=["pk1", "sex"])
    pd.testing.assert_frame_equal(again.coefficients, once.coefficients, rtol=1e-9)


SMALL = pd.DataFrame(
    {
        "arm": ["a", "b"] * 4,
        "y": [1.0, 2, 3, 5, 4, 8, 6, 7],
        "x": [3.0, 1, 4, 1, 5, 9, 2, 6],
        "same": 1.0,
        "word": ["u"] * 8,
    }
)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"arm": "a"}, {}, "one arm only"),
        ({}, {"reference": "z"}, "reference is 'z'"),
        ({}, {"covariates": ["same"]}, r"singular.*same"),
        ({}, {"covariates": ["word"]}, "one level only"),
        ({}, {"covariates": ["gone"]}, "no column"),
        ({}, {"covariates": ["y"]}, "named twice"),
        ({"intercept": 1.0}, {"covariates": ["intercept"]}, "rename the column"),
        ({}, {"robust": "HC9"}, "HC0, HC2, HC3"),
        ({}, {"means_over": "all"}, "rows_given, rows_fitted"),
        ({}, {"level": 95}, "level is 95"),
        ({"y": np.nan}, {}, "No row holds"),
        ({"y": "text"}, {}, "numbers are needed"),
        ({"y": [np.inf, *range(7)]}, {}, "infinite"),
        ({"x": [np.inf, *range(7)]}, {"covariates": ["x"]}, "infinite"),
        ({"arm": [None, *"bababab"]}, {}, "missing in 1 rows"),
        ({"twin": lambda table: 2 * table["x"] + 3}, {"covariates": ["x", "twin"]}, "singular"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, options, message):
    arguments = {"response": "y", "arm": "arm", "reference": "a"} | options
    with pytest.raises(ValueError, match=message):
        ancova.fit(SMALL.assign(**change), **arguments)


def test_a_model_with_as_many_terms_as_rows_is_refused():
    with pytest.raises(ValueError, match="2 complete rows for 2 terms"):
        ancova.fit(SMALL.head(2), response="y", arm="arm", reference="a")


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [([1], [1, 2], "x must hold"), ([1, 2], [1, np.nan], "y must"), ([1, 1], [2, 2], "no spread")],
)
def test_a_standardised_difference_without_spread_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        ancova.standardised_difference(x, y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: pd.concat([t, t.head(1)]), "two rows in one"),
        (lambda t: t.assign(Order="AP"), "two sequences"),
        (lambda t: t.assign(Treatment="P"), "must hold it and one other"),
        (lambda t: t.assign(Order=[*"xy"] * (len(t) // 2)), "changes within a subject"),
        (lambda t: t.assign(Period=range(len(t))), "two periods"),
    ],
)
def test_a_crossover_that_is_none_is_refused(change, message):
    rows = trials.amitriptyline().sort_values(["ID", "Period"])
    with pytest.raises(ValueError, match=message):
        ancova.crossover(
            change(rows), subject="ID", period="Period", sequence="Order", treatment="Treatment",
            response="reduction", reference="P",
        )  # fmt: skip
