"""Conditional and predictive power: what the rest of the trial can still show."""

from collections.abc import Callable
from math import sqrt

import numpy as np
from scipy.special import ndtr

from analysis.statistics.arguments import floats, is_number
from analysis.statistics.sequential.bounds import crossing
from analysis.statistics.sequential.checks import finite, look_number, positive
from analysis.statistics.sequential.designs import Design, require_design
from analysis.statistics.sequential.integration import start

Drift = float | str
Prior = tuple[float, float] | None

# 40 nodes integrate the smooth curve of conditional power over its posterior to 1e-9.
_POSTERIOR_NODES, _POSTERIOR_WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
_POSTERIOR_WEIGHTS = _POSTERIOR_WEIGHTS / _POSTERIOR_WEIGHTS.sum()


def conditional_power(z: float, look: int, *, design: Design, drift: Drift = "trend") -> float:
    """Probability of crossing the (upper) efficacy bound at any later look, given z at this one.

    look: 1 to K - 1. drift is the expected z at full information: "trend" z / sqrt(t), "null" 0, "design" the
    planned one, or a number. A later futility bound ends a path. Raises ValueError at the last look, after an
    efficacy bound or a binding futility bound was crossed, and for another word for the drift.
    Reference: Jennison & Turnbull (2000), chapter 10.
    """
    number = _open_look(z, look, design)
    return _later_crossing(z, number, design, _drift(drift, z, float(design.timing[number - 1]), design.drift))


def predictive_power(z: float, look: int, *, design: Design, prior: Prior = None) -> float:
    """Conditional power averaged over the posterior of the drift at full information.

    prior: None for a flat one, whose posterior is N(z / sqrt t, 1 / t), or (mean, sd) of a normal prior on
    the drift. Errors as for `conditional_power`. Reference: Spiegelhalter, Freedman & Blackburn (1986),
    Control Clin Trials 7:8.
    """
    number = _open_look(z, look, design)
    mean, sd = _posterior(z, float(design.timing[number - 1]), prior)
    powers = [_later_crossing(z, number, design, mean + sd * node) for node in _POSTERIOR_NODES]
    return float(np.dot(_POSTERIOR_WEIGHTS, powers))


def single_look_conditional_power(z: float, fraction: float, final_critical_value: float, *, drift: Drift) -> float:
    """Probability that the final z exceeds its critical value, given z at one interim look at `fraction` in
    (0, 1).

    drift: expected z at full information; "trend", "null" or a number. Closed form (Lan & Wittes 1988,
    Biometrics 44:579). Raises ValueError for a fraction outside (0, 1) or another word for the drift.
    """
    critical = _single_look(z, fraction, final_critical_value)
    expected = z * sqrt(fraction) + _drift(drift, z, fraction, None) * (1 - fraction)
    return float(ndtr((expected - critical) / sqrt(1 - fraction)))


def single_look_predictive_power(
    z: float, fraction: float, final_critical_value: float, *, prior: Prior = None
) -> float:
    """The same averaged over the posterior of the drift; closed form. prior as for `predictive_power`."""
    critical = _single_look(z, fraction, final_critical_value)
    mean, sd = _posterior(z, fraction, prior)
    remaining = 1 - fraction
    expected = z * sqrt(fraction) + mean * remaining
    return float(ndtr((expected - critical) / sqrt(remaining + (sd * remaining) ** 2)))


def _later_crossing(z: float, look: int, design: Design, drift: float) -> float:
    time = float(design.timing[look - 1])
    begin = start(time, z * sqrt(time))
    up, _ = crossing(design.timing[look:], design.upper[look:], design.lower[look:], drift, begin)
    return float(up.sum())


def _open_look(z: float, look: int, design: Design) -> int:
    require_design(design)
    number = look_number(look, design.looks)
    finite("z", z)
    if number == design.looks:
        msg = f"look {look} is the last of {design.looks}; conditional power needs a later look."
        raise ValueError(msg)
    stopped_low = z <= design.lower[number - 1] and (design.binding or design.sides == 2)
    if z >= design.upper[number - 1] or stopped_low:
        msg = f"z {z} at look {look} has crossed its bound: the rule stopped the trial and no look follows."
        raise ValueError(msg)
    return number


def _drift(drift: Drift, z: float, fraction: float, planned: float | None) -> float:
    words: dict[str, Callable[[], float]] = {"trend": lambda: z / sqrt(fraction), "null": lambda: 0.0}
    if planned is not None:
        words["design"] = lambda: planned
    if not isinstance(drift, str):
        return finite("drift", drift)
    if drift not in words:
        msg = f"drift is {drift!r}; allowed are a number or one of {', '.join(words)}."
        raise ValueError(msg)
    return words[drift]()


def _posterior(z: float, fraction: float, prior: Prior) -> tuple[float, float]:
    """Mean and sd of the drift after z at this information fraction."""
    if prior is None:
        return z / sqrt(fraction), 1 / sqrt(fraction)
    if floats("prior", prior).shape != (2,):
        msg = f"prior is {prior!r}; allowed is None or (mean, sd) of the drift."
        raise ValueError(msg)
    mean, sd = finite("prior mean", prior[0]), positive("prior sd", prior[1])
    precision = 1 / sd**2 + fraction
    return (mean / sd**2 + z * sqrt(fraction)) / precision, 1 / sqrt(precision)


def _single_look(z: float, fraction: float, final_critical_value: float) -> float:
    finite("z", z)
    if not (is_number(fraction) and 0 < fraction < 1):
        msg = f"fraction is {fraction}; allowed is an information fraction above 0 and below 1."
        raise ValueError(msg)
    return finite("final_critical_value", final_critical_value)
