"""Dose and pump arithmetic. Exact decimals throughout; rounded once, at the pump, half up.

The blinded functions know volumes and rates only, which are the same in every arm. The dose functions, for
the pharmacy and the unblinded side, take the concentration as an argument: milligrams stay beside the arm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Literal

from studies.protocol.design import Regimen
from studies.protocol.infusion import Delivery, InfusionPlan

Grade = Literal["complete", "substantial", "partial"]


@dataclass(frozen=True, slots=True)
class PlannedInfusion:
    """What the pump is to give: volume (mL), rate (mL/h), and the rate as it can be set (mL/h)."""

    volume_ml: Decimal
    rate_ml_h: Decimal
    set_rate_ml_h: Decimal


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the infusion at one rate, in minutes from its start. Rate 0 is a hold."""

    start_min: Decimal
    end_min: Decimal
    rate_ml_h: Decimal


# Blinded


def plan_infusion(plan: InfusionPlan, weight_kg: Decimal) -> PlannedInfusion:
    """The infusion of a participant of this weight (kg, as measured, to 0.1 kg).

    The rate follows the weight up to the weight at which the dose is capped. Raises ValueError for a weight
    outside the plan's hard range.
    """
    low, high = plan.weight.hard_kg
    if not low <= weight_kg <= high:
        raise ValueError(f"A weight of {weight_kg} kg is outside {low} to {high} kg.")
    if plan.rate_ml_h_per_kg is not None:
        rate = plan.rate_ml_h_per_kg * min(weight_kg, plan.weight.counts_up_to_kg)
    else:
        rate = plan.fixed_rate_ml_h or Decimal(0)
    volume = rate * plan.minutes / 60
    return PlannedInfusion(volume, rate, round_to_step(rate, plan.pump_step_ml_h))


def round_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The nearest multiple of the pump's step; half a step goes up."""
    return (value / step).quantize(Decimal(1), rounding=ROUND_HALF_UP) * step


def delivered_volume_ml(segments: Sequence[Segment]) -> Decimal:
    """The volume (mL) given over segments: the sum of rate x minutes / 60.

    Raises ValueError where segments leave a gap, overlap, end before they begin, or have a negative rate.
    """
    _check_segments(segments)
    return sum((each.rate_ml_h * (each.end_min - each.start_min) / 60 for each in segments), Decimal(0))


def held_minutes(segments: Sequence[Segment]) -> Decimal:
    """For how many minutes in total the infusion was held. Raises ValueError as `delivered_volume_ml`."""
    _check_segments(segments)
    return sum((each.end_min - each.start_min for each in segments if each.rate_ml_h == 0), Decimal(0))


def percent_of_plan(delivered_ml: Decimal, planned_ml: Decimal) -> Decimal:
    """The volume given in percent of the volume planned. Raises ValueError when nothing was planned."""
    if planned_ml <= 0:
        raise ValueError(f"The planned volume is {planned_ml} mL; a percentage needs one above 0.")
    return delivered_ml * 100 / planned_ml


def grade_delivery(percent: Decimal, delivery: Delivery) -> Grade:
    """Complete, substantial, or partial: a protocol deviation."""
    if percent >= delivery.complete_percent:
        return "complete"
    return "substantial" if percent >= delivery.substantial_percent else "partial"


def pump_agrees(pump_ml: Decimal, segments_ml: Decimal, delivery: Delivery) -> bool:
    """Whether the volume read off the pump fits the segments, within so many mL or so many percent."""
    allowed = max(delivery.pump_agreement_ml, segments_ml * delivery.pump_agreement_percent / 100)
    return abs(pump_ml - segments_ml) <= allowed


def _check_segments(segments: Sequence[Segment]) -> None:
    for each in segments:
        if each.end_min <= each.start_min:
            raise ValueError(f"A segment from minute {each.start_min} ends at {each.end_min}, not later.")
        if each.rate_ml_h < 0:
            raise ValueError(f"A rate of {each.rate_ml_h} mL/h is below 0.")
    if segments and segments[0].start_min != 0:
        raise ValueError(f"The first segment begins at minute {segments[0].start_min}, not at 0.")
    for before, after in pairwise(segments):
        if after.start_min != before.end_min:
            raise ValueError(
                f"A segment begins at minute {after.start_min}, but the one before ends at {before.end_min}. "
                "Enter a hold as a segment with rate 0."
            )


# Unblinded: for the pharmacy and the safety unit


def dose_mg(regimen: Regimen, weight_kg: Decimal) -> Decimal:
    """The dose (mg) of an arm at a weight (kg): fixed, or by weight up to the cap; 0 without a drug."""
    if regimen.fixed_dose_mg is not None:
        return regimen.fixed_dose_mg
    if regimen.dose_mg_per_kg is None:
        return Decimal(0)
    dose = regimen.dose_mg_per_kg * weight_kg
    return dose if regimen.cap_mg is None else min(dose, regimen.cap_mg)


def volume_of_dose_ml(dose: Decimal, concentration_mg_per_ml: Decimal) -> Decimal:
    """The volume (mL) that holds a dose (mg). Raises ValueError for a concentration of 0."""
    if concentration_mg_per_ml <= 0:
        raise ValueError(f"A concentration of {concentration_mg_per_ml} mg/mL holds no dose.")
    return dose / concentration_mg_per_ml


def rate_of_volume_ml_h(volume_ml: Decimal, minutes: int) -> Decimal:
    """The rate (mL/h) that gives a volume (mL) over so many minutes."""
    return volume_ml * 60 / minutes


def dose_in_volume_mg(volume_ml: Decimal, concentration_mg_per_ml: Decimal) -> Decimal:
    """The dose (mg) that a volume (mL) holds: what was given, from what was delivered."""
    return volume_ml * concentration_mg_per_ml
