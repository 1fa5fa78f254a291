"""Safety stopping rules against closed forms, tables worked by hand, and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.stopping_rules import beta_binomial, exact, stopping_probability


def test_the_posterior_is_the_conjugate_one():
    # Identity: Beta(1, 1) with 2 of 3 is Beta(3, 2); its tail above 1/2 is 11/16 (integrate 12 x^2 (1 - x)).
    found = beta_binomial(2, 3, limit=0.5, threshold=0.6)
    assert found.mean == pytest.approx(3 / 5)
    assert found.probability == pytest.approx(11 / 16)
    assert found.stops


def test_the_exact_p_is_a_sum_of_binomial_terms():
    # 3 or more of 5 at a rate of 0.2: 10 x 0.008 x 0.64 + 5 x 0.0016 x 0.8 + 0.00032.
    found = exact(3, 5, limit=0.2, alpha=0.1)
    assert found.p == pytest.approx(0.05792)
    assert (found.stops, found.boundary) == (True, 3)


def test_the_exact_interval_is_that_of_clopper_and_pearson():
    # Clopper-Pearson 95 % for 1 of 10, as printed in many tables: 0.0025 to 0.4450.
    found = exact(1, 10, limit=0.5, alpha=0.05)
    assert (round(found.lower, 4), round(found.upper, 4)) == (0.0025, 0.4450)
    assert exact(0, 10, limit=0.5, alpha=0.05).lower == 0
    assert exact(10, 10, limit=0.5, alpha=0.05).upper == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.floats(0.02, 0.9), st.floats(0.5, 0.99))
def test_the_boundary_is_the_fewest_events_that_stop(n, limit, threshold):
    for rule in (
        lambda events: beta_binomial(events, n, limit=limit, threshold=threshold),
        lambda events: exact(events, n, limit=limit, alpha=1 - threshold),
    ):
        boundary = rule(0).boundary
        stopping = [events for events in range(n + 1) if rule(events).stops]
        assert boundary == (stopping[0] if stopping else None)
        assert stopping == list(range(n + 1))[len(range(n + 1)) - len(stopping) :]


def test_nobody_observed_stops_nothing_by_the_exact_rule_and_leaves_the_prior():
    assert exact(0, 0, limit=0.1, alpha=0.05).p == 1
    assert not exact(0, 0, limit=0.1, alpha=0.05).stops
    assert math.isnan(exact(0, 0, limit=0.1, alpha=0.05).estimate)
    assert beta_binomial(0, 0, limit=0.1, threshold=0.95, prior=(1, 9)).mean == pytest.approx(0.1)


def test_one_look_stops_with_the_binomial_tail():
    assert stopping_probability([20], [5], rate=0.1)[0] == pytest.approx(stats.binom.sf(4, 20, 0.1))


def test_two_looks_stop_as_often_as_all_paths_counted_one_by_one():
    # Oracle: every outcome of 3 and then 2 participants, enumerated.
    rate, expected = 0.3, 0.0
    for outcome in range(32):
        hits = [outcome >> place & 1 for place in range(5)]
        if sum(hits[:3]) >= 2 or sum(hits) >= 3:
            expected += math.prod(rate if hit else 1 - rate for hit in hits)
    assert stopping_probability([3, 5], [2, 3], rate=rate)[1] == pytest.approx(expected)


def test_a_rule_that_cannot_stop_at_a_look_goes_on():
    found = stopping_probability([2, 4, 6], [3, 9, 2], rate=0.5)
    assert found[:2].tolist() == [0, 0]
    assert found[2] == pytest.approx(1 - stats.binom.cdf(1, 6, 0.5))
    assert stopping_probability([2, 4], [0, 1], rate=0.5) == pytest.approx([1, 1])


def test_simulated_looks_stop_as_often_as_computed():
    rng = np.random.default_rng(8)
    sizes, bounds = [10, 20, 40], [4, 6, 9]
    hits = rng.random((20_000, 40)) < 0.2
    stopped = np.zeros(20_000, dtype=bool)
    for size, bound in zip(sizes, bounds, strict=True):
        stopped |= hits[:, :size].sum(axis=1) >= bound
    expected = stopping_probability(sizes, bounds, rate=0.2)[-1]
    # Three Monte Carlo standard errors.
    assert abs(stopped.mean() - expected) < 3 * math.sqrt(expected * (1 - expected) / 20_000)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: beta_binomial(3, 2, limit=0.1, threshold=0.9), "events is 3 of n 2"),
        (lambda: beta_binomial(1, 2, limit=1.0, threshold=0.9), "limit is 1.0"),
        (lambda: beta_binomial(1, 2, limit=0.1, threshold=0.9, prior=(0, 1)), "prior is"),
        (lambda: exact(1, 2, limit=0.1, alpha=0), "alpha is 0"),
        (lambda: stopping_probability([5, 5], [1, 2], rate=0.1), "must rise"),
        (lambda: stopping_probability([5], [1], rate=1.5), "rate is 1.5"),
    ],
)
def test_what_is_no_probability_or_count_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
