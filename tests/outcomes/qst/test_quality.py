"""Flags: each circumstance or reading that is to be asked about, and silence when all is well."""

from __future__ import annotations

import pytest

from outcomes.qst import Reading, SessionConditions, aggregate, quality_flags
from tests.outcomes.qst.oracle import session_readings

WELL_RUN = SessionConditions(
    examiner="nora",
    examiner_certified=True,
    examiner_masked=True,
    area="hand",
    previous_examiner="nora",
    previous_area="hand",
    start_temperature_c=32.1,
    skin_temperature_c=31.0,
    room_temperature_c=22.0,
    duration_minutes=35,
    analgesic_in_last_12_h=False,
)


def codes(readings=(), conditions=WELL_RUN):
    return [flag.code for flag in quality_flags(readings, aggregate(readings), conditions)]


def test_a_well_run_session_raises_no_flag():
    assert codes(session_readings()) == []


def test_what_was_not_recorded_raises_no_flag():
    assert codes(conditions=SessionConditions()) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"examiner": "ole"}, "examiner_changed"),
        ({"area": "foot"}, "area_changed"),
        ({"examiner_certified": False}, "examiner_not_certified"),
        ({"examiner_masked": False}, "examiner_not_masked"),
        ({"start_temperature_c": 31.4}, "thermode_start"),
        ({"start_temperature_c": 32.6}, "thermode_start"),
        ({"skin_temperature_c": 27.9}, "skin_temperature"),
        ({"skin_temperature_c": 36.1}, "skin_temperature"),
        ({"room_temperature_c": 19.9}, "room_temperature"),
        ({"room_temperature_c": 24.1}, "room_temperature"),
        ({"duration_minutes": 19}, "session_length"),
        ({"duration_minutes": 46}, "session_length"),
        ({"analgesic_in_last_12_h": True}, "analgesic"),
    ],
)
def test_each_circumstance_outside_the_protocol_is_flagged(change, code):
    conditions = SessionConditions(**{**{f: getattr(WELL_RUN, f) for f in WELL_RUN.__dataclass_fields__}, **change})
    assert codes(conditions=conditions) == [code]


def test_a_reading_far_from_the_median_of_its_trials_is_flagged_and_kept():
    readings = [Reading("WDT", 1, 36.0), Reading("WDT", 2, 36.0), Reading("WDT", 3, 39.1)]
    assert codes(readings) == ["outlier"]
    assert codes([*readings[:2], Reading("WDT", 3, 39.0)]) == []
    assert aggregate(readings)["WDT"].value == pytest.approx(5.033333, abs=1e-6)


def test_pain_thresholds_may_lie_five_degrees_apart():
    trials = [Reading("HPT", 1, 42.0), Reading("HPT", 2, 42.0)]
    assert codes([*trials, Reading("HPT", 3, 47.0)]) == []
    assert codes([*trials, Reading("HPT", 3, 47.1)]) == ["outlier"]


def test_thresholds_out_of_order_are_flagged():
    warm_above_heat_pain = [Reading(code, k, value) for code, value in (("WDT", 44.0), ("HPT", 43.0)) for k in (1, 2)]
    assert codes(warm_above_heat_pain) == ["threshold_order"]
    cold_pain_above_cold = [Reading(code, k, value) for code, value in (("CDT", 29.0), ("CPT", 30.0)) for k in (1, 2)]
    assert codes(cold_pain_above_cold) == ["threshold_order"]
    warm_at_baseline = [Reading("WDT", k, 32.0) for k in (1, 2)]
    assert codes(warm_at_baseline) == ["threshold_order"]
    heat_pain_below_baseline = [Reading("HPT", k, 31.0) for k in (1, 2)]
    assert codes(heat_pain_below_baseline) == ["threshold_order"]


def test_a_limit_that_was_reached_is_flagged_and_a_wrong_mark_is_asked_about():
    assert codes([Reading("CPT", k, 0.0, cutoff=True) for k in (1, 2)]) == ["cutoff", "cutoff"]
    assert codes([Reading("CPT", k, 0.0) for k in (1, 2)]) == ["cutoff_mark", "cutoff_mark"]
    assert codes([Reading("PPT", 1, 800.0, cutoff=True), Reading("PPT", 2, 820.0)]) == ["cutoff_mark"]
    assert codes([Reading("PPT", 1, 1000.0, cutoff=True), Reading("PPT", 2, 820.0)]) == ["cutoff"]
