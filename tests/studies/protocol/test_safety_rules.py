"""Stop and hold rules S01-S19 of KALM, each at its threshold, and what counts as consecutive."""

from __future__ import annotations

from decimal import Decimal

import pytest

from studies.protocol.infusion_arithmetic import Segment
from studies.protocol.safety_rules import (
    Reading,
    baseline_values,
    discharge_state,
    evaluate,
    held_too_long,
    may_leave,
    may_resume,
)
from tests.studies.protocol.kalm import kalm

BASELINE = [Reading(-15, "sbp", 120), Reading(-15, "hr", 70), Reading(-15, "spo2", 98)]


def fired(*readings):
    return {firing.rule for firing in evaluate(kalm().safety_rules, [*BASELINE, *readings])}


def at(parameter, *pairs):
    return [Reading(minute, parameter, value) for minute, value in pairs]


def rule(code):
    return next(each for each in kalm().safety_rules if each.id == code)


# The oracle is the table of rules of the protocol's document: threshold met, and just not met.
@pytest.mark.parametrize(
    ("parameter", "spacing", "met", "not_met", "rules"),
    [
        ("sbp", 5, 181, 180, {"S01", "S04"}),
        ("dbp", 5, 111, 110, {"S03"}),
        ("sbp", 5, 157, 156, {"S04"}),
        ("sbp", 5, 84, 85, {"S05"}),
        ("hr", 5, 131, 130, {"S06"}),
        ("hr", 2, 44, 45, {"S07"}),
        ("spo2", 1, 91, 92, {"S09"}),
        ("rr", 1, 7, 8, {"S11"}),
    ],
)
def test_a_rule_over_two_readings_fires_on_the_second(parameter, spacing, met, not_met, rules):
    first, second = 15, 15 + spacing
    assert fired(*at(parameter, (first, met))) == set()
    assert fired(*at(parameter, (first, met), (second, met))) == rules
    assert rules - fired(*at(parameter, (first, not_met), (second, not_met))) != set()
    assert fired(*at(parameter, (first, met), (first + spacing - 0.5, met))) == set()


@pytest.mark.parametrize(
    ("parameter", "met", "not_met", "rules"),
    [
        ("sbp", 200, 199, {"S02"}),
        ("hr", 150, 149, {"S08"}),
        ("spo2", 87, 88, {"S10"}),
        ("moaas", 3, 4, {"S12"}),
        ("moaas", 1, 4, {"S12", "S13"}),
        ("rass", 2, 1, {"S14"}),
        ("rass", 3, 1, {"S14", "S15"}),
        ("bprs_max_item", 5, 4, {"S16"}),
        ("cadss_total", 50, 49, {"S17"}),
        ("participant_request", True, False, {"S19"}),
        ("chest_pain", 1, 0, {"S18"}),
        ("seizure", True, False, {"S18"}),
        ("laryngospasm", True, False, {"S18"}),
        ("anaphylaxis", True, False, {"S18"}),
        ("new_arrhythmia", True, False, {"S18"}),
    ],
)
def test_a_rule_over_one_reading_fires_at_once(parameter, met, not_met, rules):
    assert fired(Reading(20, parameter, met)) == rules
    assert fired(Reading(20, parameter, not_met)) == set()


def test_the_actions_are_those_of_the_protocol():
    actions = {each.id: each.action for each in kalm().safety_rules}
    assert {code for code, action in actions.items() if action == "STOP"} == {
        "S02",
        "S08",
        "S10",
        "S13",
        "S15",
        "S18",
    }
    assert {code for code, action in actions.items() if action == "ALERT"} == {"S04", "S17"}
    assert len(actions) == 19


def test_a_normal_reading_between_interrupts_and_a_missing_one_does_not():
    assert fired(*at("hr", (10, 140), (15, 100), (20, 140))) == set()
    assert fired(*at("hr", (10, 140), (15, None), (20, 140))) == {"S06"}


def test_readings_close_together_count_once_but_do_not_interrupt():
    (firing,) = evaluate(kalm().safety_rules, at("hr", (10, 131), (12, 132), (14, 133), (15, 134)))
    assert (firing.minute, [reading.minute for reading in firing.readings]) == (15, [10, 15])


