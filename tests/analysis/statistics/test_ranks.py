"""Rank tests against SciPy and enumeration; the reference numbers are in tests/validation."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, rankdata

from analysis.statistics import ranks


@settings(max_examples=40, deadline=None)
@given(
    x=st.lists(st.integers(0, 4), min_size=1, max_size=5),
    y=st.lists(st.integers(0, 4), min_size=1, max_size=5),
)
def test_the_exact_p_with_ties_is_that_of_every_allocation(x, y):
    # Oracle: all ways to choose who is in x, written out.
    mid = rankdata([*x, *y])
    sums = [mid[list(chosen)].sum() for chosen in combinations(range(mid.size), len(x))]
    centre = len(x) * mid.mean()
    expected = np.mean(np.abs(np.array(sums) - centre) >= abs(mid[: len(x)].sum() - centre) - 1e-9)
    assert ranks.mann_whitney(x, y, method="exact").p == pytest.approx(expected, abs=1e-12)


def test_without_ties_the_exact_p_is_that_of_scipy():
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=17), rng.normal(0.6, 1, size=23)
    expected = mannwhitneyu(x, y, method="exact").pvalue
    assert ranks.mann_whitney(x, y, method="exact").p == pytest.approx(expected, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    x=st.lists(st.floats(-50, 50), min_size=2, max_size=15),
    y=st.lists(st.floats(-50, 50), min_size=2, max_size=15),
    shift=st.floats(-20, 20),
)
def test_the_shift_follows_a_moved_sample(x, y, shift):
    here = ranks.hodges_lehmann(x, y)
    moved = ranks.hodges_lehmann(np.array(x) + shift, y)
    assert moved.estimate == pytest.approx(here.estimate + shift, abs=1e-9)
    assert moved.lower == pytest.approx(here.lower + shift, abs=1e-9)
    assert here.lower <= here.estimate <= here.upper


def test_samples_all_alike_have_p_1_and_no_superiority():
    found = ranks.mann_whitney([3, 3, 3], [3, 3])
    assert (found.p, found.probability_superiority) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (lambda: ranks.mann_whitney([], [1]), "x holds missing values or none"),
        (lambda: ranks.mann_whitney([1], [float("nan")]), "y holds missing"),
        (lambda: ranks.mann_whitney([1], [2], method="auto"), "method is 'auto'"),  # type: ignore[arg-type]
        (
            lambda: ranks.mann_whitney(range(200), range(100), method="exact"),
            "hold 300 values; exact allows 250",
        ),
        (lambda: ranks.hodges_lehmann([1, 1], [2, 3], method="exact"), "hold ties"),
        (lambda: ranks.hodges_lehmann([1], [2], method="auto"), "method is 'auto'"),  # type: ignore[arg-type]
        (lambda: ranks.hodges_lehmann([1], [2], level=1.5), "level is 1.5"),
    ],
)
def test_impossible_samples_are_refused_with_the_argument_named(ask, complaint):
    with pytest.raises(ValueError, match=complaint):
        ask()
