"""From trials to values. Oracles: tests/data/oracles/domain_arithmetic.json and hand calculations (docs/qst.md)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcomes.qst import PARAMETERS, Reading, aggregate, trial_problem
from tests.outcomes.qst.oracle import EXPECTED, session_readings

VALUES = {code: value for code, value in EXPECTED["value"].items() if code != "DMA_positive"}


@pytest.mark.parametrize("code", VALUES)
def test_the_worked_session_gives_the_values_of_the_oracle(code):
    assert aggregate(session_readings())[code].value == pytest.approx(VALUES[code], abs=1e-6)


def test_all_thirteen_parameters_come_out_in_the_order_of_the_protocol():
    assert list(aggregate([])) == list(PARAMETERS)
    assert len(PARAMETERS) == 13


def test_one_painful_brush_stroke_shows_allodynia():
    values = aggregate(session_readings())
    assert values["DMA"].present is EXPECTED["value"]["DMA_positive"] is True
    assert values["PHS"].present is True


def test_signs_are_absent_only_when_enough_trials_were_done():
    cooling = [Reading("PHS", trial, 0) for trial in (1, 2, 3)]
    assert aggregate(cooling)["PHS"].present is False
    assert aggregate(cooling[:2])["PHS"].present is None
    assert aggregate([Reading("PHS", 1, 1)])["PHS"].present is True
    assert aggregate([Reading("PHS", 1, 1)])["PHS"].value is None


def test_the_order_in_which_trials_are_given_does_not_matter():
    given_in_order, shuffled = aggregate(session_readings()), aggregate(reversed(session_readings()))
    for code in PARAMETERS:
        assert shuffled[code].value == pytest.approx(given_in_order[code].value, rel=1e-12)


@pytest.mark.parametrize("code", ["CDT", "WDT", "CPT", "HPT", "VDT", "PPT"])
def test_two_of_three_ramps_are_enough_and_one_is_not(code):
    trials = [reading for reading in session_readings() if reading.parameter == code]
    assert aggregate(trials[:2])[code].value is not None
    one = aggregate(trials[:1])[code]
    assert (one.value, one.missing_reason) == (None, "1 of 3 trials; 2 are needed")


@pytest.mark.parametrize("code", ["MDT", "MPT"])
def test_four_turning_points_in_each_direction_are_needed(code):
    trials = [reading for reading in session_readings() if reading.parameter == code]
    without_last = [reading for reading in trials if reading.trial < 5]
    assert aggregate(without_last)[code].value is not None
    too_few = [r for r in trials if not (r.direction == "descending" and r.trial > 3)]
    assert aggregate(too_few)[code].missing_reason == "3 of 5 trials (descending); 4 are needed"


def test_a_trial_that_was_not_done_counts_as_missing_and_not_as_zero():
    readings = [Reading("PPT", 1, 180), Reading("PPT", 2, None), Reading("PPT", 3, 190)]
    assert aggregate(readings)["PPT"].value == 185


def test_a_parameter_that_was_not_measured_says_so():
    assert aggregate([])["HPT"].missing_reason == "not done"


def test_wind_up_does_not_exist_when_single_stimuli_were_not_felt():
    readings = [Reading("WUR", k, 0, "single") for k in range(1, 6)]
    readings += [Reading("WUR", k, 20, "series") for k in range(1, 6)]
    wind_up = aggregate(readings)["WUR"]
    assert (wind_up.value, wind_up.missing_reason) == (None, "single stimuli were not felt as painful")


def test_nothing_is_added_to_single_ratings_of_wind_up():
    readings = [Reading("WUR", k, 2, "single") for k in range(1, 6)]
    readings += [Reading("WUR", k, 6, "series") for k in range(1, 6)]
    assert aggregate(readings)["WUR"].value == 3  # (6 + 1)/(2 + 1) would be 2.33


def test_ratings_are_averaged_as_logarithms_of_the_rating_and_a_tenth():
    readings = [Reading("DMA", k, 0, brush) for brush in ("wisp", "swab", "brush") for k in range(1, 6)]
    assert aggregate(readings)["DMA"].value == pytest.approx(0.1)
    readings[0] = replace(readings[0], value=100)
    by_hand = 10 ** ((math.log10(100.1) + 14 * math.log10(0.1)) / 15)
    assert aggregate(readings)["DMA"].value == pytest.approx(by_hand)


def test_a_reading_at_the_limit_of_the_device_marks_its_value_as_censored():
    readings = [Reading("HPT", 1, 50, cutoff=True), Reading("HPT", 2, 49), Reading("HPT", 3, 48)]
    assert aggregate(readings)["HPT"].censored
    assert aggregate(readings)["HPT"].value == 49
    assert not aggregate(readings[1:])["HPT"].censored


@pytest.mark.parametrize(
    ("parameter", "value", "says"),
    [
        ("HPT", 50.1, "allowed is 0 to 50"),
        ("CPT", -0.1, "allowed is 0 to 50"),
        ("PHS", 2, "allowed is 0 or 1"),
        ("MDT", 3, "the set of stimulators has 0.25, 0.5, 1"),
        ("MPT", 4, "the set of stimulators has 8, 16"),
        ("MPS", 101, "allowed is 0 to 100"),
        ("WUR", -1, "allowed is 0 to 100"),
        ("VDT", 8.5, "allowed is 0 to 8"),
        ("VDT", 7.25, "half steps"),
        ("PPT", 1001, "allowed is 1 to 1000"),
        ("PPT", 0, "allowed is 1 to 1000"),
        ("CDT", float("nan"), "allowed is 0 to 50"),
    ],
)
def test_a_value_that_the_device_cannot_show_is_refused_with_what_it_can(parameter, value, says):
    assert says in str(trial_problem(parameter, value))
    direction = PARAMETERS[parameter].directions[0]
    with pytest.raises(ValueError, match=rf"^{parameter} "):
        aggregate([Reading(parameter, 1, value, direction)])


def test_every_reading_of_the_worked_session_is_possible():
    assert [r for r in session_readings() if trial_problem(r.parameter, r.value or 0.0)] == []


def test_a_trial_given_twice_and_an_unknown_direction_are_refused():
    with pytest.raises(ValueError, match="HPT 1 is given twice"):
        aggregate([Reading("HPT", 1, 45), Reading("HPT", 1, 46)])
    with pytest.raises(ValueError, match="the direction is 'up'; allowed is ascending, descending"):
        aggregate([Reading("MDT", 1, 1, "up")])
    with pytest.raises(ValueError, match="no QST parameter 'XYZ'"):
        aggregate([Reading("XYZ", 1, 1)])


forces = st.sampled_from([8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0])


@given(st.lists(forces, min_size=10, max_size=10))
def test_a_geometric_mean_of_forces_lies_between_them_and_below_their_mean(values):
    readings = [Reading("MPT", k % 5 + 1, v, ("ascending", "descending")[k // 5]) for k, v in enumerate(values)]
    value = aggregate(readings)["MPT"].value
    assert value is not None
    assert min(values) * (1 - 1e-12) <= value <= max(values) * (1 + 1e-12)
    assert value <= sum(values) / 10 * (1 + 1e-12)
