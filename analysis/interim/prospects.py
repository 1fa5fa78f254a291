"""What a look says beyond its decision: conditional power, futility, and intervals that allow for looking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from scipy import stats

from analysis.interim.numbers import estimated, not_estimable
from analysis.statistics import sequential
from studies.protocol.planned_looks import Looks

_CURVE_POINTS = 25


@dataclass(frozen=True)
class LookTaken:
    """A look under its plan: the design at the information that came, the path up to it, and the effect it found.

    path: one entry a look with look, units, fraction, z, bound and crossed, this one last. ended: no look follows.
    """

    looks: Looks
    design: sequential.Design
    path: Sequence[Mapping[str, Any]]
    effect: Mapping[str, Any]
    ended: bool

    @property
    def index(self) -> int:
        """Its place among the looks taken, from 0."""
        return len(self.path) - 1

    @property
    def bound(self) -> float:
        return float(self.path[-1]["bound"])

    @property
    def crossed(self) -> bool:
        return bool(self.path[-1]["crossed"])

    @property
    def stopped(self) -> bool:
        """Whether the rule stopped the trial at this look or before."""
        return any(each["crossed"] for each in self.path)

    @property
    def benefit_sign(self) -> float:
        """The sign of an effect that is a benefit: z is positive towards it."""
        return -1.0 if self.effect["estimate"] * self.effect["z"] < 0 else 1.0


def prospects(look: LookTaken) -> dict[str, Any]:
    """Conditional power with its curve, futility (never binding), the repeated interval, the estimate once stopped."""
    power = _conditional_power(look)
    return {
        "conditional_power": power,
        "conditional_power_curve": _power_curve(look) if power["estimable"] else [],
        "futility": _futility(power, look.looks),
        "repeated_interval": _repeated_interval(look),
        "after_stopping": _after_stopping(look),
    }


def _conditional_power(look: LookTaken) -> dict[str, Any]:
    """Under the planned effect, the trend so far and no effect."""
    if look.stopped:
        return not_estimable("The bound was crossed: the rule stops the trial and no later look is needed.")
    if look.ended:
        return not_estimable("This is the last look.")
    return estimated(lambda: {drift: _power(look, drift) for drift in ("design", "trend", "null")})


def _power(look: LookTaken, drift: float | str) -> float:
    return sequential.conditional_power(look.effect["z"], look.index + 1, design=look.design, drift=drift)


def _power_curve(look: LookTaken) -> list[dict[str, float]]:
    """Conditional power over the true effect, from none to twice what was found, or a little more than planned.

    The drift of an effect is effect / its standard error at full information, which is the present one
    times the root of the information fraction.
    """
    error = look.effect["se"] * sqrt(float(look.design.timing[look.index]))
    furthest = max(2 * abs(look.effect["estimate"]), 1.2 * look.design.drift * error)
    return [
        {"effect": look.benefit_sign * float(effect), "power": _power(look, float(effect / error))}
        for effect in np.linspace(0.0, furthest, _CURVE_POINTS)
    ]


def _futility(power: Mapping[str, Any], looks: Looks) -> dict[str, Any]:
    """Shown, never binding: no bound of the design, so the level is kept whatever is decided on it."""
    rule = looks.futility
    if rule is None:
        return not_estimable("The plan has no futility rule.")
    if not power["estimable"]:
        return not_estimable(power["why"])
    return {
        "estimable": True,
        "binding": False,
        "drift": rule.drift,
        "threshold": rule.conditional_power_below,
        "conditional_power": power[rule.drift],
        "below": bool(power[rule.drift] < rule.conditional_power_below),
    }


def _repeated_interval(look: LookTaken) -> dict[str, Any]:
    """For the effect, valid at this look whether or not the trial goes on (Jennison & Turnbull 2000, chapter 9).

    The bound is turned into a quantile of t, as t was turned into z: the interval excludes 0 when z crosses.
    """

    def compute() -> dict[str, Any]:
        tail, df = stats.norm.sf(look.bound), look.effect["df"]
        quantile = float(stats.norm.isf(tail) if df is None else stats.t.isf(tail, df))
        margin = quantile * look.effect["se"]
        return {"lower": look.effect["estimate"] - margin, "upper": look.effect["estimate"] + margin}

    return estimated(compute)


def _after_stopping(look: LookTaken) -> dict[str, Any]:
    """Median-unbiased estimate and interval by stage-wise ordering, once the trial has stopped.

    The standard error is the one for which z is estimate / standard error, so that all agree with the model's p.
    """
    if not (look.crossed or look.ended):
        return not_estimable("The trial goes on: the estimate is adjusted when it stops.")

    def compute() -> dict[str, Any]:
        z, sign = look.effect["z"], look.benefit_sign
        error = abs(look.effect["estimate"] / z) if z else look.effect["se"]
        path = [each["z"] for each in look.path]
        found = sequential.inference_after_stopping(path, len(path), design=look.design, standard_error=error)
        lower, upper = sorted((sign * found.lower, sign * found.upper))
        return {"estimate": sign * found.estimate, "lower": lower, "upper": upper, "p": found.p}

    return estimated(compute)
