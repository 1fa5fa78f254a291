"""Single trials of a QST session as they were measured, and what a device can and cannot have shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from outcomes.qst.parameters import (
    COLDEST_C,
    HIGHEST_PRESSURE_KPA,
    HOTTEST_C,
    PINPRICKS_MN,
    VON_FREY_MN,
    parameter_of,
)


class AnyReading(Protocol):
    """What a trial has to tell; a stored trial does as well as a `Reading`."""

    @property
    def parameter(self) -> str: ...
    @property
    def trial(self) -> int: ...
    @property
    def value(self) -> float | None: ...
    @property
    def direction(self) -> str: ...
    @property
    def cutoff(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """One trial.

    direction: warm or cold (TSL), ascending or descending (MDT, MPT), single or series (WUR), the force in mN
    (MPS), wisp, swab or brush (DMA), else empty. value: in the parameter's unit, temperatures as shown by the
    thermode, None where the trial was not done. cutoff: the device's limit was reached.
    """

    parameter: str
    trial: int
    value: float | None
    direction: str = ""
    cutoff: bool = False


def trial_problem(parameter: str, value: float) -> str | None:
    """Why a device cannot have shown a value, in a sentence; None when it can. Raises ValueError for no parameter."""
    known = parameter_of(parameter)
    match known.code:
        case "CDT" | "WDT" | "TSL" | "CPT" | "HPT":
            return _outside(known.name, value, COLDEST_C, HOTTEST_C, "°C")
        case "PHS":
            return None if value in (0, 1) else f"{known.name} of one cooling is {value:g}; allowed is 0 or 1."
        case "MDT":
            return _no_such_force(known.name, value, VON_FREY_MN)
        case "MPT":
            return _no_such_force(known.name, value, PINPRICKS_MN)
        case "VDT":
            wrong = _outside(known.name, value, 0, 8, "eighths")
            return wrong or (None if value * 2 % 1 == 0 else f"{known.name} is {value:g}; read in half steps.")
        case "PPT":
            return _outside(known.name, value, 1, HIGHEST_PRESSURE_KPA, "kPa")
    return _outside(f"A rating of {known.name.lower()}", value, 0, 100, "(0 no pain, 100 worst)")


def _outside(name: str, value: float, low: float, high: float, unit: str) -> str | None:
    if low <= value <= high:
        return None
    return f"{name} is {value:g}; allowed is {low:g} to {high:g} {unit}."


def _no_such_force(name: str, value: float, forces: tuple[float, ...]) -> str | None:
    if value in forces:
        return None
    there = ", ".join(f"{force:g}" for force in forces)
    return f"{name} is {value:g} mN; the set of stimulators has {there}."
