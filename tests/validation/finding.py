"""What one simulation found: an estimate with its Monte Carlo error, held against what it must be.

A module of simulations exposes `SIMULATIONS`, a tuple of functions without arguments at module level (they are
sent to processes by name). Each runs in one process, draws from seeds of its own, and returns its findings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["met", "NOT MET", "reported"]
# DOMAIN 6.5: three standard errors, so that a right program is not failed by chance.
ERRORS_ALLOWED = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report on simulations.

    name is what was simulated (scenario, size, replicates); requirement what is asked of it and by whom;
    estimate and monte_carlo_error are on the scale of target; target is None where the figure is reported only.
    """

    name: str
    requirement: str
    estimate: float
    monte_carlo_error: float
    target: float | None
    verdict: Verdict


Simulation = Callable[[], list[Finding]]


def near(name: str, requirement: str, *, estimate: float, monte_carlo_error: float, target: float) -> Finding:
    """A figure that must be its target within three Monte Carlo errors: a bias, a coverage, an error rate.

    For a rate that must be `target`, monte_carlo_error is sqrt(target (1 - target) / replicates), so that the
    allowance does not depend on what was found (DOMAIN 6.5).
    """
    met = abs(estimate - target) <= ERRORS_ALLOWED * monte_carlo_error
    return Finding(name, requirement, estimate, monte_carlo_error, target, "met" if met else "NOT MET")


def reported(name: str, requirement: str, *, estimate: float, monte_carlo_error: float) -> Finding:
    """A figure without a target, as power."""
    return Finding(name, requirement, estimate, monte_carlo_error, None, "reported")
