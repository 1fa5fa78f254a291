"""Pump and dose arithmetic. Oracle: oracles/domain_arithmetic.json (pump, delivered)."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.protocol.design import Regimen
from studies.protocol.infusion_arithmetic import (
    Segment,
    delivered_volume_ml,
    dose_in_volume_mg,
    dose_mg,
    grade_delivery,
    held_minutes,
    percent_of_plan,
    plan_infusion,
    pump_agrees,
    rate_of_volume_ml_h,
    round_to_step,
    volume_of_dose_ml,
)
from tests.studies.protocol.kalm import kalm

ORACLE = json.loads((Path(__file__).parents[2] / "data" / "oracles" / "domain_arithmetic.json").read_text())
STEP = Decimal("0.1")
weights = st.decimals(35, 250, places=1)


def exact(value):
    return Decimal(str(value))


def segments(rows):
    return [Segment(*(exact(value) for value in row)) for row in rows]


@pytest.mark.parametrize("case", ORACLE["pump"], ids=lambda case: case["id"])
def test_dose_volume_and_rate_match_the_oracle(case):
    inputs, expected = case["inputs"], case["expected"]
    concentration = exact(inputs["conc_mg_per_ml"])
    doses = {"fixed_dose_mg": inputs.get("fixed_dose_mg"), "dose_mg_per_kg": inputs.get("dose_mg_per_kg")}
    regimen = Regimen(
        drug="test",
        concentration_mg_per_ml=concentration,
        **{name: exact(dose) for name, dose in doses.items() if dose is not None},
    )
    dose = dose_mg(regimen, exact(inputs.get("weight_kg", 70)))
    volume = volume_of_dose_ml(dose, concentration)
    rate = rate_of_volume_ml_h(volume, inputs["minutes"])
    assert dose == exact(expected["dose_mg"])
    assert volume == exact(expected["volume_ml"])
    assert rate == exact(expected["rate_ml_h"])
    assert round_to_step(rate, STEP) == exact(expected["rate_set_ml_h"])


@pytest.mark.parametrize("case", ORACLE["delivered"], ids=lambda case: case["id"])
def test_delivered_volume_dose_and_percent_match_the_oracle(case):
    expected, concentration = case["expected"], exact(case["conc_mg_per_ml"])
    volume = delivered_volume_ml(segments(case["segments_min_start_end_ml_h"]))
    planned = volume_of_dose_ml(exact(case["planned_mg"]), concentration)
    assert volume == exact(expected["volume_ml"])
    assert dose_in_volume_mg(volume, concentration) == exact(expected["dose_mg"])
    assert percent_of_plan(volume, planned) == exact(expected["percent_of_planned"])


@given(weights)
def test_both_arms_need_the_same_pump_at_every_weight(weight):
    # The identity on which the blind rests: each arm's capped dose is the volume that the pump is set to.
    planned = plan_infusion(kalm().infusion, weight)
    for arm in kalm().arms:
        volume = volume_of_dose_ml(dose_mg(arm.regimen, weight), arm.regimen.concentration_mg_per_ml)
        assert volume == planned.volume_ml
        assert rate_of_volume_ml_h(volume, kalm().infusion.minutes) == planned.rate_ml_h


@given(weights)
def test_the_rate_is_three_quarters_of_the_weight_up_to_120_kg(weight):
    planned = plan_infusion(kalm().infusion, weight)
    assert planned.rate_ml_h == min(weight, Decimal(120)) * Decimal("0.75")
    assert abs(planned.set_rate_ml_h - planned.rate_ml_h) <= Decimal("0.05")


@pytest.mark.parametrize(
    ("rate", "set_rate"), [("47.55", "47.6"), ("47.549", "47.5"), ("0.05", "0.1"), ("54.3", "54.3")]
)
def test_half_a_step_is_rounded_up(rate, set_rate):
    # In binary floating point 47.55 lies below its half and would be set to 47.5.
    assert round_to_step(Decimal(rate), STEP) == Decimal(set_rate)


@pytest.mark.parametrize("weight", ["34.9", "250.1"])
def test_an_impossible_weight_is_refused(weight):
    with pytest.raises(ValueError, match="outside 35 to 250 kg"):
        plan_infusion(kalm().infusion, Decimal(weight))


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 900)), min_size=1, max_size=6))
def test_volume_is_the_area_under_the_rate(stretches):
    # Oracle: counting minute by minute.
    rows, minute, total, held = [], 0, Decimal(0), 0
    for length, rate in stretches:
        rows.append((minute, minute + length, Decimal(rate) / 10))
        total += sum(Decimal(rate) / 600 for _ in range(length))
        held += length if rate == 0 else 0
        minute += length
    assert delivered_volume_ml(segments(rows)) == pytest.approx(total, abs=Decimal("1e-20"))
    assert held_minutes(segments(rows)) == held


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(0, 10, 50), (12, 20, 50)], "begins at minute 12, but the one before ends at 10"),
        ([(0, 10, 50), (8, 20, 50)], "begins at minute 8, but the one before ends at 10"),
        ([(0, 0, 50)], "ends at 0, not later"),
        ([(5, 10, 50)], "begins at minute 5, not at 0"),
        ([(0, 10, -1)], "below 0"),
    ],
)
def test_segments_with_gaps_overlaps_or_nonsense_are_refused(rows, words):
    with pytest.raises(ValueError, match=words):
        delivered_volume_ml(segments(rows))


@pytest.mark.parametrize(
    ("percent", "grade"),
    [
        ("100", "complete"),
        ("95", "complete"),
        ("94.99", "substantial"),
        ("80", "substantial"),
        ("79.99", "partial"),
    ],
)
def test_a_delivery_is_graded(percent, grade):
    assert grade_delivery(Decimal(percent), kalm().infusion.delivery) == grade


@pytest.mark.parametrize(
    ("pump", "volume", "agrees"),
    [
        ("23.6", "22.625", True),
        ("23.7", "22.625", False),
        ("98", "100", True),
        ("96.9", "100", False),
        ("103", "100", True),
    ],
)
def test_the_pump_agrees_within_a_millilitre_or_three_percent(pump, volume, agrees):
    assert pump_agrees(Decimal(pump), Decimal(volume), kalm().infusion.delivery) is agrees


def test_the_dose_is_capped_and_a_placebo_holds_none():
    ketamine, midazolam = (kalm().arm(code).regimen for code in ("KET", "MDZ"))
    assert (dose_mg(ketamine, Decimal(130)), dose_mg(midazolam, Decimal(130))) == (60, Decimal("5.4"))
    assert dose_mg(Regimen(drug="saline", concentration_mg_per_ml=0), Decimal(70)) == 0
    with pytest.raises(ValueError, match="holds no dose"):
        volume_of_dose_ml(Decimal(1), Decimal(0))


def test_a_percentage_of_nothing_is_refused():
    with pytest.raises(ValueError, match="needs one above 0"):
        percent_of_plan(Decimal(1), Decimal(0))
