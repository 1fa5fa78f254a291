"""Units in which devices report, brought to the unit of each parameter. Nothing is converted that is not listed."""

from __future__ import annotations

from collections.abc import Callable

from outcomes.qst.parameters import BASELINE_C, parameter_of

_KPA_PER_N_CM2 = 10.0
_KPA_PER_KGF_CM2 = 98.0665  # standard gravity, exact
_KPA_PER_PSI = 6.894757293168

_Conversion = Callable[[float], float]


def _same(value: float) -> float:
    return value


def _times(factor: float) -> _Conversion:
    return lambda value: value * factor


_TEMPERATURE: dict[str, _Conversion] = {
    **dict.fromkeys(("°C", "C", "degC"), _same),
    **dict.fromkeys(("°F", "F", "degF"), lambda value: (value - 32.0) / 1.8),
}
# Some programs export detection thresholds as the distance from the baseline, colder ones negative.
_DISTANCE: dict[str, _Conversion] = dict.fromkeys(("dC", "Δ°C"), lambda value: value + BASELINE_C)
_PRESSURE: dict[str, _Conversion] = {
    "kPa": _same,
    **dict.fromkeys(("N/cm2", "N/cm²"), _times(_KPA_PER_N_CM2)),
    **dict.fromkeys(("kgf/cm2", "kgf/cm²"), _times(_KPA_PER_KGF_CM2)),
    "psi": _times(_KPA_PER_PSI),
}
_FORCE: dict[str, _Conversion] = {"mN": _same}
_RATING: dict[str, _Conversion] = dict.fromkeys(("0-100", "NRS 0-100"), _same)
_COUNT: dict[str, _Conversion] = dict.fromkeys(("n", "0/1", "0 or 1"), _same)
_EIGHTHS: dict[str, _Conversion] = dict.fromkeys(("x/8", "/8"), _same)

_UNITS: dict[str, dict[str, _Conversion]] = {
    **dict.fromkeys(("CDT", "WDT"), _TEMPERATURE | _DISTANCE),
    **dict.fromkeys(("TSL", "CPT", "HPT"), _TEMPERATURE),
    "PHS": _COUNT,
    **dict.fromkeys(("MDT", "MPT"), _FORCE),
    **dict.fromkeys(("MPS", "DMA", "WUR"), _RATING),
    "VDT": _EIGHTHS,
    "PPT": _PRESSURE,
}


def in_unit_of_parameter(parameter: str, value: float, unit: str) -> float:
    """A reading in the unit that trials of the parameter are kept in: °C as the thermode shows, kPa, mN, 0-100, x/8.

    Raises ValueError for a unit that the parameter is not measured in, naming those that it is.
    """
    units = _UNITS[parameter_of(parameter).code]
    if unit not in units:
        raise ValueError(f"{parameter} is not measured in {unit!r}; known are {', '.join(units)}.")
    # A reading has at most two decimals; a conversion must not add digits that nobody read.
    return round(units[unit](value), 4)
