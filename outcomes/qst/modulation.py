"""Conditioned pain modulation and temporal summation, each with one sign convention.

The literature has two: studies of thresholds report an increase as positive, studies of ratings a fall. Here
inhibition is negative for both, as the consensus recommends (Yarnitsky 2015, Eur J Pain 19:805-806).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal


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
    method: Literal["last_minus_first", "highest_minus_first"]


def temporal_summation(
    ratings: Sequence[float], *, method: Literal["last_minus_first", "highest_minus_first"]
) -> TemporalSummation:
    """The rise over a train. ratings: 0-100, in order. Raises ValueError for fewer than two."""
    if len(ratings) < 2:
        raise ValueError(f"Temporal summation needs at least two ratings; there is {len(ratings)}.")
    end = ratings[-1] if method == "last_minus_first" else max(ratings)
    return TemporalSummation(end - ratings[0], method)
