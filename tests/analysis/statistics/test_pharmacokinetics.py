"""Noncompartmental analysis against closed forms; the worked examples are in tests/validation."""

from math import isnan, log, nan

import numpy as np
import pytest

from analysis.statistics.pharmacokinetics import noncompartmental


def test_a_short_infusion_into_one_compartment_gives_back_its_clearance():
    # Closed form: infusion at rate dose / T into volume V with elimination k; CL = V k, t1/2 = ln 2 / k,
    # mean residence time of a bolus 1 / k. Dense samples make the linear rise exact to 1e-4.
    volume, k, length, dose = 180.0, 0.35, 2 / 3, 36.2
    time = np.concatenate([np.linspace(0, length, 400), np.linspace(length, 24, 400)[1:]])
    peak = 1000 * dose / length / (volume * k)
    during = peak * (1 - np.exp(-k * np.minimum(time, length)))
    level = during * np.exp(-k * np.maximum(time - length, 0))
    found = noncompartmental(time, level, lloq=1e-6, dose_mg=dose, infusion_h=length)
    assert found.half_life == pytest.approx(log(2) / k, rel=1e-6)
    assert found.clearance == pytest.approx(volume * k, rel=1e-4)
    assert found.mrt == pytest.approx(1 / k, rel=1e-3)
    assert found.tmax == pytest.approx(length)


def test_samples_below_the_limit_count_by_their_place():
    # Before the first quantifiable one 0, between two missing, after the last dropped.
    placed = noncompartmental([0, 1, 2, 3, 4, 5], [0.2, 0.5, 8, 0.9, 2, 0.3], lloq=1.0)
    by_hand = 0 + (0 + 8) / 2 * 1 + (8 - 2) * 2 / log(4)
    assert placed.auc_last == pytest.approx(by_hand)
    assert placed.below_limit == 4
    assert placed.tlast == 4


def test_a_sample_without_result_is_no_sample():
    whole = noncompartmental([0, 1, 2, 3, 4], [0, 8, 4, 2, 1], lloq=0.5)
    gap = noncompartmental([0, 1, 1.5, 2, 3, 4], [0, 8, nan, 4, 2, 1], lloq=0.5)
    # By their text, in which what is undefined equals itself.
    assert repr(gap) == repr(whole)


def test_a_pre_dose_time_is_time_zero_and_its_drug_is_queried():
    found = noncompartmental([-0.25, 1, 2, 3, 4], [2.0, 8, 4, 2, 1], lloq=0.5)
    assert found.pre_dose_carry_over
    assert found.auc_last == pytest.approx(5 + (8 - 1) / log(2))
    assert not noncompartmental([-0.25, 1, 2, 3, 4], [0.3, 8, 4, 2, 1], lloq=0.5).pre_dose_carry_over


def test_without_a_pre_dose_sample_the_curve_starts_from_nothing_at_zero():
    assert noncompartmental([1, 2, 3, 4], [8, 4, 2, 1], lloq=0.5).auc_last == pytest.approx(4 + 7 / log(2))


def test_the_first_of_two_equal_peaks_is_tmax():
    assert noncompartmental([0, 1, 2, 3], [0, 9, 9, 4], lloq=1).tmax == 1


def test_too_few_or_too_scattered_terminal_samples_give_no_half_life():
    few = noncompartmental([0, 1, 2, 3], [0, 8, 4, 2], lloq=1)
    assert isnan(few.half_life)
    assert isnan(few.auc_inf)
    assert few.auc_last > 0
    scattered = noncompartmental([0, 1, 2, 3, 4, 5], [0, 20, 5, 9, 4, 8], lloq=1, dose_mg=30, infusion_h=0.5)
    assert scattered.adjusted_r_squared < 0.8
    assert isnan(scattered.clearance)


def test_more_terminal_samples_are_taken_when_they_fit_as_well():
    time = np.arange(0.0, 8.0)
    found = noncompartmental(time, np.where(time == 0, 0, 64 * 0.5**time), lloq=0.1)
    assert found.terminal_points == 6
    assert found.half_life == pytest.approx(1)


def test_a_large_extrapolation_is_flagged():
    found = noncompartmental([0, 1, 2, 3, 4], [0, 10, 9, 8, 7], lloq=1)
    assert found.extrapolated > 20
    assert found.extrapolation_flagged


def test_a_profile_without_a_quantifiable_sample_has_no_exposure():
    found = noncompartmental([0, 1, 2], [0, 0.4, 0.2], lloq=1, dose_mg=36, infusion_h=0.6)
    assert isnan(found.cmax)
    assert isnan(found.clearance)
    assert found.below_limit == 3


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"time_h": [0, 2, 1]}, "time_h is not strictly increasing"),
        ({"time_h": []}, "time_h is not"),
        ({"time_h": [-1, 0, 1]}, "more than one pre-dose"),
        ({"concentration": [1, 2]}, "concentration holds 2 values, time_h 3"),
        ({"concentration": [1, -2, 3]}, "concentration holds negative"),
        ({"lloq": 0}, "lloq is 0"),
        ({"dose_mg": -1}, "dose_mg is -1"),
        ({"infusion_h": nan}, "infusion_h is nan"),
    ],
)
def test_an_impossible_profile_is_refused_with_the_argument_named(change, complaint):
    asked = {"time_h": [0, 1, 2], "concentration": [0, 5, 3], "lloq": 1, **change}
    with pytest.raises(ValueError, match=complaint):
        noncompartmental(asked.pop("time_h"), asked.pop("concentration"), **asked)
