"""Designs against printed tables, SciPy's integrals and identities; the reference numbers are in tests/validation."""

import pickle
from math import inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from analysis.statistics import sequential


def test_obrien_fleming_bounds_match_the_printed_table():
    # Jennison & Turnbull (2000), table 2.3: C(5, 0.05) = 2.040, printed to three decimals.
    design = sequential.design(np.arange(1, 6) / 5, sides=2, efficacy=sequential.obrien_fleming())
    assert design.efficacy_z[-1] == pytest.approx(2.040, abs=5e-4)
    np.testing.assert_allclose(design.efficacy_z * np.sqrt(design.timing), design.efficacy_z[-1])


def test_one_look_is_the_fixed_design():
    design = sequential.design([1.0], alpha=0.025, beta=0.2)
    assert design.efficacy_z[0] == pytest.approx(norm.isf(0.025), abs=1e-12)
    assert design.inflation_factor == pytest.approx(1.0, abs=1e-9)
    assert design.drift == pytest.approx(norm.isf(0.025) + norm.isf(0.2), abs=1e-9)


def test_crossing_probabilities_equal_the_multivariate_normal_of_scipy():
    # Oracle: SciPy's integral of the canonical joint normal distribution, which is good to about 1e-5.
    timing = np.array([0.3, 0.7, 1.0])
    design = sequential.design(timing, futility=sequential.fixed_bounds([0.1, 0.6]))
    covariance = np.sqrt(np.minimum.outer(timing, timing) / np.maximum.outer(timing, timing))
    law = multivariate_normal(2.5 * np.sqrt(timing), covariance, seed=1)
    low = np.r_[design.futility_z[:2], design.efficacy_z[2]]
    last = law.cdf(np.r_[design.efficacy_z[:2], inf], lower_limit=low)
    assert design.properties(2.5).stop_efficacy[2] == pytest.approx(last, abs=3e-5)


@settings(max_examples=25, deadline=None)
@given(
    gaps=st.lists(st.floats(0.05, 1.0), min_size=1, max_size=6),
    alpha=st.floats(0.001, 0.2),
    gamma=st.floats(-6.0, 3.0),
    sides=st.sampled_from([1, 2]),
)
def test_any_spending_design_spends_exactly_alpha_and_has_its_power(gaps, alpha, gamma, sides):
    timing = np.cumsum(gaps) / np.sum(gaps)
    timing[-1] = 1.0
    rule = sequential.hwang_shih_decani(gamma)
    design = sequential.design(timing, alpha=alpha, beta=0.15, sides=sides, efficacy=rule)
    properties = design.properties(design.drift)
    np.testing.assert_allclose(design.alpha_spent, rule.spent(timing, alpha), atol=1e-7, rtol=0)
    assert properties.power - properties.stop_efficacy_lower.sum() == pytest.approx(0.85, abs=1e-7)
    assert design.properties(0.0).power == pytest.approx(sides * alpha, abs=1e-7)


def test_non_binding_futility_leaves_the_efficacy_bounds_alone_and_binding_lowers_the_last():
    timing = [0.5, 1.0]
    plain = sequential.design(timing)
    loose = sequential.design(timing, futility=sequential.lan_demets_of())
    binding = sequential.design(timing, futility=sequential.lan_demets_of(), binding=True)
    np.testing.assert_allclose(loose.efficacy_z, plain.efficacy_z, atol=1e-12)
    assert binding.efficacy_z[-1] < plain.efficacy_z[-1]
    # A futility bound that may be disregarded costs power, so it costs information.
    assert plain.inflation_factor < binding.inflation_factor < loose.inflation_factor


@pytest.mark.parametrize(
    "efficacy", [sequential.obrien_fleming(), sequential.fixed_bounds([3.0, 3.0]), sequential.lan_demets_of()]
)
def test_binding_futility_keeps_alpha_for_every_kind_of_bound(efficacy):
    futility = sequential.hwang_shih_decani(-2)
    design = sequential.design([0.3, 0.6, 1.0], efficacy=efficacy, futility=futility, binding=True)
    properties = design.properties(design.drift)
    assert design.properties(0.0).power == pytest.approx(0.025, abs=1e-9)
    assert properties.power == pytest.approx(0.9, abs=1e-9)
    np.testing.assert_allclose(design.beta_spent, futility.spent(design.timing, 0.1), atol=1e-9)


