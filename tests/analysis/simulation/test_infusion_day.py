from datetime import UTC, datetime
from statistics import mean

import numpy as np
import pytest

from analysis.simulation.infusion_day import infuse, pump_setting
from analysis.simulation.people import draw_person

START = datetime(2025, 3, 3, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def days(design, parameters):
    def run(arm, count=400):
        people = (draw_person(6, i, parameters, sites=6) for i in range(count))
        return [infuse(6, p.index, arm, p, started_at=START, design=design, parameters=parameters) for p in people]

    return {arm: run(arm) for arm in ("active", "control")}


@pytest.fixture(scope="module")
def everybody(days):
    return [day.record for arm in days.values() for day in arm]


def test_the_pump_setting_is_the_worked_one_in_both_arms(design, truth):
    for case in truth["pump"]:
        inputs, expected = case["inputs"], case["expected"]
        if inputs["minutes"] == 40:
            volume, rate = pump_setting(inputs["weight_kg"], design)
            assert volume == pytest.approx(expected["volume_ml"])
            assert rate == expected["rate_set_ml_h"]


def test_the_rate_is_capped_at_120_kg(design):
    assert pump_setting(130.0, design) == pump_setting(120.0, design) == (60.0, 90.0)


def test_segments_are_contiguous_and_an_infusion_that_was_not_stopped_gives_the_planned_volume(everybody):
    for record in everybody:
        ends = [segment.end for segment in record.segments]
        assert [segment.start for segment in record.segments] == [0, *ends[:-1]]
        assert all(segment.start < segment.end for segment in record.segments)
        running = sum(s.end - s.start for s in record.segments if s.rate_ml_h)
        assert running < 40 if record.stopped_early else running == 40
        assert record.ended_at > START


def test_the_pump_and_the_segments_agree_within_the_tolerated_difference(everybody):
    for record in everybody:
        delivered = sum(s.rate_ml_h * (s.end - s.start) / 60 for s in record.segments)
        assert abs(record.pump_volume_ml - delivered) <= max(1.0, 0.03 * delivered)


def test_a_hold_has_a_rule_that_fired_and_a_resumption_or_a_stop(everybody):
    held = [r for r in everybody if any(not s.rate_ml_h for s in r.segments)]
    assert held
    for record in everybody:
        holds = {event.minute for event in record.rules if event.action == "HOLD"}
        assert holds == {s.start for s in record.segments if not s.rate_ml_h}
        after = {event.minute for event in record.rules if event.action in ("RESUME", "STOP")}
        assert {s.end for s in record.segments if not s.rate_ml_h} <= after
        assert record.stopped_early == any(event.action == "STOP" for event in record.rules)


def test_deep_sedation_and_agitation_are_in_the_reading_that_held_the_infusion(everybody):
    for record in everybody:
        for event in record.rules:
            reading = next((r for r in record.readings if r.minute == event.minute), None)
            if (event.rule, event.action) == ("S12", "HOLD"):
                assert reading.moaas <= 3
            if (event.rule, event.action) == ("S14", "HOLD"):
                assert reading.rass >= 2


def test_readings_keep_the_clock_and_the_plausible_ranges(everybody, design):
    for record in everybody:
        nominal = [r.nominal for r in record.readings if r.nominal is not None]
        assert nominal == list(design.clock)
        for r in record.readings:
            assert abs(r.minute - (r.minute if r.nominal is None else r.nominal)) <= 3
            assert r.sbp > r.dbp + 5
            assert 20 <= r.hr <= 250
            assert 50 <= r.sbp <= 260
            assert 20 <= r.dbp <= 160
            assert 90 <= r.spo2 <= 100
            assert 3 <= r.rr <= 60


def test_dissociation_has_the_published_means_and_fades(days):
    # Oracle: means 18 (size 1.5) and 4 (size .8); clipping at 92 takes little. Standard errors of the
    # mean of 400 are .76 and .24.
    assert mean(day.cadss_at_end for day in days["active"]) == pytest.approx(18, abs=2.3)
    assert mean(day.cadss_at_end for day in days["control"]) == pytest.approx(4, abs=0.75)
    for day in days["active"]:
        assert day.cadss[-15] == day.cadss[240] == 0
        assert day.cadss[90] == round(0.12 * day.cadss[40])


def test_blood_pressure_peaks_at_the_end_by_the_published_difference(days):
    for arm, expected in (("active", 18), ("control", -5)):
        changes = []
        for day in days[arm]:
            at = {r.nominal: r.sbp for r in day.record.readings}
            changes.append(at[40] - at[0])
        # The standard error of the mean of 400 is about .6.
        assert np.mean(changes) == pytest.approx(expected, abs=2)
