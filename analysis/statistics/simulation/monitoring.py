"""The group-sequential rule of a plan, at whatever information came: bound, and z under which success is unlikely."""

from __future__ import annotations

from functools import lru_cache

from scipy.optimize import brentq

from analysis.statistics import sequential
from analysis.statistics.planned_design import planned_design
from studies.protocol.analysis_plan import Looks

# Conditional power beyond these z is 0 or 1 as far as a threshold is concerned.
_FURTHEST = 8.0


@lru_cache(maxsize=4096)
def bound(looks: Looks, came: tuple[int, ...], ended: bool) -> float:
    """The efficacy bound (z) at the last of the looks that came, given in information units.

    Error spending at the information that came; a trial that has ended spends what is left.
    """
    return float(_updated(looks, came, ended).efficacy_z[len(came) - 1])


def unlikely(looks: Looks, came: tuple[int, ...], z: float) -> bool:
    """Whether conditional power is below the plan's threshold, at a look that does not end the trial.

    False where the rule stops the trial, or the plan has no futility rule.
    """
    if looks.futility is None or (abs(z) if looks.sides == 2 else z) >= bound(looks, came, False):
        return False
    return z < unlikely_below(looks, came)


@lru_cache(maxsize=4096)
def unlikely_below(looks: Looks, came: tuple[int, ...]) -> float:
    """The z under which conditional power, which rises with z, is below the plan's threshold."""
    # Beyond a bound the rule stops the trial, and conditional power is not defined.
    highest = min(_FURTHEST, bound(looks, came, False)) - 1e-9
    lowest = -highest if looks.sides == 2 else -_FURTHEST
    if _short_of(looks, came, highest) < 0:
        return highest
    if _short_of(looks, came, lowest) > 0:
        return lowest
    return float(brentq(lambda z: _short_of(looks, came, z), lowest, highest, xtol=1e-9))


def _short_of(looks: Looks, came: tuple[int, ...], z: float) -> float:
    """Conditional power less the plan's threshold; -1 without a rule."""
    rule = looks.futility
    if rule is None:
        return -1.0
    design = _updated(looks, came, False)
    return float(sequential.conditional_power(z, len(came), design=design, drift=rule.drift)) - (
        rule.conditional_power_below
    )


@lru_cache(maxsize=4096)
def _updated(looks: Looks, came: tuple[int, ...], ended: bool) -> sequential.Design:
    return planned_design(looks).update(came, looks.maximum_information, ended=ended)
