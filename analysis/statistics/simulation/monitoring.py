"""The group-sequential rule of a plan, at whatever information came: bound, and z under which success is unlikely."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import brentq

from analysis.statistics import sequential
from studies.protocol.analysis_plan import Looks

_FAMILIES = {
    "lan_demets_of": sequential.lan_demets_of,
    "lan_demets_pocock": sequential.lan_demets_pocock,
}
# Conditional power beyond these z is 0 or 1 as far as a threshold is concerned.
_FURTHEST = 8.0


@lru_cache(maxsize=16)
def planned(looks: Looks) -> sequential.Design:
    """The design of a plan's looks."""
    return sequential.design(
        looks.fractions(),
        alpha=looks.alpha,
        beta=1 - looks.power,
        sides=looks.sides,
        efficacy=_FAMILIES[looks.spending](),
    )


@lru_cache(maxsize=4096)
def bound(looks: Looks, came: tuple[int, ...], ended: bool) -> float:
    """The efficacy bound (z) at the last of the looks that came, given in information units.

    Error spending at the information that came; a trial that has ended spends what is left.
    """
    return float(_updated(looks, came, ended).efficacy_z[len(came) - 1])


@lru_cache(maxsize=4096)
def unlikely_below(looks: Looks, came: tuple[int, ...]) -> float:
    """The z under which conditional power falls below the plan's threshold, at a look after which the trial goes on.

    nan where the plan has no futility rule.
    """
    rule = looks.futility
    if rule is None:
        return np.nan
    design = _updated(looks, came, False)

    def short_of(z: float) -> float:
        power = sequential.conditional_power(z, len(came), design=design, drift=rule.drift)
        return float(power - rule.conditional_power_below)

    # Above the bound the rule stops the trial, and conditional power is not defined.
    highest = min(_FURTHEST, bound(looks, came, False)) - 1e-9
    if short_of(highest) < 0:
        return highest
    return -_FURTHEST if short_of(-_FURTHEST) > 0 else float(brentq(short_of, -_FURTHEST, highest, xtol=1e-9))


@lru_cache(maxsize=4096)
def _updated(looks: Looks, came: tuple[int, ...], ended: bool) -> sequential.Design:
    return planned(looks).update(came, looks.maximum_information, ended=ended)
