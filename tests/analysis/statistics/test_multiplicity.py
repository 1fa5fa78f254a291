"""Multiple hypotheses. Oracles: statsmodels' multipletests, Bretz et al. (2009), group-sequential bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from statsmodels.stats.multitest import multipletests

from analysis.statistics import multiplicity, sequential

p_values = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6)
CHAIN = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
OF, POCOCK = sequential.lan_demets_of(), sequential.lan_demets_pocock()
TIMING = [0.4, 0.8, 1.0]


@settings(max_examples=15, deadline=None)  # the oracle takes 40 ms a call
@given(p=p_values)
def test_holm_and_hochberg_agree_with_statsmodels(p):
    for procedure, name in ((multiplicity.holm, "holm"), (multiplicity.hochberg, "simes-hochberg")):
        adjusted = multipletests(p, alpha=0.05, method=name)[1]
        found = procedure(p, alpha=0.05)
        np.testing.assert_allclose(found.adjusted_p, adjusted, atol=1e-12)
        np.testing.assert_array_equal(found.rejected, adjusted <= 0.05)


@settings(max_examples=60, deadline=None)
@given(p=p_values)
def test_the_graph_that_shares_equally_is_holm(p):
    # Bretz et al. (2009), section 3: equal weights, 1 / (m - 1) on every edge.
    m = len(p)
    edges = (np.ones((m, m)) - np.eye(m)) / (m - 1)
    found = multiplicity.graphical(np.full(m, 1 / m), edges, p, alpha=0.05)
    np.testing.assert_allclose(found.adjusted_p, multiplicity.holm(p).adjusted_p, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(p=st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3))
def test_the_graph_that_is_a_chain_is_the_fixed_sequence(p):
    found = multiplicity.graphical([1, 0, 0], CHAIN, p)
    np.testing.assert_allclose(found.adjusted_p, multiplicity.fixed_sequence(p).adjusted_p, atol=1e-12)


def test_a_graph_of_two_primaries_and_two_secondaries_by_hand():
    # H2 needs 0.005 / 0.5; half its weight makes H1's 0.75.
    edges = np.array([[0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5], [0, 1, 0, 0], [1, 0, 0, 0]])
    found = multiplicity.graphical([0.5, 0.5, 0, 0], edges, [0.01, 0.005, 0.1, 0.5])
    assert found.adjusted_p[:2].tolist() == pytest.approx([0.01 / 0.75, 0.01])
    # H1's edge to H3 is then 0.5 / (1 - 0.5 x 0.5): its 0.75 gives H3 a weight of 0.5.
    assert found.adjusted_p[2] == pytest.approx(0.1 / 0.5)
    assert found.rejected.tolist() == [True, True, False, False]


def test_a_fixed_sequence_stops_at_the_first_hypothesis_kept():
    found = multiplicity.fixed_sequence([0.01, 0.06, 0.001], alpha=0.05)
    assert found.rejected.tolist() == [True, False, False]


def test_one_look_of_the_group_sequential_graph_is_the_plain_graph():
    rng = np.random.default_rng(5)
    edges = [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    for z in rng.normal(1.8, 1, size=(30, 3)):
        from_p = multiplicity.graphical([0.5, 0.3, 0.2], edges, ndtr(-z))
        found = multiplicity.group_sequential_graphical([0.5, 0.3, 0.2], edges, [OF, POCOCK, OF], [z], timing=[1.0])
        np.testing.assert_array_equal(found.rejected, from_p.rejected)


def test_a_secondary_is_tested_at_its_own_bound_after_an_early_stop_not_at_full_alpha():
    # Glimm et al. (2010): the secondary's bound at look 1 is that of its own spending.
    own = sequential.design(TIMING, efficacy=POCOCK).efficacy_z[0]
    assert own > 1.96
    for z, rejected in ((own + 1e-6, True), (own - 1e-6, False), (1.97, False)):
        found = multiplicity.group_sequential_graphical(
            [1, 0], [[0, 1], [0, 0]], [OF, POCOCK], [[4.9, z]], timing=TIMING
        )
        assert found.rejected.tolist() == [True, rejected]
    assert found.look.tolist() == [1, 0]


def test_alpha_received_later_applies_to_earlier_looks():
    bounds = sequential.design(TIMING, efficacy=POCOCK).efficacy_z
    z = [[1.0, bounds[0] + 0.01], [3.5, 0.5]]
    found = multiplicity.group_sequential_graphical([1, 0], [[0, 1], [0, 0]], [OF, POCOCK], z, timing=TIMING)
    assert found.look.tolist() == [2, 2]


def test_a_single_hypothesis_is_rejected_at_the_look_that_crosses_its_bound():
    design = sequential.design(TIMING, efficacy=OF)
    z = np.column_stack([design.efficacy_z - [1e-6, 1e-6, -1e-6]])
    found = multiplicity.group_sequential_graphical([1.0], [[0]], [OF], z, timing=TIMING)
    assert found.look.tolist() == [3]


def test_a_hypothesis_not_tested_is_not_rejected():
    found = multiplicity.group_sequential_graphical(
        [1, 0], [[0, 1], [0, 0]], [OF, OF], [[np.nan, 9.0], [9.0, np.nan]], timing=[[0.5, 1.0], [0.4, 1.0]]
    )
    assert found.look.tolist() == [2, 2]
    untested = multiplicity.group_sequential_graphical([1.0], [[0]], [OF], [[np.nan]], timing=TIMING)
    assert untested.rejected.tolist() == [False]


def test_the_familywise_error_of_a_secondary_is_kept_whatever_the_primary_does():
    # Simulation: true secondary null, strong primary, correlation 0.9, 20,000 trials of two looks, the rule
    # by bounds. Full alpha after an early stop would reject more than that.
    timing = np.array([0.5, 1.0])
    primary = sequential.design(timing, efficacy=OF).efficacy_z
    secondary = sequential.design(timing, efficacy=OF).efficacy_z
    rng = np.random.default_rng(42)
    shared = rng.normal(size=(20_000, 2, 2))
    own = 0.9 * shared[..., 0] + np.sqrt(1 - 0.81) * shared[..., 1]
    z1 = _path(shared[..., 0], timing) + 3.0 * np.sqrt(timing)
    z2 = _path(own, timing)
    early = z1[:, 0] >= primary[0]
    late = ~early & (z1[:, 1] >= primary[1])
    rejected = np.where(early, z2[:, 0] >= secondary[0], late & (z2 >= secondary).any(axis=1))
    naive = np.where(early, z2[:, 0] >= 1.96, late & (z2[:, 1] >= 1.96)).mean()
    assert rejected.mean() < 0.025 + 3 * np.sqrt(0.025 / 20_000)
    assert naive > 0.028
    for trial in [*range(20), *np.flatnonzero(rejected)[:20]]:
        looks = 1 if early[trial] else 2
        found = multiplicity.group_sequential_graphical(
            [1, 0], [[0, 1], [0, 0]], [OF, OF], np.column_stack([z1[trial], z2[trial]])[:looks], timing=timing
        )
        assert found.rejected.tolist() == [early[trial] or late[trial], rejected[trial]]


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (lambda: multiplicity.holm([]), "p is"),
        (lambda: multiplicity.hochberg([0.1, 1.2]), "p is"),
        (lambda: multiplicity.fixed_sequence([0.1, np.nan]), "p is"),
        (lambda: multiplicity.holm([0.1], alpha=0.5), "alpha is 0.5"),
        (lambda: multiplicity.graphical([0.7, 0.7], np.zeros((2, 2)), [0.1, 0.1]), "weights is"),
        (lambda: multiplicity.graphical([0.5], np.zeros((1, 1)), [0.1, 0.1]), "weights is"),
        (lambda: multiplicity.graphical([0.5, 0.5], [[0, 1]], [0.1, 0.1]), "transitions has shape"),
        (
            lambda: multiplicity.graphical([0.5, 0.5], np.array([[0.5, 0.5], [0, 0]]), [0.1, 0.1]),
            "zero diagonal",
        ),
        (lambda: multiplicity.graphical([0.5, 0.5], np.array([[0, 1.5], [0, 0]]), [0.1, 0.1]), "at most 1"),
    ],
)
def test_impossible_families_are_refused_with_the_argument_named(ask, complaint):
    with pytest.raises(ValueError, match=complaint):
        ask()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"spending": [OF]}, "spending is .*; allowed is one for each of 2"),
        ({"z": [1.0, 2.0]}, "z has shape"),
        ({"z": [[1.0, np.inf]]}, "z has shape"),
        ({"z": np.ones((4, 2))}, "timing has shape"),
        ({"timing": [0.5, 0.4, 1.0]}, "timing is"),
        ({"alpha": 0}, "alpha is 0"),
    ],
)
def test_an_impossible_group_sequential_graph_is_refused(change, complaint):
    asked = {"spending": [OF, OF], "z": [[1.0, 1.0]], "timing": TIMING, **change}
    with pytest.raises(ValueError, match=complaint):
        multiplicity.group_sequential_graphical(
            [1, 0], [[0, 1], [0, 0]], asked.pop("spending"), asked.pop("z"), **asked
        )


def _path(increments: np.ndarray, timing: np.ndarray) -> np.ndarray:
    """Statistics at two looks from independent standard normal increments (trials, 2)."""
    score = np.cumsum(increments * np.sqrt(np.diff(timing, prepend=0.0)), axis=1)
    path: np.ndarray = score / np.sqrt(timing)
    return path
