"""Readings at the edges of what can be, and of what is expected."""

from __future__ import annotations

from decimal import Decimal

import pytest

from studies.protocol.plausibility import pressure_refusal, query, refusal, weight_query
from tests.studies.protocol.kalm import kalm

PLAN = kalm().infusion

# Hard and soft ranges of the document, written out: parameter, hard low, soft low, soft high, hard high.
RANGES = [
    ("hr", 20, 50, 110, 250),
    ("sbp", 50, 90, 160, 260),
    ("dbp", 20, 50, 100, 160),
    ("spo2", 50, 94, 100, 100),
    ("rr", 3, 10, 20, 60),
    ("temperature", "33.0", "35.5", "37.8", "42.0"),
    ("moaas", 0, 4, 5, 5),
    ("rass", -5, -1, 1, 4),
]


@pytest.mark.parametrize(("key", "lowest", "low", "high", "highest"), RANGES)
def test_a_reading_is_refused_outside_the_hard_range_only(key, lowest, low, high, highest):
    step = Decimal("0.1")
    for value in (lowest, low, high, highest):
        assert refusal(PLAN, key, Decimal(value)) is None
    assert "outside" in refusal(PLAN, key, Decimal(lowest) - step)
    assert "outside" in refusal(PLAN, key, Decimal(highest) + step)


@pytest.mark.parametrize(("key", "lowest", "low", "high", "highest"), RANGES)
def test_a_reading_is_queried_outside_the_soft_range_only(key, lowest, low, high, highest):
    step = Decimal("0.1")
    assert query(PLAN, key, Decimal(low)) is query(PLAN, key, Decimal(high)) is None
    assert "unusual" in query(PLAN, key, Decimal(low) - step)
    assert "unusual" in query(PLAN, key, Decimal(high) + step)


@pytest.mark.parametrize(("fahrenheit", "celsius"), [("98.6", "37.0 C"), ("91", "32.8 C"), ("108", "42.2 C")])
def test_a_temperature_in_fahrenheit_is_refused_with_its_value_in_celsius(fahrenheit, celsius):
    said = refusal(PLAN, "temperature", Decimal(fahrenheit))
    assert said.endswith(f"It looks like Fahrenheit: {celsius}.")


def test_another_impossible_temperature_is_refused_without_a_guess():
    assert "Fahrenheit" not in refusal(PLAN, "temperature", Decimal(60))


@pytest.mark.parametrize(("sbp", "dbp", "fits"), [(120, 80, True), (86, 80, True), (85, 80, False), (70, 80, False)])
def test_systolic_pressure_lies_more_than_five_above_diastolic(sbp, dbp, fits):
    assert (pressure_refusal(PLAN, Decimal(sbp), Decimal(dbp)) is None) is fits


def test_one_pressure_alone_is_not_judged():
    assert pressure_refusal(PLAN, None, Decimal(80)) is None
    assert pressure_refusal(PLAN, Decimal(60), None) is None


@pytest.mark.parametrize(
    ("weight", "previous", "words"),
    [
        ("72.4", None, None),
        ("72.4", "70", None),
        ("77.0", "70", None),
        ("77.1", "70", "by more than 10 %"),
        ("62.9", "70", "by more than 10 %"),
        ("44.9", None, "unusual (expected 45 to 130 kg)"),
        ("130.1", None, "unusual"),
    ],
)
def test_an_unusual_or_much_changed_weight_is_queried(weight, previous, words):
    said = weight_query(PLAN.weight, Decimal(weight), Decimal(previous) if previous else None)
    assert said is None if words is None else words in said


def test_a_parameter_that_is_not_read_is_named():
    with pytest.raises(KeyError, match="'pulse' is not read during this infusion; hr, sbp"):
        refusal(PLAN, "pulse", Decimal(60))