def test_a_rule_fires_once_an_episode():
    readings = at("hr", (0, 140), (5, 140), (10, 140), (15, 140), (20, 90), (25, 140), (30, 140))
    assert [firing.minute for firing in evaluate(kalm().safety_rules, readings)] == [5, 30]


def test_a_rule_relative_to_baseline_waits_for_the_baseline():
    readings = at("sbp", (10, 170), (15, 170))
    assert evaluate(kalm().safety_rules, readings) == []
    (firing,) = evaluate(kalm().safety_rules, [*readings, Reading(-15, "sbp", 125)])
    assert (firing.rule, firing.action) == ("S04", "ALERT")
    assert evaluate(kalm().safety_rules, [*readings, Reading(-15, "sbp", 131)]) == []


def test_firings_come_in_time_the_severest_first_and_keep_their_evidence():
    firings = evaluate(kalm().safety_rules, [*at("moaas", (30, 1)), *at("spo2", (15, 91), (20, 91))])
    assert [(firing.minute, firing.rule) for firing in firings] == [(20, "S09"), (30, "S13"), (30, "S12")]
    assert firings[0].readings == (Reading(15, "spo2", 91), Reading(20, "spo2", 91))
    assert firings[0].also == "Give oxygen"


def test_readings_may_come_in_any_order():
    readings = [*BASELINE, *at("hr", (20, 140), (10, 140)), Reading(30, "moaas", 2)]
    assert evaluate(kalm().safety_rules, readings) == evaluate(kalm().safety_rules, readings[::-1])


@pytest.mark.parametrize(
    ("code", "readings", "resumes"),
    [
        ("S01", at("sbp", (25, 160), (30, 155)), True),
        ("S01", at("sbp", (25, 160)), False),
        ("S01", at("sbp", (25, 160), (30, 161)), False),
        ("S01", at("sbp", (25, 170), (30, 160), (35, 150)), True),
        ("S01", at("sbp", (15, 150), (20, 150)), False),
        ("S06", at("hr", (25, 110)), True),
        ("S06", at("hr", (25, 111)), False),
        ("S06", at("hr", (25, 100), (30, None)), True),
        ("S19", at("participant_agrees", (25, True)), True),
        ("S02", at("sbp", (25, 120), (30, 120)), False),
    ],
)
def test_a_held_infusion_goes_on_when_the_last_readings_say_so(code, readings, resumes):
    assert may_resume(rule(code), readings, since=20) is resumes


@pytest.mark.parametrize(("held", "stops"), [(20, False), (21, True)])
def test_an_infusion_held_for_more_than_twenty_minutes_in_total_stops(held, stops):
    rows = [(0, 10, 50), (10, 20, 0), (20, 25, 50), (25, 15 + held, 0)]
    segments = [Segment(*(Decimal(value) for value in row)) for row in rows]
    assert held_too_long(segments, kalm().infusion.holds) is stops


WELL = {
    "minutes_since_end": 120,
    "moaas": 5,
    "rass": 0,
    "sbp": 144,
    "baseline_sbp": 120,
    "cadss_total": 4,
    "aldrete_score": 9,
    "escort_present": True,
}


def test_a_participant_who_is_well_may_leave():
    assert may_leave(kalm().discharge, WELL)


@pytest.mark.parametrize(
    "change",
    [
        {"minutes_since_end": 119},
        {"moaas": 4},
        {"rass": 1},
        {"rass": -1},
        {"sbp": 145},
        {"sbp": 95},
        {"cadss_total": 5},
        {"aldrete_score": 8},
        {"escort_present": False},
        {"escort_present": None},
    ],
)
def test_one_thing_amiss_or_unknown_keeps_a_participant(change):
    assert not may_leave(kalm().discharge, WELL | change)
    states = [state for _, state in discharge_state(kalm().discharge, WELL | change)]
    assert states.count(True) == len(states) - 1


def test_the_baseline_is_the_reading_at_its_minute():
    assert baseline_values([*BASELINE, Reading(0, "sbp", 150)])["baseline_sbp"] == 120
