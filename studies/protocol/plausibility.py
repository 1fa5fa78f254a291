"""Readings that cannot be, and readings that are unusual: what is refused at entry and what is queried."""

from __future__ import annotations

from decimal import Decimal

from studies.protocol.infusion import InfusionPlan, Parameter, Weight

_FAHRENHEIT = (Decimal(91), Decimal(108))


def refusal(plan: InfusionPlan, parameter: str, value: Decimal) -> str | None:
    """Why a reading cannot be saved; None when it can. Raises KeyError for an unknown parameter."""
    read = _parameter(plan, parameter)
    low, high = read.hard
    if low <= value <= high:
        return None
    said = f"{read.label} {value:f} is outside {low:f} to {high:f} {read.unit}".rstrip() + "."
    if parameter == "temperature" and _FAHRENHEIT[0] <= value <= _FAHRENHEIT[1]:
        celsius = (value - 32) * 5 / 9
        return f"{said} It looks like Fahrenheit: {celsius:.1f} C."
    return said


def query(plan: InfusionPlan, parameter: str, value: Decimal) -> str | None:
    """What is unusual about a reading, in a sentence; None when nothing is. Raises KeyError as `refusal`."""
    read = _parameter(plan, parameter)
    low, high = read.soft
    if low <= value <= high:
        return None
    return f"{read.label} {value:f} is unusual (expected {low:f} to {high:f} {read.unit}".rstrip() + ")."


def pressure_refusal(plan: InfusionPlan, sbp: Decimal | None, dbp: Decimal | None) -> str | None:
    """Why two pressures cannot belong together; None when they can, or one is not known."""
    if sbp is None or dbp is None or sbp > dbp + plan.sbp_above_dbp_by:
        return None
    return f"Systolic {sbp:f} is not more than {plan.sbp_above_dbp_by:f} mmHg above diastolic {dbp:f}."


def weight_query(weight: Weight, value_kg: Decimal, previous_kg: Decimal | None) -> str | None:
    """What is unusual about a weight: outside the expected range, or changed much since the last one."""
    low, high = weight.soft_kg
    if not low <= value_kg <= high:
        return f"A weight of {value_kg:f} kg is unusual (expected {low:f} to {high:f} kg)."
    if previous_kg and abs(value_kg - previous_kg) * 100 > weight.query_change_percent * previous_kg:
        limit = weight.query_change_percent
        return f"The weight changed from {previous_kg:f} to {value_kg:f} kg, by more than {limit:f} %."
    return None


def _parameter(plan: InfusionPlan, key: str) -> Parameter:
    for parameter in plan.parameters:
        if parameter.key == key:
            return parameter
    raise KeyError(f"'{key}' is not read during this infusion; {', '.join(p.key for p in plan.parameters)} are.")
