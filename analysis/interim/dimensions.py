"""Improvement by dimension of pain, in baseline standard deviations: what dissociation and mediation compare.

I = -(Y(t) - Y(0)) / SD where lower is better; SD is that of the randomised at baseline, all arms together, and stays
what it was at the first look that could compute it (DOMAIN 5.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.datasets import Trial
from analysis.interim.groups import Groups
from studies.protocol.further_analyses import DimensionSource, Mechanism


@dataclass(frozen=True)
class Dimensions:
    """improvement: by (dimension, day), a value for every participant, NaN where missing; baseline: participant x
    dimension, in SDs; scale: the SD of every endpoint used; arm: of the participants, only the two compared.
    """

    improvement: Mapping[tuple[str, int], pd.Series[Any]]
    baseline: pd.DataFrame
    scale: Mapping[str, float]
    arm: pd.Series[Any]


def dimensions(trial: Trial, groups: Groups, rule: Mechanism, earlier: Sequence[Mapping[str, Any]]) -> Dimensions:
    """Every dimension of the plan that can be scaled, for the two arms compared. An endpoint whose baseline nobody
    has, or does not vary, is left out. Raises ValueError where none is left.
    """
    chosen = trial.population(rule.population)
    arm = groups.member[groups.member.isin([rule.active, rule.reference])]
    arm = arm[arm.index.isin(chosen.index[chosen])]
    scale = _scale(trial, rule, earlier)
    improved: dict[tuple[str, int], pd.Series[Any]] = {}
    before = {}
    for dimension in rule.dimensions:
        sources = [source for source in dimension.sources if source.endpoint in scale]
        if not sources:
            continue
        by_day, start = _dimension(trial, sources, dimension.at_least, scale)
        improved |= {(dimension.code, day): values.reindex(arm.index) for day, values in by_day.items()}
        before[dimension.code] = start
    return Dimensions(improved, pd.DataFrame(before).reindex(arm.index), scale, arm)


def _scale(trial: Trial, rule: Mechanism, earlier: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    known: dict[str, float] = {}
    for result in earlier:
        known = {**result.get("mechanism", {}).get("scale", {}), **known}
    randomised = trial.people["RAND"]
    for key in dict.fromkeys(source.endpoint for each in rule.dimensions for source in each.sources):
        if key not in known:
            endpoint = trial.plan.endpoint(key)
            spread = float(trial.values(endpoint).loc[randomised, endpoint.baseline.code].std())
            if spread > 0:
                known[key] = spread
    if not known:
        raise ValueError("No dimension varies before treatment, so there is no scale to measure improvement in.")
    return known


def _dimension(
    trial: Trial, sources: Sequence[DimensionSource], at_least: int, scale: Mapping[str, float]
) -> tuple[dict[int, pd.Series[Any]], pd.Series[Any]]:
    """Improvement by day, and the baseline, each the mean over the sources that are there."""
    gains: dict[int, list[pd.Series[Any]]] = {}
    starts = []
    for source in sources:
        endpoint = trial.plan.endpoint(source.endpoint)
        values = trial.values(endpoint) / scale[source.endpoint]
        start = values[endpoint.baseline.code]
        starts.append(start)
        sign = 1.0 if endpoint.better == "higher" else -1.0
        for code, day in source.days.items():
            gains.setdefault(day, []).append(sign * (values[code] - start))
    by_day = {day: _mean(parts, at_least) for day, parts in sorted(gains.items())}
    return by_day, _mean(starts, 1)


def _mean(parts: list[pd.Series[Any]], at_least: int) -> pd.Series[Any]:
    frame = pd.concat(parts, axis=1)
    return frame.mean(axis=1).where(frame.notna().sum(axis=1) >= at_least)
