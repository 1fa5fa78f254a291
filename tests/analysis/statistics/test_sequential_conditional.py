"""Conditional and predictive power against integrals; the reference numbers are in tests/validation."""

from math import sqrt

import numpy as np
import pytest
from scipy.stats import norm

from analysis.statistics import sequential


@pytest.mark.parametrize("z", [-0.5, 0.8, 1.9])
@pytest.mark.parametrize("prior", [None, (2.0, 1.5)])
def test_with_one_look_left_predictive_power_is_the_closed_form(z, prior):
    design = sequential.design([0.3, 0.7, 1.0])
    closed = sequential.single_look_predictive_power(z, 0.7, design.efficacy_z[-1], prior=prior)
    assert sequential.predictive_power(z, 2, design=design, prior=prior) == pytest.approx(closed, abs=1e-8)


def test_predictive_power_is_the_posterior_mean_of_conditional_power():
    # Oracle: the same integral over 400 equal steps of the drift.
    design = sequential.design([0.25, 0.5, 0.75, 1.0], efficacy=sequential.lan_demets_pocock())
    drifts = np.linspace(1.2 / 0.5 - 16, 1.2 / 0.5 + 16, 401)
    powers = [sequential.conditional_power(1.2, 1, design=design, drift=float(drift)) for drift in drifts]
    mean = np.trapezoid(powers * norm.pdf(drifts, 1.2 / 0.5, 2.0), drifts)
    assert sequential.predictive_power(1.2, 1, design=design) == pytest.approx(mean, abs=1e-7)


def test_a_vague_prior_is_the_flat_one():
    design = sequential.design([0.5, 1.0])
    flat = sequential.predictive_power(1.0, 1, design=design)
    assert sequential.predictive_power(1.0, 1, design=design, prior=(5.0, 1e4)) == pytest.approx(flat, abs=1e-6)


def test_conditional_power_averages_to_power_over_the_first_look():
    # Power = P(reject at look 1) + the mean of conditional power over the z that go on.
    design = sequential.design([0.4, 0.8, 1.0])
    first = design.drift * sqrt(0.4)
    z = np.linspace(first - 9, design.efficacy_z[0] - 1e-9, 601)
    power = [sequential.conditional_power(float(value), 1, design=design, drift="design") for value in z]
    rest = np.trapezoid(power * norm.pdf(z - first), z)
    assert norm.sf(design.efficacy_z[0] - first) + rest == pytest.approx(0.9, abs=1e-5)


@pytest.mark.parametrize(
    ("z", "look", "drift", "complaint"),
    [
        (1.0, 3, "trend", "look 3 is the last"),
        (1.0, 4, "trend", "look is 4; allowed is 1 to 3"),
        (5.0, 1, "trend", "has crossed its bound"),
        (1.0, 1, "hope", "drift is 'hope'"),
        (1.0, 1, float("nan"), "drift is nan"),
        (float("nan"), 1, "trend", "z is nan"),
    ],
)
def test_impossible_conditional_power_is_refused(z, look, drift, complaint):
    with pytest.raises(ValueError, match=complaint):
        sequential.conditional_power(z, look, design=sequential.design([0.3, 0.7, 1.0]), drift=drift)


def test_a_binding_futility_bound_ends_the_trial_and_a_non_binding_one_need_not():
    rule = sequential.fixed_bounds([0.5])
    loose = sequential.design([0.5, 1.0], futility=rule)
    binding = sequential.design([0.5, 1.0], futility=rule, binding=True)
    assert 0 < sequential.conditional_power(0.2, 1, design=loose) < 0.1
    with pytest.raises(ValueError, match="has crossed its bound"):
        sequential.conditional_power(0.2, 1, design=binding)


@pytest.mark.parametrize(
    ("fraction", "drift", "complaint"), [(1.0, "null", "fraction is 1"), (0.5, "design", "drift is 'design'")]
)
def test_impossible_single_look_power_is_refused(fraction, drift, complaint):
    with pytest.raises(ValueError, match=complaint):
        sequential.single_look_conditional_power(1.0, fraction, 1.96, drift=drift)


def test_a_prior_without_spread_is_refused():
    with pytest.raises(ValueError, match="prior sd is 0"):
        sequential.single_look_predictive_power(1.0, 0.5, 1.96, prior=(1.0, 0.0))
