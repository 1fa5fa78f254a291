"""Times and events as they come in, checked; and who is at risk when."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.arguments import floats

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class RiskTable:
    """One row per distinct time seen: (T,) arrays of the time, persons at risk just before, events at it."""

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray


def times_and_events(time: ArrayLike, event: ArrayLike) -> tuple[FloatArray, BoolArray]:
    """Times (n,) >= 0 and events (n,) True or 1 where it happened; ValueError naming the argument."""
    times = floats("time", time)
    if times.ndim != 1 or times.size == 0 or not np.all(np.isfinite(times)) or np.any(times < 0):
        raise ValueError("time holds missing or negative values, or none; allowed are numbers from 0, one each.")
    return times, flags("event", event, times.size)


def flags(name: str, values: ArrayLike, size: int) -> BoolArray:
    """True and False, or 1 and 0, one per person; ValueError naming the argument."""
    given = floats(name, values)
    if given.shape != (size,):
        msg = f"{name} has shape {given.shape}; allowed is one value per time, ({size},)."
        raise ValueError(msg)
    if not np.isin(given, [0, 1]).all():
        msg = f"{name} holds values other than 1 (happened) and 0 (censored)."
        raise ValueError(msg)
    return given.astype(bool)


def labels(name: str, values: ArrayLike | None, size: int) -> tuple[NDArray[np.intp], list[object]]:
    """Codes (n,) and the labels they stand for: sorted, or in the order of a categorical."""
    if values is None:
        return np.zeros(size, dtype=np.intp), ["all"]
    series = pd.Series(values)
    if series.size != size or series.isna().any():
        msg = f"{name} holds {series.size} values, maybe missing ones; allowed is one label per time, {size}."
        raise ValueError(msg)
    kept = series.cat.remove_unused_categories() if isinstance(series.dtype, pd.CategoricalDtype) else series
    category = kept.astype("category").cat
    return category.codes.to_numpy().astype(np.intp), list(category.categories)


def risk_table(times: FloatArray, events: BoolArray) -> RiskTable:
    """Numbers at risk and events at each distinct time, ascending."""
    distinct, position = np.unique(times, return_inverse=True)
    left = np.bincount(position, minlength=distinct.size)
    happened = np.bincount(position, weights=events, minlength=distinct.size)
    at_risk = left[::-1].cumsum()[::-1]
    return RiskTable(distinct, at_risk.astype(float), np.asarray(happened, dtype=float))


def within(codes: NDArray[np.intp], count: int) -> Iterator[BoolArray]:
    """A mask for each label in turn."""
    for code in range(count):
        yield codes == code
