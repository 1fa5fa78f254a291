"""Log-rank tests and their weighted relatives."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from analysis.statistics.arguments import is_number
from analysis.statistics.survival.observations import labels, risk_table, times_and_events, within

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LogRank:
    """chi_square on df with its p; observed and expected (weighted) events (G,) in the order of `groups`."""

    chi_square: float
    df: int
    p: float
    observed: FloatArray
    expected: FloatArray
    groups: tuple[object, ...]


def logrank(
    time: ArrayLike, event: ArrayLike, group: ArrayLike, *, strata: ArrayLike | None = None, rho: float = 0
) -> LogRank:
    """Test of equal hazards in two groups or more (Mantel 1966; Harrington & Fleming 1982, Biometrika
    69:553).

    time (n,) from 0, event (n,) 1 or 0 censored, group (n,) labels; strata (n,) compares within. rho
    weights an event by S(t-)^rho of all groups together (in its stratum): 0 log-rank, 1 Peto and Peto's
    Wilcoxon test. Raises ValueError naming the argument, also when there are fewer than two groups or no
    event.
    """
    times, events = times_and_events(time, event)
    codes, names = labels("group", group, times.size)
    blocks, block_names = labels("strata", strata, times.size)
    if len(names) < 2:
        msg = f"group holds {len(names)} label; allowed are two or more."
        raise ValueError(msg)
    if not events.any():
        raise ValueError("event holds no event; there is nothing to compare yet.")
    if not (is_number(rho) and rho >= 0):
        msg = f"rho is {rho!r}; allowed is a number from 0."
        raise ValueError(msg)
    observed, expected = np.zeros(len(names)), np.zeros(len(names))
    variance = np.zeros((len(names), len(names)))
    for mask in within(blocks, len(block_names)):
        parts = _moments(times[mask], events[mask], codes[mask], len(names), rho)
        observed, expected, variance = observed + parts[0], expected + parts[1], variance + parts[2]
    difference = observed - expected
    df = int(np.linalg.matrix_rank(variance))
    if df == 0:
        raise ValueError(
            "group and strata leave nobody to compare: in no stratum were two groups at risk at the time of an event. "
            "Join strata, or leave strata out."
        )
    # A generalised inverse: the differences add up to 0, and a group never at risk adds nothing.
    statistic = float(difference @ np.linalg.pinv(variance) @ difference)
    return LogRank(statistic, df, float(chi2.sf(statistic, df)), observed, expected, tuple(names))


def _moments(
    times: FloatArray, events: NDArray[np.bool_], codes: NDArray[np.intp], groups: int, rho: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weighted observed and expected events (G,), and their hypergeometric covariance (G, G), in one
    stratum.
    """
    table = risk_table(times, events)
    position = np.searchsorted(table.time, times)
    arrivals = np.zeros((table.time.size, groups))
    happened = np.zeros((table.time.size, groups))
    np.add.at(arrivals, (position, codes), 1.0)
    np.add.at(happened, (position[events], codes[events]), 1.0)
    at_risk = arrivals[::-1].cumsum(axis=0)[::-1]
    before = np.append(1.0, np.cumprod(1 - table.events / table.at_risk)[:-1])
    weight = before**rho
    share = at_risk / table.at_risk[:, None]
    spread = weight**2 * table.events * (table.at_risk - table.events) / np.maximum(table.at_risk - 1, 1)
    covariance = np.diag(spread @ share) - (share * spread[:, None]).T @ share
    return weight @ happened, (weight * table.events) @ share, covariance