def test_a_look_without_spending_has_no_bound():
    late = sequential.user_spending([(0.5, 0.0), (1.0, 1.0)])
    design = sequential.design([0.5, 1.0], efficacy=late, futility=sequential.fixed_bounds([nan]))
    assert np.isnan(design.efficacy_z[0])
    assert np.isnan(design.futility_z[0])
    assert design.nominal_p[0] == 0
    assert design.efficacy_z[1] == pytest.approx(norm.isf(0.025), abs=1e-9)


def test_haybittle_peto_bounds_solve_the_last_critical_value():
    design = sequential.design([1 / 3, 2 / 3, 1.0], efficacy=sequential.fixed_bounds([3.0, 3.0]))
    assert design.alpha_spent[-1] == pytest.approx(0.025, abs=1e-10)
    assert 1.96 < design.efficacy_z[-1] < 2.0


def test_spending_functions_have_their_published_values():
    # Closed forms evaluated by hand: Lan & DeMets (1983), Hwang, Shih & De Cani (1990), Kim & DeMets (1987).
    assert sequential.lan_demets_of().spent([0.5], 0.025)[0] == pytest.approx(
        2 * norm.sf(norm.isf(0.0125) / sqrt(0.5)), rel=1e-12
    )
    assert sequential.hwang_shih_decani(0.0).spent([0.3], 0.05)[0] == pytest.approx(0.015)
    assert sequential.kim_demets(3).spent([0.5], 0.04)[0] == pytest.approx(0.005)
    assert sequential.user_spending([(0.4, 0.2), (1, 1)]).spent([0.2, 0.7, 1.2], 0.1).tolist() == pytest.approx(
        [0.01, 0.06, 0.1]
    )


def test_a_design_travels_to_another_process_unchanged():
    design = sequential.design([0.5, 1.0], efficacy=sequential.hwang_shih_decani(-4))
    copy = pickle.loads(pickle.dumps(design))  # noqa: S301 our own bytes
    assert copy.terms == design.terms
    np.testing.assert_array_equal(copy.efficacy_z, design.efficacy_z)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"timing": [0.5, 0.4, 1.0]}, "timing is .* strictly increasing"),
        ({"timing": [0.0, 1.0]}, "timing is .* above 0"),
        ({"timing": [0.5, 0.9]}, "timing is .* must be 1"),
        ({"timing": []}, "timing is"),
        ({"timing": ["early", 1.0]}, "timing holds list that are no numbers"),
        ({"timing": [0.5, 0.500001, 1.0]}, "timing holds two looks too close"),
        ({"alpha": 0.5}, "alpha is 0.5"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"beta": 0.7}, "beta is 0.7"),
        ({"sides": 3}, "sides is 3"),
        ({"sides": 2, "futility": sequential.lan_demets_of()}, "futility with sides=2"),
        ({"futility": sequential.pocock()}, "futility is Pocock"),
        ({"efficacy": sequential.fixed_bounds([2.0, 2.0, 2.0, 2.0])}, "fixed_bounds holds 4 values"),
        ({"efficacy": sequential.fixed_bounds([2.0, 1.5])}, "efficacy bounds spend 0.0"),
        ({"futility": sequential.fixed_bounds([4.0]), "binding": True}, "only 0.0.* of alpha 0.025 can be spent"),
    ],
)
def test_an_impossible_design_is_refused_with_the_argument_named(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        sequential.design(**{"timing": [0.5, 1.0], **arguments})


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: sequential.wang_tsiatis(9), "delta is 9"),
        (lambda: sequential.hwang_shih_decani(nan), "gamma is nan"),
        (lambda: sequential.kim_demets(0), "rho is 0"),
        (lambda: sequential.user_spending([(0.5, 0.3)]), "the last must be"),
        (lambda: sequential.user_spending([(0.5, 0.6), (0.7, 0.4), (1, 1)]), "must never fall"),
        (lambda: sequential.user_spending([0.1, 0.2]), "pairs"),  # type: ignore[list-item]
        (lambda: sequential.fixed_bounds([]), "z is"),
        (lambda: sequential.fixed_bounds([inf]), "z is"),
        (lambda: sequential.design([1.0]).properties(nan), "drift is nan"),
    ],
)
def test_an_impossible_family_is_refused_with_the_argument_named(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()
