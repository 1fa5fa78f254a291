"""Inference after stopping against identities; the reference numbers are in tests/validation."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from analysis.statistics import sequential
from analysis.statistics.sequential import Design
from tests.analysis.statistics.families import family
from tests.analysis.statistics.oracle import fractions


def trial(case: Any) -> tuple[Design, np.ndarray, np.ndarray]:
    design = sequential.design(
        fractions(case["information_rates"]),
        alpha=case["alpha"],
        efficacy=family(case["type"], case["gammaA"]),
    )
    z, effect = np.atleast_1d(case["overall_z"]), np.atleast_1d(case["overall_effect"])
    return design, z, effect / z


def test_one_look_gives_the_ordinary_inference():
    found = sequential.inference_after_stopping(1.3, 1, design=sequential.design([1.0]), standard_error=2.0, level=0.9)
    assert found.p == pytest.approx(norm.sf(1.3))
    assert found.estimate == pytest.approx(2.6)
    assert [found.lower, found.upper] == pytest.approx([2.6 - 2 * norm.isf(0.05), 2.6 + 2 * norm.isf(0.05)])


def test_crossing_exactly_at_the_bound_has_the_alpha_spent_so_far_as_p():
    design = sequential.design([0.3, 0.7, 1.0])
    for look in (1, 2, 3):
        at_bound = sequential.inference_after_stopping(
            design.efficacy_z[look - 1], look, design=design, standard_error=1.0
        )
        assert at_bound.p == pytest.approx(design.alpha_spent[look - 1], abs=1e-10)


def test_a_two_sided_design_treats_both_directions_alike():
    design = sequential.design([0.5, 1.0], sides=2)
    up = sequential.inference_after_stopping(2.4, 2, design=design, standard_error=1.0)
    down = sequential.inference_after_stopping(-2.4, 2, design=design, standard_error=1.0)
    assert down.p == pytest.approx(up.p, abs=1e-12)
    assert [down.estimate, down.lower, down.upper] == pytest.approx([-up.estimate, -up.upper, -up.lower])
    assert up.p > 2 * norm.sf(2.4)


@pytest.mark.slow
def test_the_median_unbiased_estimate_is_above_the_truth_half_of_the_time():
    # Simulation, 400 trials: the share is binomial(400, 1/2), 0.1 is four standard errors.
    design = sequential.design([0.5, 1.0], efficacy=sequential.pocock())
    rng = np.random.default_rng(20240)
    truth, above, covered = 2.0, 0, 0
    for _ in range(400):
        score = truth * 0.5 + rng.normal() * np.sqrt(0.5)
        look, z = 1, score / np.sqrt(0.5)
        if z < design.efficacy_z[0]:
            look, z = 2, score + truth * 0.5 + rng.normal() * np.sqrt(0.5)
        found = sequential.inference_after_stopping(
            z, look, design=design, standard_error=1 / np.sqrt(design.timing[look - 1])
        )
        above += found.estimate > truth
        covered += found.lower < truth < found.upper
    assert above / 400 == pytest.approx(0.5, abs=0.1)
    assert covered / 400 == pytest.approx(0.95, abs=0.044)


def test_a_sequential_p_below_alpha_is_the_same_as_a_rejection():
    design = sequential.design([0.5, 1.0])
    just = [1.0, design.efficacy_z[1]]
    assert sequential.sequential_p(just, design=design) == pytest.approx(0.025, abs=1e-8)


def test_a_shape_and_its_repeated_p_agree_with_the_design_at_that_alpha():
    shape = sequential.obrien_fleming()
    design = sequential.design([0.5, 1.0], efficacy=shape, sides=2)
    p = sequential.repeated_intervals([2.5], [1.0], design=design).p[0]
    assert sequential.design([0.5, 1.0], alpha=p / 2, efficacy=shape, sides=2).efficacy_z[0] == pytest.approx(2.5)


def test_statistics_against_the_effect_have_the_largest_p():
    for efficacy in (sequential.pocock(), sequential.lan_demets_of()):
        design = sequential.design([0.5, 1.0], efficacy=efficacy)
        assert sequential.sequential_p([-1.0], design=design) == pytest.approx(0.5, abs=1e-6)


def test_a_look_after_the_rule_stopped_is_refused():
    design = sequential.design([0.5, 1.0])
    with pytest.raises(ValueError, match="stopped the trial at look 1; look 2 came after"):
        sequential.inference_after_stopping([3.5, 3.0], 2, design=design, standard_error=1.0)


def test_a_look_at_which_the_rule_did_not_stop_is_refused():
    with pytest.raises(ValueError, match="crosses no bound at look 1"):
        sequential.inference_after_stopping(1.0, 1, design=sequential.design([0.5, 1.0]), standard_error=1.0)


def test_stopping_under_a_futility_bound_gives_a_large_p():
    design = sequential.design([0.5, 1.0], futility=sequential.fixed_bounds([0.5]), binding=True)
    found = sequential.inference_after_stopping(0.2, 1, design=design, standard_error=1.0)
    assert found.p == pytest.approx(norm.sf(0.2), abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"look": 3}, "look is 3"),
        ({"standard_error": 0.0}, "standard_error is 0"),
        ({"level": 1.0}, "level is 1"),
        ({"z": [1.0, 2.0, 3.0]}, "z holds 3 values at look 2"),
        ({"z": []}, "z is"),
    ],
)
def test_impossible_inference_is_refused_with_the_argument_named(arguments, complaint):
    given = {"z": 2.5, "look": 2, "standard_error": 1.0, **arguments}
    with pytest.raises(ValueError, match=complaint):
        sequential.inference_after_stopping(
            given.pop("z"), given.pop("look"), design=sequential.design([0.5, 1.0]), **given
        )


def test_more_looks_than_planned_need_an_update():
    design = sequential.design([0.5, 1.0])
    with pytest.raises(ValueError, match="z holds 3 looks, 2 are planned; see"):
        sequential.sequential_p([1.0, 1.0, 1.0], design=design)
    with pytest.raises(ValueError, match="standard_errors is"):
        sequential.repeated_intervals([1.0, 2.0], [1.0], design=design)


def test_fixed_bounds_have_no_p_at_another_alpha():
    design = sequential.design([0.5, 1.0], efficacy=sequential.fixed_bounds([3.0]))
    with pytest.raises(ValueError, match="fixed bounds, which say nothing at another alpha"):
        sequential.sequential_p([1.0], design=design)
