"""What a value means beside its baseline: change, per cent, responder, important difference. Plain arithmetic.

Rules as everywhere in this system (shared with the analysis): at least 30 or 50 per cent better includes exactly that,
with a tolerance for floating point; a baseline of 0, or a scale that does not begin at 0, has no percentage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

from scipy.special import stdtrit

from outcomes.scoring.instrument import ImportantDifference

# 7.0 to 4.9 is 30 per cent, whatever floating point makes of it.
TOLERANCE = 1e-9
# Response in a dimension: half a standard deviation of the pooled baseline better.
RESPONSE_SD = 0.5
Verdict = Literal["better", "worse", "neither"]


@dataclass(frozen=True, slots=True)
class Scale:
    """What has to be known of a score to judge its change."""

    higher_is: Literal["worse", "better", "neither"] = "worse"
    begins_at_zero: bool = False
    important: ImportantDifference | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A value beside its baseline.

    change: value - baseline; percent: 100 change / baseline; improvement_sd: improvement in standard deviations of
    the pooled baseline, positive is better; responder_30, responder_50: at least so many per cent better;
    responder_sd: at least half a standard deviation better; important: whether the change is an important
    difference, and which way. None: not defined for this score or baseline.
    """

    change: float
    percent: float | None = None
    improvement_sd: float | None = None
    responder_30: bool | None = None
    responder_50: bool | None = None
    responder_sd: bool | None = None
    important: Verdict | None = None


def change_of(value: float, baseline: float, scale: Scale) -> Change:
    """The change of a value from its baseline, but for what needs a standard deviation (`in_spread`)."""
    change = value - baseline
    percent = 100 * change / baseline if scale.begins_at_zero and baseline > 0 else None
    if scale.higher_is == "neither":
        return Change(change, percent)
    improvement = -change if scale.higher_is == "worse" else change
    # A percentage better is a percentage less: of a scale on which more is better it is not asked.
    less = -percent if percent is not None and scale.higher_is == "worse" else None
    return Change(
        change,
        percent,
        responder_30=None if less is None else less >= 30 - TOLERANCE,
        responder_50=None if less is None else less >= 50 - TOLERANCE,
        important=_important(improvement, None if percent is None else abs(percent), scale.important),
    )


def in_spread(change: Change, scale: Scale, spread: float | None) -> Change:
    """A change with its size in standard deviations of the pooled baseline; as it was where there is none."""
    improvement = improvement_in(change, scale, spread)
    if improvement is None:
        return change
    return replace(change, improvement_sd=improvement, responder_sd=responds_in(improvement))


def improvement_in(change: Change, scale: Scale, spread: float | None) -> float | None:
    """How many standard deviations of the pooled baseline better (positive); None where that means nothing."""
    if not spread or scale.higher_is == "neither":
        return None
    return (-change.change if scale.higher_is == "worse" else change.change) / spread


def responds_in(improvement: float) -> bool:
    """Whether so many standard deviations better are a response: at least half of one."""
    return improvement >= RESPONSE_SD - TOLERANCE


def _important(improvement: float, percent: float | None, difference: ImportantDifference | None) -> Verdict | None:
    if difference is None:
        return None
    size = abs(improvement) if difference.unit == "points" else percent
    if size is None:
        return None
    if size < difference.change - TOLERANCE:
        return "neither"
    return "better" if improvement > 0 else "worse"


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of n values with its standard deviation and 95 % interval (Student's t); None where n is too small."""

    n: int
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None


def mean_of(values: Sequence[float], *, at_least: int = 1) -> Mean:
    """The mean of values; only their number where there are fewer than `at_least`."""
    n = len(values)
    if n < max(at_least, 1):
        return Mean(n)
    mean = sum(values) / n
    sd = spread_of(values)
    if sd is None:
        return Mean(n, mean)
    margin = float(stdtrit(n - 1, 0.975)) * sd / sqrt(n)
    return Mean(n, mean, sd, mean - margin, mean + margin)


def spread_of(values: Sequence[float]) -> float | None:
    """The standard deviation (n - 1) of values; None for fewer than two."""
    n = len(values)
    if n < 2:
        return None
    mean = sum(values) / n
    return sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
