"""Simulating the statistics of a design themselves, without any data: a check of the bounds, and of integration.

At information fractions t the score B(t) = z sqrt(t) gains normal increments of mean drift x dt and variance dt
(Jennison & Turnbull 2000, section 3.1). This says nothing of the model that gives z; `operating_characteristics` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from analysis.statistics.sequential import Design
from analysis.statistics.simulation.characteristics import require_size

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedProperties:
    """As `Properties` of a design, by simulation: with Monte Carlo errors (_se); stop_* per look (K,)."""

    drift: float
    trials: int
    power: float
    power_se: float
    stop_efficacy: FloatArray
    stop_efficacy_se: FloatArray
    stop_futility: FloatArray
    stop_futility_se: FloatArray
    expected_information: float
    expected_information_se: float


def simulated_properties(design: Design, *, drift: float, trials: int, seed: int) -> SimulatedProperties:
    """The properties of a design at a drift (expected z at full information) from trials of normal statistics.

    Futility bounds are obeyed, as `Design.properties` has it. Raises ValueError for trials or seed out of range.
    """
    require_size(trials, seed)
    rng = np.random.default_rng(SeedSequence(seed))
    gains = np.diff(design.timing, prepend=0.0)
    scores = np.cumsum(rng.standard_normal((trials, design.looks)) * np.sqrt(gains) + drift * gains, axis=1)
    z = scores / np.sqrt(design.timing)
    rejects, fails = z >= design.upper, z <= design.lower
    if design.sides == 2:
        rejects, fails = rejects | fails, np.zeros_like(fails)
    # The last look ends every trial; its two bounds meet, so a path is counted once.
    ends = rejects | fails
    ends[:, -1] = True
    first = np.argmax(ends, axis=1)
    rejected = rejects[np.arange(trials), first]
    failed = fails[np.arange(trials), first] & ~rejected
    information = design.inflation_factor * design.timing[first]
    stop_efficacy = np.bincount(first[rejected], minlength=design.looks) / trials
    stop_futility = np.bincount(first[failed], minlength=design.looks) / trials
    power = float(rejected.mean())
    return SimulatedProperties(
        drift=float(drift),
        trials=trials,
        power=power,
        power_se=float(_error(power, trials)),
        stop_efficacy=stop_efficacy,
        stop_efficacy_se=_error(stop_efficacy, trials),
        stop_futility=stop_futility,
        stop_futility_se=_error(stop_futility, trials),
        expected_information=float(information.mean()),
        expected_information_se=float(information.std(ddof=1) / np.sqrt(trials)) if trials > 1 else np.nan,
    )


def _error(share: float | FloatArray, trials: int) -> FloatArray:
    return np.asarray(np.sqrt(np.asarray(share) * (1 - np.asarray(share)) / trials))
