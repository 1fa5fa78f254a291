"""Kaplan-Meier curves, their medians, and the restricted mean."""

from collections.abc import Callable, Sequence
from math import inf, nan, sqrt
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.arguments import floats, is_number, quantile
from analysis.statistics.estimate import Estimate
from analysis.statistics.survival.observations import RiskTable, labels, risk_table, times_and_events, within

FloatArray = NDArray[np.float64]
IntervalKind = Literal["loglog", "log", "plain"]


class KaplanMeier(pd.DataFrame):
    """Columns group, time, at_risk, survival, se, lower, upper; `median` is an Estimate for each group."""

    _metadata = ["medians"]
    medians: dict[object, Estimate]

    @property
    def median(self) -> dict[object, Estimate]:  # type: ignore[override]
        """Median time by group: its interval inverts the curve's; infinite where the curve stays above one half.

        A curve at 0 has no limits: where the upper one was above one half until then, that of the median is infinite,
        and where the lower one was, that of the median is nan.
        """
        return self.medians


def kaplan_meier(
    time: ArrayLike,
    event: ArrayLike,
    *,
    group: ArrayLike | None = None,
    at: Sequence[float] = (),
    interval: IntervalKind = "loglog",
    level: float = 0.95,
) -> KaplanMeier:
    """Probability of no event so far, by group.

    time (n,) from 0, event (n,) 1 or 0 censored, group (n,) labels. at: the times wanted, by default 0 and
    every time with an event. at_risk counts persons just before; se is Greenwood's. interval: on the
    log(-log), the log or the plain scale, cut to [0, 1]; nan where it has none: a curve that has come down to 0,
    and on the log(-log) scale one still at 1 once somebody has been seen. After the last time seen nothing is known
    of a curve above 0: nan. Raises ValueError naming the argument. Reference: Kaplan & Meier (1958), JASA
    53:457; Brookmeyer & Crowley (1982), Biometrics 38:29 (median).
    """
    times, events = times_and_events(time, event)
    codes, names = labels("group", group, times.size)
    z = quantile(level)
    if interval not in get_args(IntervalKind):
        msg = f"interval is {interval!r}; allowed are {', '.join(_LIMITS)}."
        raise ValueError(msg)
    asked = floats("at", at)
    if asked.ndim != 1 or not np.all(asked >= 0):
        msg = f"at is {at!r}; allowed are times from 0."
        raise ValueError(msg)
    curves = [_curve(times[mask], events[mask], interval, z) for mask in within(codes, len(names))]
    rows = [_rows(name, curve, asked) for name, curve in zip(names, curves, strict=True)]
    found = KaplanMeier(pd.concat(rows, ignore_index=True))
    found.medians = {name: _median(curve) for name, curve in zip(names, curves, strict=True)}
    return found


def restricted_mean(time: ArrayLike, event: ArrayLike, *, tau: float, level: float = 0.95) -> Estimate:
    """Mean time without the event up to tau: the area under the Kaplan-Meier curve, with its standard error.

    time (n,), event (n,) as above; tau > 0 in the unit of time. Raises ValueError if tau lies beyond the
    last time seen while the curve is above 0. Reference: Royston & Parmar (2013), BMC Med Res Methodol
    13:152.
    """
    times, events = times_and_events(time, event)
    if not (is_number(tau) and tau > 0):
        msg = f"tau is {tau!r}; allowed is a time above 0."
        raise ValueError(msg)
    table = risk_table(times, events)
    survival = _survival(table)
    if tau > table.time[-1] and survival[-1] > 0:
        msg = f"tau is {tau}, the last time seen is {table.time[-1]}; choose tau up to it."
        raise ValueError(msg)
    edges = np.append(np.minimum(table.time, tau), tau)
    areas = survival * np.diff(edges)
    beyond = areas[::-1].cumsum()[::-1]
    area = float(edges[0] + beyond[0])
    se = sqrt(float((beyond**2 * _hazard_variance(table))[table.time <= tau].sum()))
    margin = quantile(level) * se
    return Estimate(area, se, area - margin, area + margin)


