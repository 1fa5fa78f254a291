"""From single trials to the value of each parameter (Rolke 2006, Eur J Pain 10:77-88).

Logarithm before or after the mean? Turning points and ratings (MDT, MPT, MPS, DMA) are averaged as logarithms, a
geometric mean; thresholds and the wind-up ratio are averaged as measured, and their logarithm is taken for z only.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from outcomes.qst.parameters import BASELINE_C, PARAMETERS, Parameter, parameter_of
from outcomes.qst.readings import AnyReading, trial_problem

# Ratings of 0 have no logarithm: Rolke 2006 adds a tenth of a point to every rating.
_RATING_OFFSET = 0.1

Groups = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class ParameterValue:
    """The value of a parameter in its own unit, or the reason why there is none.

    CDT, WDT, TSL in degrees from baseline (CDT negative) or between warm and cold; PHS a count; MDT, MPT in mN; MPS
    and DMA geometric means of rating + 0.1; WUR a ratio. censored: a device's limit was reached in a trial, so the
    true value lies beyond. present: for PHS and DMA, whether the abnormal sign was there.
    """

    parameter: str
    value: float | None
    missing_reason: str | None = None
    censored: bool = False
    present: bool | None = None


def aggregate(readings: Iterable[AnyReading]) -> dict[str, ParameterValue]:
    """The values of all 13 parameters from the trials of one area, in the order of the protocol.

    readings: trials in any order; those without a value count as not done. Raises ValueError for an unknown
    parameter or direction, a trial given twice, or a value that its device cannot show.
    """
    trials: dict[str, dict[str, dict[int, AnyReading]]] = defaultdict(lambda: defaultdict(dict))
    for reading in readings:
        _refuse_impossible(reading)
        group = trials[reading.parameter][reading.direction]
        if reading.trial in group:
            raise ValueError(f"{_name(reading)} is given twice; keep one.")
        group[reading.trial] = reading
    return {code: _value(parameter, trials.get(code, {})) for code, parameter in PARAMETERS.items()}


def _refuse_impossible(reading: AnyReading) -> None:
    parameter = parameter_of(reading.parameter)
    if reading.direction not in parameter.directions:
        allowed = ", ".join(filter(None, parameter.directions)) or "none"
        raise ValueError(f"{_name(reading)}: the direction is {reading.direction!r}; allowed is {allowed}.")
    if reading.value is not None and (problem := trial_problem(reading.parameter, reading.value)):
        raise ValueError(f"{_name(reading)}: {problem}")


def _name(reading: AnyReading) -> str:
    return " ".join(str(part) for part in (reading.parameter, reading.direction, reading.trial) if part != "")


def _value(parameter: Parameter, trials: Mapping[str, Mapping[int, AnyReading]]) -> ParameterValue:
    given = [r for group in trials.values() for r in group.values() if r.value is not None]
    censored = any(reading.cutoff for reading in given)
    groups = {
        direction: [r.value for r in trials.get(direction, {}).values() if r.value is not None]
        for direction in parameter.directions
    }
    reason = _too_few(parameter, groups)
    values = [value for group in groups.values() for value in group]
    present = _present(parameter, values, enough=reason is None)
    if reason is None and parameter.summary == "ratio" and not any(groups["single"]):
        reason = "single stimuli were not felt as painful"
    if reason is not None:
        return ParameterValue(parameter.code, None, reason, censored, present)
    return ParameterValue(parameter.code, _summary(parameter, groups), None, censored, present)


def _present(parameter: Parameter, values: Sequence[float], *, enough: bool) -> bool | None:
    """Whether an abnormal sign was there: one positive trial shows it; to exclude it takes enough trials."""
    if parameter.scale != "none":
        return None
    if any(value > 0 for value in values):
        return True
    return False if enough else None


def _too_few(parameter: Parameter, groups: Groups) -> str | None:
    if not any(groups.values()):
        return "not done"
    for direction, values in groups.items():
        if len(values) < parameter.needed:
            which = f" ({direction})" if direction else ""
            return f"{len(values)} of {parameter.trials} trials{which}; {parameter.needed} are needed"
    return None


def _summary(parameter: Parameter, groups: Groups) -> float:
    values = [value for group in groups.values() for value in group]
    match parameter.summary:
        case "count":
            return math.fsum(values)
        case "difference" if parameter.code == "TSL":
            return fmean(groups["warm"]) - fmean(groups["cold"])
        case "difference":
            return fmean(values) - BASELINE_C
        case "turning_points":
            return _geometric_mean(values)
        case "ratings":
            return _geometric_mean([value + _RATING_OFFSET for value in values])
        case "ratio":
            # Nothing is added to the single ratings: some public code adds 1, which biases the ratio.
            return fmean(groups["series"]) / fmean(groups["single"])
    return fmean(values)


def _geometric_mean(values: Sequence[float]) -> float:
    return float(10.0 ** fmean(math.log10(value) for value in values))
