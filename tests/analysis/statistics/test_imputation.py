"""Imputation against definitions written out; the reference numbers are in tests/validation."""

from math import sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics import ancova, imputation
from analysis.statistics.imputation.strategies import conditional, joint
from tests.analysis.statistics.test_mmrm_identities import PARTS, trial


def by_name(table):
    return {f"{row['parameter']}_{row['visit']}": row for row in table.to_dict("records")}


def dropout(seed=2, subjects=40):
    """A made-up trial whose participants leave for good, some at once."""
    frame = trial(seed, subjects, missing=0)
    last = np.random.default_rng(seed).integers(-1, 8, subjects)
    gone = frame["visit"].to_numpy() > last[frame["subject"]]
    return frame.assign(y=np.where(gone, np.nan, frame["y"]))


def test_the_same_seed_gives_the_same_imputations():
    once, again, other = (
        imputation.multiple(dropout(), **PARTS, imputations=3, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(once, again)
    assert not once["estimate"].equals(other["estimate"])


def test_complete_data_are_compared_as_they_are():
    frame = trial(missing=0)
    found = by_name(imputation.conditional_mean(frame, **PARTS, covariates=["base", "site"], strategy="JR"))
    drawn = by_name(
        imputation.multiple(frame, **PARTS, covariates=["base", "site"], imputations=2, rng=np.random.default_rng(1))
    )
    for visit, rows in frame.groupby("visit"):
        fit = ancova.fit(rows, response="y", arm="arm", reference="a", covariates=["base", "site"])
        contrast, means = fit.contrasts().iloc[0], fit.ls_means()
        assert found[f"trt_{visit}"]["estimate"] == pytest.approx(contrast["estimate"])
        assert found[f"lsm_ref_{visit}"]["estimate"] == pytest.approx(means.loc[0, "estimate"])
        assert found[f"lsm_alt_{visit}"]["estimate"] == pytest.approx(means.loc[1, "estimate"])
        assert drawn[f"trt_{visit}"]["se"] == pytest.approx(contrast["se"])
        assert drawn[f"lsm_alt_{visit}"]["se"] == pytest.approx(means.loc[1, "se"])


def test_a_jackknife_of_means_is_the_error_of_means():
    # Identity: leaving one of n out gives the mean the standard error s / sqrt(n).
    frame = trial(missing=0)
    found = by_name(imputation.conditional_mean(frame, **PARTS))
    sample = frame.query("arm == 'a' and visit == 3")["y"]
    # Of 40 left out, the 20 of the other arm change nothing: the factor is 39 / 40, not 19 / 20.
    expected = sample.std() / sqrt(20) * sqrt(39 / 40 * 20 / 19)
    assert found["lsm_ref_3"]["se"] == pytest.approx(expected, rel=1e-9)


def test_delta_moves_the_active_arm_by_its_share_of_imputed_values():
    frame = dropout()
    plain = by_name(imputation.conditional_mean(frame, **PARTS))
    moved = by_name(imputation.conditional_mean(frame, **PARTS, delta=3.0))
    for visit in range(4):
        share = frame.query("arm == 'b' and visit == @visit")["y"].isna().mean()
        change = moved[f"trt_{visit}"]["estimate"] - plain[f"trt_{visit}"]["estimate"]
        assert change == pytest.approx(3 * share, abs=1e-9)
        assert moved[f"lsm_ref_{visit}"]["estimate"] == pytest.approx(plain[f"lsm_ref_{visit}"]["estimate"])


def test_visits_without_a_row_are_missing_visits():
    frame = dropout()
    seen = frame[frame["y"].notna() | (frame["visit"] == 0)]
    pd.testing.assert_frame_equal(
        imputation.conditional_mean(frame, **PARTS, covariates=["base"], strategy="CIR"),
        imputation.conditional_mean(seen, **PARTS, covariates=["base"], strategy="CIR"),
    )


def test_an_event_column_that_says_what_would_be_assumed_changes_nothing():
    frame = dropout().assign(stopped=lambda table: table["y"].isna())
    pd.testing.assert_frame_equal(
        imputation.conditional_mean(frame, **PARTS, strategy="JR"),
        imputation.conditional_mean(frame, **PARTS, strategy="JR", event="stopped"),
    )


def test_values_after_the_event_are_compared_but_do_not_inform_the_model():
    # A participant with an event at visit 2 still answers at visit 2 with an absurd value, and then leaves.
    frame = trial(missing=0).assign(stopped=False)
    gone = frame["subject"] == 1
    frame.loc[gone & (frame["visit"] >= 2), "stopped"] = True
    frame.loc[gone & (frame["visit"] == 3), "y"] = np.nan
    odd = frame.copy()
    odd.loc[gone & (odd["visit"] == 2), "y"] += 100
    estimate = [
        by_name(imputation.conditional_mean(each, **PARTS, strategy="CR", event="stopped")) for each in (frame, odd)
    ]
    assert estimate[1]["trt_2"]["estimate"] - estimate[0]["trt_2"]["estimate"] == pytest.approx(100 / 20)
    assert estimate[1]["trt_1"]["estimate"] == pytest.approx(estimate[0]["trt_1"]["estimate"])


OWN, THEIRS = np.array([[1.0, 2, 3, 4]]), np.array([[10.0, 20, 30, 40]])
AFTER = np.array([False, False, True, True])
SIGMA = np.array([[4.0, 1, 1, 0], [1, 3, 1, 1], [1, 1, 5, 2], [0, 1, 2, 6]])


@pytest.mark.parametrize(
    ("strategy", "after", "mean"),
    [
        ("MAR", AFTER, [1, 2, 3, 4]),
        ("JR", AFTER, [1, 2, 30, 40]),
        ("CR", AFTER, [10, 20, 30, 40]),
        ("CIR", AFTER, [1, 2, 2 + 10, 2 + 20]),
        ("LMCF", AFTER, [1, 2, 2, 2]),
        ("JR", np.ones(4, dtype=bool), [10, 20, 30, 40]),
        ("CIR", np.ones(4, dtype=bool), [10, 20, 30, 40]),
        ("LMCF", np.ones(4, dtype=bool), [10, 20, 30, 40]),
        ("CIR", np.zeros(4, dtype=bool), [1, 2, 3, 4]),
        ("CR", np.zeros(4, dtype=bool), [1, 2, 3, 4]),
    ],
)
def test_the_mean_a_strategy_imputes_from(strategy, after, mean):
    # Carpenter, Roger & Kenward (2013), section 4.
    found, sigma = joint(strategy, OWN, THEIRS, SIGMA, SIGMA, after)
    assert found[0].tolist() == mean
    assert sigma == pytest.approx(SIGMA)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_joint_covariance_keeps_the_own_past_and_the_references_regression(seed):
    rng = np.random.default_rng(seed)
    own, theirs = (np.cov(rng.normal(size=(4, 30))) for _ in range(2))
    _, found = joint("JR", OWN, THEIRS, own, theirs, AFTER)
    assert found[:2, :2] == pytest.approx(own[:2, :2])
    slope = np.linalg.solve(found[:2, :2], found[:2, 2:])
    assert slope == pytest.approx(np.linalg.solve(theirs[:2, :2], theirs[:2, 2:]))
    rest = found[2:, 2:] - found[2:, :2] @ slope
    assert rest == pytest.approx(theirs[2:, 2:] - theirs[2:, :2] @ slope)


def test_draws_have_the_conditional_mean_and_covariance():
    # 200,000 draws: Monte Carlo errors of about sqrt(5 / 200,000) = 0.005.
    y = np.tile([2.0, np.nan, 1.0, np.nan], (200_000, 1))
    drawn = conditional(y, OWN, SIGMA, np.random.default_rng(3))[:, [1, 3]]
    seen, missing = [0, 2], [1, 3]
    slope = np.linalg.solve(SIGMA[np.ix_(seen, seen)], SIGMA[np.ix_(seen, missing)])
    mean = OWN[0, missing] + (np.array([2.0, 1.0]) - OWN[0, seen]) @ slope
    assert conditional(y[:1], OWN, SIGMA, None)[0, missing] == pytest.approx(mean)
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=0.03)
    rest = SIGMA[np.ix_(missing, missing)] - SIGMA[np.ix_(missing, seen)] @ slope
    assert np.cov(drawn.T) == pytest.approx(rest, abs=0.1)


def test_pooling_follows_rubin_and_barnard():
    # Oracle: Rubin (1987), section 3.3 and Barnard & Rubin (1999), by hand: B = 1, T = 2 + 4/3, lambda = 0.4.
    found = imputation.pool([1.0, 2.0, 3.0], [2.0, 2.0, 2.0], complete_df=10)
    assert (found.estimate, found.se) == pytest.approx((2.0, sqrt(2 + 4 / 3)))
    old, seen = 2 / 0.4**2, 11 / 13 * 10 * 0.6
    assert found.df == pytest.approx(old * seen / (old + seen))
    assert found.upper == pytest.approx(2 + stats.t.ppf(0.975, found.df) * found.se)
    assert found.p == pytest.approx(2 * stats.t.sf(2 / found.se, found.df))
    assert imputation.pool([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]).df == pytest.approx(old)


def test_imputations_that_agree_lose_no_more_than_barnard_and_rubins_share():
    assert imputation.pool([1.0, 1.0], [4.0, 4.0]).df == np.inf
    assert imputation.pool([1.0, 1.0], [4.0, 4.0], complete_df=10).df == pytest.approx(11 / 13 * 10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [1.0]), ">= 2"),
        (([1.0, 2.0], [1.0]), "as many"),
        (([1.0, np.nan], [1.0, 1.0]), "finite"),
        (([1.0, 2.0], [1.0, 0.0]), "not above 0"),
    ],
)
def test_pooling_of_what_cannot_be_pooled_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        imputation.pool(*arguments)
    with pytest.raises(ValueError, match="complete_df is 0"):
        imputation.pool([1.0, 2.0], [1.0, 1.0], complete_df=0)


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        (lambda f: f, {"strategy": "J2R"}, "MAR, JR, CR, CIR, LMCF"),
        (lambda f: f, {"delta": np.inf}, "delta is inf"),
        (lambda f: f, {"event": "stopped"}, "event is 'stopped'"),
        (lambda f: pd.concat([f, f.head(1)]), {}, "occur twice"),
        (lambda f: f.assign(base=range(len(f))), {"covariates": ["base"]}, "base changes within a subject"),
        (lambda f: f.assign(base=np.where(f["subject"] == 3, np.nan, 1)), {"covariates": ["base"]}, "missing for a"),
        (lambda f: f.assign(arm="a"), {}, "one arm only"),
        (lambda f: f, {"level": 0}, "level is 0"),
    ],
)
def test_what_cannot_be_imputed_is_refused(change, more, message):
    with pytest.raises(ValueError, match=message):
        imputation.conditional_mean(change(dropout()), **PARTS, **more)


def test_one_imputation_is_refused():
    with pytest.raises(ValueError, match="imputations is 1"):
        imputation.multiple(dropout(), **PARTS, imputations=1, rng=np.random.default_rng(1))


def test_a_tipping_point_is_multiple_imputation_repeated_for_every_delta():
    # Identity: the same generator gives the same imputations, so each step is what `multiple` says of that delta.
    frame, about = dropout(), {**PARTS, "covariates": ["base"], "imputations": 4}
    found = imputation.tipping(frame, deltas=[0, 0.5, 2], rng=np.random.default_rng(3), **about)
    for delta, rows in found.groupby("delta"):
        alone = imputation.multiple(frame, delta=delta, rng=np.random.default_rng(3), **about)
        pd.testing.assert_frame_equal(rows.drop(columns="delta").reset_index(drop=True), alone)


def test_deltas_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="deltas has shape"):
        imputation.tipping(dropout(), deltas=[np.inf], imputations=4, rng=np.random.default_rng(3), **PARTS)
