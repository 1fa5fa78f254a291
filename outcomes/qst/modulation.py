"""Conditioned pain modulation and temporal summation, each with one sign convention.

The literature has two: studies of thresholds report an increase as positive, studies of ratings a fall. Here
inhibition is negative for both, as the consensus recommends (Yarnitsky 2015, Eur J Pain 19:805-806).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from outcomes.qst.aggregation import ParameterValue
from outcomes.qst.readings import AnyReading, trial_problem

TestStimulus = Literal["ppt", "hpt", "rating"]
Timing = Literal["parallel", "sequential"]
SummationMethod = Literal["last_minus_first", "highest_minus_first"]

# The names under which these trials are kept, beside the 13 parameters, with their directions.
CPM, TS = "CPM", "TS"
MODULATION = {CPM: ("before", "during", "after"), TS: ("",)}
# The train of ten that the wind-up ratio uses too.
TRAIN = 10


@dataclass(frozen=True, slots=True)
class ConditionedPainModulation:
    """How a painful conditioning stimulus changes the test stimulus.

    before, conditioned: means of the readings; raw_change: conditioned - before; effect: negative is inhibition;
    percent: of before, None where that is 0. There is no abnormal: pain-free people facilitate too.
    """

    before: float
    conditioned: float
    raw_change: float
    effect: float
    percent: float | None
    kind: Literal["inhibition", "facilitation", "none"]


def conditioned_pain_modulation(
    before: Sequence[float], conditioned: Sequence[float], *, measure: Literal["threshold", "rating"]
) -> ConditionedPainModulation:
    """Compare readings before conditioning with those during (parallel) or after it (sequential).

    A threshold that rises and a rating that falls are both inhibition. Raises ValueError without readings.
    """
    if not before or not conditioned:
        raise ValueError("Conditioned pain modulation needs at least one reading before and one conditioned.")
    first, second = fmean(before), fmean(conditioned)
    effect = first - second if measure == "threshold" else second - first
    percent = None if first == 0 else 100 * effect / first
    kind: Literal["inhibition", "facilitation", "none"] = (
        "inhibition" if effect < 0 else "facilitation" if effect > 0 else "none"
    )
    return ConditionedPainModulation(first, second, second - first, effect, percent, kind)


@dataclass(frozen=True, slots=True)
class TemporalSummation:
    """How far ratings rise over a train of equal stimuli, and how that was counted."""

    delta: float
    method: SummationMethod


def temporal_summation(ratings: Sequence[float], *, method: SummationMethod) -> TemporalSummation:
    """The rise over a train. ratings: 0-100, in order. Raises ValueError for fewer than two."""
    if len(ratings) < 2:
        raise ValueError(f"Temporal summation needs at least two ratings; there is {len(ratings)}.")
    end = ratings[-1] if method == "last_minus_first" else max(ratings)
    return TemporalSummation(end - ratings[0], method)


@dataclass(frozen=True, slots=True)
class CpmMethod:
    """How conditioned pain modulation was tested.

    stimulus: the threshold or rating that is compared; timing: parallel compares the readings during conditioning
    with those before it, sequential those after it.
    """

    stimulus: TestStimulus
    timing: Timing


def modulation_problem(reading: AnyReading, method: CpmMethod | None) -> str | None:
    """Why a trial of CPM or TS cannot be taken, in a sentence; None when it can."""
    directions = MODULATION[reading.parameter]
    if reading.direction not in directions:
        allowed = ", ".join(filter(None, directions)) or "none"
        return f"{reading.parameter}: the direction is {reading.direction!r}; allowed is {allowed}."
    if reading.parameter == CPM and method is None:
        return "CPM needs its method: which test stimulus was compared, and when."
    if reading.value is None:
        return None
    stimulus = method.stimulus if method and reading.parameter == CPM else "rating"
    if stimulus == "rating":
        if 0 <= reading.value <= 100:
            return None
        return f"A rating is {reading.value:g}; allowed is 0 to 100 (0 no pain, 100 worst)."
    return trial_problem(stimulus.upper(), reading.value)


def modulation_values(readings: Iterable[AnyReading], method: CpmMethod | None) -> dict[str, ParameterValue]:
    """The values of conditioned pain modulation and temporal summation, for as much of them as was begun.

    readings: trials of CPM and TS in any order. Units: that of the test stimulus, but percent for cpm_percent.
    """
    all_readings = list(readings)
    cpm = [reading for reading in all_readings if reading.parameter == CPM]
    train = sorted((r for r in all_readings if r.parameter == TS), key=lambda reading: reading.trial)
    values: list[ParameterValue] = []
    if cpm and method is not None:
        values += _cpm_values(cpm, method)
    if train:
        values += _train_values(train)
    return {value.parameter: value for value in values}


def _cpm_values(readings: Sequence[AnyReading], method: CpmMethod) -> list[ParameterValue]:
    conditioned = "during" if method.timing == "parallel" else "after"
    before, after = (
        [r.value for r in readings if r.direction == direction and r.value is not None]
        for direction in ("before", conditioned)
    )
    names = ("cpm_before", "cpm_conditioned", "cpm_effect", "cpm_percent")
    if not before or not after:
        missing = "before" if not before else conditioned
        return [ParameterValue(name, None, f"no reading {missing} conditioning") for name in names]
    measure: Literal["threshold", "rating"] = "rating" if method.stimulus == "rating" else "threshold"
    found = conditioned_pain_modulation(before, after, measure=measure)
    numbers = (found.before, found.conditioned, found.effect, found.percent)
    return [
        ParameterValue(name, number, None if number is not None else "the reading before is 0")
        for name, number in zip(names, numbers, strict=True)
    ]


def _train_values(train: Sequence[AnyReading]) -> list[ParameterValue]:
    """Both ways of counting; they need the first and the last rating of the train."""
    ratings = {reading.trial: reading.value for reading in train if reading.value is not None}
    rows = [ratings[trial] for trial in sorted(ratings)]
    if 1 not in ratings or TRAIN not in ratings:
        reason = f"ratings 1 and {TRAIN} are needed"
        return [ParameterValue(f"ts_{method}", None, reason) for method in _WAYS]
    return [ParameterValue(f"ts_{method}", temporal_summation(rows, method=method).delta) for method in _WAYS]


_WAYS: tuple[SummationMethod, ...] = ("last_minus_first", "highest_minus_first")
