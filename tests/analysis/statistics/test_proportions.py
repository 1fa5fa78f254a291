"""Proportions against identities and each other; the reference numbers are in tests/validation."""

from math import inf, isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics import proportions

counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def arms(case: Any) -> tuple[int, int, int, int]:
    return case["x1"], case["n1"], case["x2"], case["n2"]


def test_the_score_interval_statsmodels_gets_wrong_is_right_here():
    # ECOSYSTEM: 56/70 against 48/80 is .05283 to .33817 by Miettinen and Nurminen, not .05255 to .34404.
    found = proportions.risk_difference(56, 70, 48, 80)
    assert [found.lower, found.upper] == pytest.approx([0.05283, 0.33817], abs=5e-6)


@settings(max_examples=60, deadline=None)
@given(first=counts, second=counts)
def test_swapping_the_arms_mirrors_every_interval(first, second):
    forward = proportions.risk_difference(*first, *second)
    backward = proportions.risk_difference(*second, *first)
    assert [backward.lower, backward.upper] == pytest.approx([-forward.upper, -forward.lower], abs=1e-9)
    for ratio in (proportions.risk_ratio, proportions.odds_ratio):
        forward, backward = ratio(*first, *second, method="score"), ratio(*second, *first, method="score")
        mirrored = [1 / value if value else inf for value in (forward.upper, forward.lower)]
        assert [backward.lower, backward.upper] == pytest.approx(mirrored, rel=1e-7, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(first=counts, second=counts)
def test_an_interval_excludes_no_effect_exactly_when_its_test_rejects(first, second):
    found = proportions.risk_difference(*first, *second, method="mee")
    assert found.p is not None
    assert found.p == pytest.approx(proportions.test(*first, *second).pearson_p, abs=1e-9)
    assert (found.lower > 1e-9 or found.upper < -1e-9) == (found.p < 0.05 - 1e-9) or abs(found.p - 0.05) < 1e-6


@settings(max_examples=60, deadline=None)
@given(sample=counts, level=st.floats(0.5, 0.99))
def test_one_sample_intervals_hold_the_observed_proportion(sample, level):
    x, n = sample
    exact = proportions.interval(x, n, method="clopper_pearson", level=level)
    score = proportions.interval(x, n, level=level)
    assert exact.lower <= x / n <= exact.upper
    assert score.lower <= x / n <= score.upper


def test_nobody_and_everybody_responding_are_answered_without_invention():
    nobody = proportions.odds_ratio(0, 5, 0, 5, method="score")
    assert isnan(nobody.estimate)
    assert (nobody.lower, nobody.upper) == (0, inf)
    apart = proportions.odds_ratio(5, 5, 0, 5, method="score")
    assert (apart.estimate, apart.upper) == (inf, inf)
    assert apart.lower > 1
    assert proportions.risk_ratio(0, 5, 3, 5, method="score").lower == 0
    assert proportions.test(5, 5, 5, 5).pearson_p == 1
    assert proportions.number_needed_to_treat(2, 5, 2, 5).estimate == inf


def test_one_stratum_has_the_crude_odds_ratio_and_difference():
    found = proportions.stratified([[[12, 8], [5, 15]]])
    assert found.odds_ratio.estimate == pytest.approx(proportions.odds_ratio(12, 20, 5, 20).estimate)
    assert found.risk_difference.estimate == pytest.approx(0.35)
    # CMH in one table is Pearson's statistic x (N - 1) / N.
    assert found.chi_square == pytest.approx(proportions.test(12, 20, 5, 20).chi_square * 39 / 40)


def test_a_stratum_with_one_arm_changes_nothing():
    both = [[[12, 8], [5, 15]]]
    with_empty = [*both, [[3, 1], [0, 0]]]
    assert proportions.stratified(with_empty) == proportions.stratified(both)


# R 4.2.2: mantelhaen.test(array(c(9, 4, 6, 7, 3, 2, 4, 5), c(2, 2, 2)))$statistic, and of c(5, 5, 6, 5, 3, 4, 5, 7), in
# which observed and expected are less than one half apart; R's tables are (arm, answer, stratum).
@pytest.mark.parametrize(
    ("tables", "corrected"),
    [
        ([[[9, 6], [4, 7]], [[3, 4], [2, 5]]], 0.894495412844),
        ([[[5, 6], [5, 5]], [[3, 5], [4, 7]]], 0.0137068251278),
    ],
)
def test_a_continuity_correction_never_overshoots(tables, corrected):
    found = proportions.stratified(tables)
    assert found.chi_square_continuity == pytest.approx(corrected, rel=1e-9)
    assert found.chi_square >= found.chi_square_continuity


def test_strata_without_discordant_pairs_have_no_odds_ratio_interval():
    none = proportions.stratified([[[0, 5], [0, 4]]])
    assert isnan(none.odds_ratio.estimate)
    assert none.p == 1
    apart = proportions.stratified([[[5, 0], [0, 4]]])
    assert apart.odds_ratio.estimate == inf
    assert isnan(apart.odds_ratio.lower)


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (
            lambda: proportions.risk_difference(6, 5, 1, 5),
            "x1 is 6; allowed is a whole number from 0 to n1 = 5",
        ),
        (lambda: proportions.risk_difference(1, 5, 1, 0), "n0 is 0"),
        (lambda: proportions.risk_difference(1.5, 5, 1, 5), "x1 is 1.5"),
        (lambda: proportions.risk_difference(1, 5, nan, 5), "x0 is nan"),
        (lambda: proportions.risk_difference(1, 5, 1, 5, level=1.0), "level is 1"),
        (
            lambda: proportions.risk_difference(1, 5, 1, 5, method="exact"),  # type: ignore[arg-type]
            "method is 'exact'; allowed are miett",
        ),
        (lambda: proportions.odds_ratio(1, 5, 1, 5, method="wald"), "method is 'wald'"),  # type: ignore[arg-type]
        (lambda: proportions.interval(3, 2), "x is 3"),
        (lambda: proportions.stratified(np.zeros((2, 2))), "tables has shape"),
        (lambda: proportions.stratified([[[1, -1], [1, 1]]]), "no counts"),
        (lambda: proportions.stratified([[[1, 1], [0, 0]]]), "no stratum with both arms"),
    ],
)
def test_impossible_counts_are_refused_with_the_argument_named(ask, complaint):
    with pytest.raises(ValueError, match=complaint):
        ask()
