"""Time in response, by dimension, and its difference within and between participants."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from analysis.statistics.arguments import at_least, is_number, require_generator, require_level
from analysis.statistics.columns import levels, numbers, require_columns
from analysis.statistics.estimate import Estimate

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class PairedDifference:
    """Days in response on the first dimension minus the second: mean by arm (t intervals), and the arms' difference."""

    by_arm: dict[Any, Estimate]
    difference: Estimate


def time_in_response(frame: pd.DataFrame, *, threshold: float = 0.5, end_day: float = 84) -> pd.DataFrame:
    """Days in response: the sum over visits in response of the days until the next visit, the last until end_day.

    frame: subject, arm, dimension, day, improvement; the grid is all days of the frame up to end_day, in whatever
    dimension, so leave out days at which not all dimensions are measured. In response: improvement >= threshold,
    within 1e-9; a missing visit is none. Returns subject, arm, dimension, days, a row for every subject and
    dimension. Raises ValueError naming what is wrong.
    """
    require_columns(frame, ["subject", "arm", "dimension", "day", "improvement"])
    for name, value in (("threshold", threshold), ("end_day", end_day)):
        if not is_number(value):
            raise ValueError(f"{name} is {value!r}; allowed is a finite number.")
    keys = frame[["subject", "arm", "dimension", "day"]]
    if keys.isna().any(axis=None) or frame.duplicated(["subject", "dimension", "day"]).any():
        raise ValueError("subject, arm, dimension and day must be given, and one row per subject, dimension and day.")
    improvement = numbers(frame["improvement"], "improvement")
    if frame.groupby("subject", observed=True)["arm"].nunique().max() > 1:
        raise ValueError("arm changes within a subject; each subject has one arm.")
    responded = frame.assign(responded=improvement >= threshold - 1e-9)[numbers(frame["day"], "day") <= end_day]
    if responded.empty:
        raise ValueError(f"end_day is {end_day}, before every day of frame; give the day at which follow-up ends.")
    arm = frame.groupby("subject", observed=True)["arm"].first()
    grid = levels(responded["day"])
    lengths = np.diff(np.append(np.array(grid, dtype=float), end_day))
    parts = []
    for dimension in levels(responded["dimension"]):
        rows = responded[responded["dimension"] == dimension]
        wide = rows.pivot(index="subject", columns="day", values="responded").reindex(index=arm.index, columns=grid)
        days = wide.eq(True).to_numpy(dtype=float) @ lengths
        parts.append(pd.DataFrame({"subject": arm.index, "arm": arm.array, "dimension": dimension, "days": days}))
    return pd.concat(parts, ignore_index=True)


def paired_difference(
    times: pd.DataFrame,
    *,
    first: Any = "S",
    second: Any = "Q",
    reference: Any = "MDZ",
    rng: np.random.Generator | None = None,
    draws: int = 2000,
    level: float = 0.95,
) -> PairedDifference:
    """Within-participant difference of days in response between two dimensions, by arm and between arms.

    times: as `time_in_response` gives them, two arms. The arms' difference (other minus reference) has Welch's t
    interval; with rng the percentile interval of `draws` resamples of participants within arms. Where everybody has
    the same difference, as when all or none respond throughout, se is 0 and there is no p. Raises ValueError naming
    what is wrong. Reference: Welch (1947), Biometrika 34:28.
    """
    require_level(level)
    require_columns(times, ["subject", "arm", "dimension", "days"])
    if times[["subject", "arm", "dimension"]].isna().any(axis=None) or times.duplicated(["subject", "dimension"]).any():
        raise ValueError("subject, arm and dimension must be given, and one row per subject and dimension is allowed.")
    if np.isnan(numbers(times["days"], "days")).any():
        raise ValueError(
            "days is missing in some rows; a participant without visits has 0, as `time_in_response` says."
        )
    known = times.assign(days=numbers(times["days"], "days"))
    wide = known.pivot(index=["subject", "arm"], columns="dimension", values="days").reset_index()
    if rng is not None:
        require_generator(rng)
        at_least("draws", draws, 100)
    held = levels(times["dimension"])
    if first not in held or second not in held:
        raise ValueError(f"first is {first!r} and second {second!r}; the dimensions of times are {held}.")
    if wide[[first, second]].isna().any(axis=None):
        alone = wide.loc[wide[[first, second]].isna().any(axis=1), "subject"].iloc[0]
        raise ValueError(
            f"subject {str(alone)!r} has no days on {first!r} or {second!r}, or more than one arm; both dimensions and "
            "one arm are needed of each, as `time_in_response` gives them."
        )
    arms = levels(wide["arm"])
    if len(arms) != 2 or reference not in arms:
        raise ValueError(f"arm holds {arms}; two arms are compared, one of them the reference {reference!r}.")
    values = {
        arm: (rows[first] - rows[second]).to_numpy(dtype=float) for arm, rows in wide.groupby("arm", observed=True)
    }
    if min(map(len, values.values())) < 2:
        raise ValueError("Each arm needs two participants or more.")
    active = next(arm for arm in arms if arm != reference)
    by_arm = {arm: _mean(values[arm], level) for arm in (active, reference)}
    difference = _welch(by_arm[active], by_arm[reference], level)
    if rng is not None:
        difference = _bootstrapped(difference.estimate, values[active], values[reference], draws, rng, level)
    return PairedDifference(by_arm, difference)


def _estimate(value: float, se: float, df: float, level: float) -> Estimate:
    width = float(student.ppf((1 + level) / 2, df)) * se
    if se == 0:
        return Estimate(value, se, value, value, df)
    return Estimate(value, se, value - width, value + width, df, value / se, float(2 * student.sf(abs(value) / se, df)))


def _mean(sample: FloatArray, level: float) -> Estimate:
    return _estimate(float(sample.mean()), float(sample.std(ddof=1)) / sqrt(sample.size), sample.size - 1, level)


def _welch(one: Estimate, other: Estimate, level: float) -> Estimate:
    parts = [(each.se**2, each.df or 1.0) for each in (one, other)]
    total = sum(variance for variance, _ in parts)
    below = sum(variance**2 / df for variance, df in parts)
    df = total**2 / below if below else sum(df for _, df in parts)
    return _estimate(one.estimate - other.estimate, sqrt(total), df, level)


def _bootstrapped(
    value: float, active: FloatArray, reference: FloatArray, draws: int, rng: np.random.Generator, level: float
) -> Estimate:
    means = [rng.choice(sample, (draws, sample.size)).mean(axis=1) for sample in (active, reference)]
    drawn = means[0] - means[1]
    lower, upper = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(drawn.std(ddof=1)), float(lower), float(upper))
