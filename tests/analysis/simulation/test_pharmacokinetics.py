import numpy as np
import pytest

from analysis.simulation.parameters import load_parameters
from analysis.simulation.pharmacokinetics import sample_levels
from analysis.simulation.records import RateSegment

FULL = (RateSegment(0, 40, 52.5),)


def exact(**changes):
    """A scenario without variation between people, samples or assays."""
    default = load_parameters()
    still = {"between_cv": 0.0, "residual_cv": 0.0, "time_sd_minutes": 0.0, **changes}
    return default.model_copy(update={"pk": default.pk.model_copy(update=still)})


def levels(parameters, segments=FULL):
    return sample_levels(1, 0, weight_kg=70.0, segments=segments, parameters=parameters)


def test_ketamine_follows_the_two_compartment_equation():
    # Oracle: the closed form of a two-compartment model after an infusion of length T,
    # C(t) = (R0/V1) sum_i A_i/lambda_i (1 - e^(-lambda_i T)) e^(-lambda_i (t - T)).
    k10, k12, k21 = 80 / 70, 90 / 70, 90 / 150
    total, product = k10 + k12 + k21, k10 * k21
    fast, slow = (0.5 * (total + sign * np.sqrt(total**2 - 4 * product)) for sign in (1, -1))
    shares = {fast: (fast - k21) / (fast - slow), slow: (k21 - slow) / (fast - slow)}
    duration, rate = 40 / 60, 52.5
    for sample in levels(exact()):
        after = sample.nominal / 60 - duration
        if after < 0:
            continue
        expected = sum(
            rate / 70 * share / lam * (1 - np.exp(-lam * duration)) * np.exp(-lam * after)
            for lam, share in shares.items()
        )
        assert sample.ketamine == pytest.approx(1000 * expected, abs=0.06)


def test_the_area_under_the_curve_is_dose_over_clearance():
    minutes = tuple(range(0, 6001, 10))
    found = [s.ketamine for s in levels(exact(sample_minutes=minutes))]
    area = np.trapezoid(found, np.array(minutes) / 60)
    assert area == pytest.approx(1000 * 35 / 80, rel=0.01)


def test_half_the_infusion_gives_half_the_level():
    whole = levels(exact(sample_minutes=(20,)), (RateSegment(0, 20, 52.5),))
    half = levels(exact(sample_minutes=(20,)), (RateSegment(0, 20, 26.25),))
    assert half[0].ketamine == pytest.approx(whole[0].ketamine / 2, abs=0.1)


def test_nothing_is_in_the_blood_before_and_the_metabolite_comes_later():
    samples = {s.nominal: s for s in levels(exact())}
    assert samples[-15].ketamine == 0
    assert samples[40].ketamine > samples[40].norketamine
    assert samples[240].norketamine > samples[240].ketamine


def test_people_differ_and_sample_times_are_the_actual_ones():
    default = load_parameters()
    peaks = [sample_levels(1, i, weight_kg=70, segments=FULL, parameters=default)[2].ketamine for i in range(60)]
    assert 150 < np.median(peaks) < 320
    assert 0.1 < np.std(np.log(peaks)) < 0.5
    assert any(s.minute != s.nominal for s in sample_levels(1, 0, weight_kg=70, segments=FULL, parameters=default))
