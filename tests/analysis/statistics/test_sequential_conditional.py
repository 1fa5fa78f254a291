"""Conditional and predictive power. Oracles: closed forms and gsDesign's gsCP (conditional_power.json)."""

from math import pi, sqrt
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from analysis.statistics import sequential
from analysis.statistics.sequential import Design
from tests.analysis.statistics.oracle import cases, fractions, ids

CASES = cases("conditional_power.json")
SINGLE = [case for case in CASES if case["kind"] == "single look"]
REMAINING = [case for case in CASES if case["kind"] == "all remaining looks"]
DESIGNS: dict[str, dict[str, Any]] = {
    "HSD-4 K5 unequal": {"efficacy": sequential.hwang_shih_decani(-4)},
    "HSD-4/HSD-2 K3 non-binding": {
        "efficacy": sequential.hwang_shih_decani(-4),
        "futility": sequential.hwang_shih_decani(-2),
    },
    "LDOF K3 equal": {"efficacy": sequential.lan_demets_of()},
    "LDPocock K4 equal": {"efficacy": sequential.lan_demets_pocock(), "beta": 0.2},
}


def design_of(case: Any) -> Design:
    design = sequential.design(fractions(case["timing"]), **DESIGNS[case["design"]])
    np.testing.assert_allclose(design.efficacy_z, case["z_upper"], atol=1e-5)
    return design


@pytest.mark.parametrize("case", SINGLE, ids=ids(SINGLE))
def test_closed_forms_match(case):
    at = (case["z_interim"], case["information_fraction"], case["final_critical_value"])
    prior = (case["prior_drift_mean"], case["prior_drift_sd"])
    conditional, predictive = (
        sequential.single_look_conditional_power,
        sequential.single_look_predictive_power,
    )
    assert conditional(*at, drift="null") == pytest.approx(case["cp_null"], abs=1e-9)
    assert conditional(*at, drift="trend") == pytest.approx(case["cp_trend"], abs=1e-9)
    assert conditional(*at, drift=case["design_drift"]) == pytest.approx(case["cp_design"], abs=1e-9)
    assert predictive(*at) == pytest.approx(case["predictive_power_flat"], abs=1e-9)
    assert predictive(*at, prior=prior) == pytest.approx(case["predictive_power_normal_prior"], abs=1e-9)


@pytest.mark.parametrize("case", REMAINING, ids=ids(REMAINING))
def test_conditional_power_over_all_remaining_looks_matches(case):
    design = design_of(case)
    for drift in ("null", "design", "trend"):
        power = sequential.conditional_power(case["z_interim"], case["interim"], design=design, drift=drift)
        assert power == pytest.approx(case[f"cp_{drift}"], abs=1e-6)


@pytest.mark.parametrize("case", REMAINING, ids=ids(REMAINING))
def test_posterior_averages_reproduce_the_reference_weights(case):
    # The file's predictive_power_flat weights conditional power by the square of the posterior density of
    # theta (drift at the fixed design's information), which is no average: with one look left it contradicts
    # the closed form of the same file. The square of N(trend, 1/t) is N(trend, 1/2t), which is what a prior
    # N(trend, 1/t) leads to, times sqrt(information) / (2 sqrt pi); in these terms the numbers agree.
    design, z, look = design_of(case), case["z_interim"], case["interim"]
    time = float(design.timing[look - 1])
    prior = (z / sqrt(time), 1 / sqrt(time))
    squared = sequential.predictive_power(z, look, design=design, prior=prior)
    scale = sqrt(design.inflation_factor * time) / (2 * sqrt(pi))
    assert scale * squared == pytest.approx(case["predictive_power_flat"], abs=1e-4)


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
