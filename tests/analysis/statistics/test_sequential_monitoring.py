"""Monitoring and sample sizes against identities; the reference numbers are in tests/validation."""

import numpy as np
import pytest

from analysis.statistics import sequential


def test_the_reference_trial_needs_84_an_arm():
    # DOMAIN.md 1.1: 92.68 an arm, x (1 - 0.5^2) for the baseline, / 0.85 for dropout, fixed design.
    size = sequential.design([1.0]).sample_size(difference=1.0, sd=2.1 * np.sqrt(1 - 0.5**2), dropout=0.15)
    assert size.per_arm[0] == pytest.approx(92.68 * 0.75 / 0.85, abs=0.01)
    assert size.total == pytest.approx(2 * size.per_arm[0])


def test_information_as_planned_gives_the_planned_design():
    design = sequential.design([0.4, 0.7, 1.0], futility=sequential.hwang_shih_decani(-2))
    updated = design.update([40, 70, 100], 100)
    np.testing.assert_allclose(updated.efficacy_z, design.efficacy_z, atol=1e-9)
    np.testing.assert_allclose(updated.futility_z, design.futility_z, atol=1e-7)
    assert updated.inflation_factor == pytest.approx(design.inflation_factor)


def test_an_interim_look_keeps_the_later_looks_and_their_alpha():
    design = sequential.design([1 / 3, 2 / 3, 1.0])
    interim = design.update([55, 131], 180)
    full = design.update([55, 131, 180], 180)
    np.testing.assert_allclose(interim.efficacy_z, full.efficacy_z, atol=1e-12)
    assert interim.alpha_spent[1] < 0.01


def test_a_trial_said_to_have_ended_spends_all_that_is_left():
    design = sequential.design([1 / 3, 2 / 3, 1.0])
    ended = design.update([55, 131], 180, ended=True)
    assert ended.looks == 2
    assert ended.alpha_spent[-1] == pytest.approx(0.025, abs=1e-10)


def test_an_unplanned_interim_look_said_to_go_on_spends_only_its_share():
    design = sequential.design([0.5, 1.0])
    going_on = design.update([37, 82], 200, ended=False)
    share = sequential.lan_demets_of().spent([0.185, 0.41], 0.025)
    np.testing.assert_allclose(going_on.alpha_spent[:2], share, atol=1e-10)
    assert going_on.timing[-1] == 1.0
    assert going_on.looks == 3


def test_more_information_than_planned_raises_power():
    design = sequential.design([0.5, 1.0], beta=0.2)
    overrun = design.update([100, 240], 200)
    assert overrun.properties(overrun.drift).power > 0.8
    assert overrun.drift == pytest.approx(design.drift * np.sqrt(1.2))


@pytest.mark.parametrize(
    ("efficacy", "information", "maximum", "complaint"),
    [
        (sequential.pocock(), [50, 100], 100, "efficacy is Pocock; update needs spending functions"),
        (sequential.lan_demets_of(), [50, 40], 100, "actual_information is .* strictly increasing"),
        (sequential.lan_demets_of(), [], 100, "actual_information is"),
        (sequential.lan_demets_of(), [50, 100], -1, "planned_maximum is -1"),
    ],
)
def test_an_impossible_update_is_refused_with_the_argument_named(efficacy, information, maximum, complaint):
    with pytest.raises(ValueError, match=complaint):
        sequential.design([0.5, 1.0], efficacy=efficacy).update(information, maximum)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"difference": 0.0}, "difference is 0"),
        ({"sd": -1.0}, "sd is -1"),
        ({"ratio": 0}, "ratio is 0"),
        ({"dropout": 1.0}, "dropout is 1"),
    ],
)
def test_an_impossible_sample_size_for_means_is_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        sequential.design([1.0]).sample_size(**{"difference": 1.0, "sd": 1.0, **arguments})


@pytest.mark.parametrize(("p1", "p2", "complaint"), [(1.0, 0.5, "p1 is 1"), (0.3, 0.3, "p1 - p2 is 0")])
def test_an_impossible_sample_size_for_rates_is_refused(p1, p2, complaint):
    with pytest.raises(ValueError, match=complaint):
        sequential.design([1.0]).sample_size_rates(p1=p1, p2=p2)