def _curve(times: FloatArray, events: NDArray[np.bool_], interval: IntervalKind, z: float) -> pd.DataFrame:
    """The curve at every distinct time; survival holds from that time on."""
    table = risk_table(times, events)
    survival = _survival(table)
    with np.errstate(invalid="ignore"):
        relative = np.sqrt(np.cumsum(_hazard_variance(table)))
        lower, upper = _LIMITS[interval](survival, relative, z)
    ended = survival == 0
    return pd.DataFrame(
        {
            "time": table.time,
            "at_risk": table.at_risk.astype(int),
            "events": table.events.astype(int),
            "survival": survival,
            "se": np.where(ended, nan, survival * np.where(ended, 0.0, relative)),
            "lower": np.where(ended, nan, lower),
            "upper": np.where(ended, nan, upper),
        }
    )


def _survival(table: RiskTable) -> FloatArray:
    return np.asarray(np.cumprod(1 - table.events / table.at_risk), dtype=float)


def _hazard_variance(table: RiskTable) -> FloatArray:
    """Greenwood's terms d / (n (n - d)); 0 where the curve ends at 0, beyond which there is no area."""
    remaining = table.at_risk - table.events
    return np.where(remaining > 0, table.events / (table.at_risk * np.maximum(remaining, 1)), 0.0)


def _loglog(survival: FloatArray, relative: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    with np.errstate(divide="ignore"):
        log_survival = np.log(survival)
        spread = np.exp(z * relative / np.abs(log_survival))
    return np.exp(log_survival * spread), np.exp(log_survival / spread)


def _log(survival: FloatArray, relative: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    return survival * np.exp(-z * relative), np.minimum(survival * np.exp(z * relative), 1.0)


def _plain(survival: FloatArray, relative: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    margin = z * survival * relative
    return np.maximum(survival - margin, 0.0), np.minimum(survival + margin, 1.0)


_LIMITS: dict[str, Callable[[FloatArray, FloatArray, float], tuple[FloatArray, FloatArray]]] = {
    "loglog": _loglog,
    "log": _log,
    "plain": _plain,
}


def _rows(name: object, curve: pd.DataFrame, asked: FloatArray) -> pd.DataFrame:
    """The curve at the times asked for, or at 0 and the times of events."""
    seen = curve["time"].to_numpy()
    wanted = asked if asked.size else np.append(0.0, seen[(curve["events"] > 0) & (seen > 0)])
    before = np.searchsorted(seen, wanted, side="right") - 1
    columns = ["survival", "se", "lower", "upper"]
    start = pd.DataFrame([[1.0, 0.0, 1.0, 1.0]], columns=columns, index=[-1])
    rows = pd.concat([start, curve[columns]]).loc[before].reset_index(drop=True)
    unknown = (wanted > seen[-1]) & (curve["survival"].iloc[-1] > 0)
    rows.loc[unknown] = nan
    at_risk = np.append(curve["at_risk"].to_numpy(), 0)[np.searchsorted(seen, wanted, side="left")]
    rows.insert(0, "at_risk", at_risk)
    rows.insert(0, "time", wanted)
    rows.insert(0, "group", pd.Series([name] * len(rows)))
    return rows


def _median(curve: pd.DataFrame) -> Estimate:
    time = curve["time"].to_numpy()
    half = [_first_half(time, curve[column].to_numpy()) for column in ("survival", "lower", "upper")]
    lower = nan if half[1] > half[0] else half[1]
    return Estimate(half[0], nan, lower, half[2])


def _first_half(time: FloatArray, values: FloatArray) -> float:
    """First time a curve is at or under one half; the middle of its stay where it is exactly one half."""
    under = np.flatnonzero(values <= 0.5 + 1e-9)
    if under.size == 0:
        return inf
    first = int(under[0])
    lower = np.flatnonzero(values < 0.5 - 1e-9)
    if abs(values[first] - 0.5) <= 1e-9 and lower.size:
        return float((time[first] + time[lower[0]]) / 2)
    return float(time[first])
