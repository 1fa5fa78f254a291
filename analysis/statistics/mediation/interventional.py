"""Interventional effects through two mediators that may influence each other, in whatever order.

Natural effects through each of two mediators cannot be told apart when one may cause the other; effects of
interventions on their distributions can (Vansteelandt & Daniel 2017, Epidemiology 28:258).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.arguments import require_level
from analysis.statistics.estimate import Estimate
from analysis.statistics.mediation.intervals import Interval, from_draws
from analysis.statistics.mediation.regressions import Participants, participants, regress, require_draws

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class InterventionalEffects:
    """In units of the outcome, intervals of the bootstrap. indirect: through the distribution of each mediator, by its
    name; dependence: through how the mediators depend on each other; direct: not through the mediators; total: all
    together; contrast: first indirect minus second.
    """

    indirect: dict[str, Estimate]
    dependence: Estimate
    direct: Estimate
    total: Estimate
    contrast: Estimate
    observations: int
    rows_left_out: int


def interventional(
    frame: pd.DataFrame,
    *,
    treatment: str,
    mediators: tuple[str, str],
    outcome: str,
    covariates: Sequence[str] = (),
    interactions: bool = True,
    rng: np.random.Generator,
    draws: int = 5000,
    interval: Interval = "bca",
    reference: Any = None,
    level: float = 0.95,
) -> InterventionalEffects:
    """Interventional direct and indirect effects with linear models, averaged over the covariates observed.

    M_k = i_k + a_k T + g_k C + e_k, and Y = i + c T + b_1 M_1 + b_2 M_2 + t_1 T M_1 + t_2 T M_2 + b_12 M_1 M_2 + h C,
    without t and b_12 where `interactions` is False. With m_k(x) the mean of M_k under treatment x and s(x) the
    covariance of the mediators' errors in arm x:

        direct      c + t_1 E m_1(0) + t_2 E m_2(0)
        through M_1 a_1 (b_1 + t_1) + b_12 a_1 E m_2(0)
        through M_2 a_2 (b_2 + t_2) + b_12 a_2 E m_1(1)
        dependence  b_12 (s(1) - s(0))

    which add up to the total: the definitions of Vansteelandt & Daniel (2017) for two mediators, worked out for these
    models. Without interactions the effects through the mediators are the products a_k b_k. Participants are
    resampled; bca or percentile `interval`. Arguments and missing values as in `parallel`. Raises ValueError naming
    the argument.
    """
    require_level(level)
    if len(mediators) != 2:
        raise ValueError(f"mediators is {mediators!r}; name two columns.")
    require_draws("interventional effects", draws, rng, interval)
    data = participants(
        frame, treatment=treatment, mediators=mediators, outcome=outcome, covariates=covariates, reference=reference
    )
    # Checked once, with the reasons in words; resamples are then solved without.
    regress(data.outcome, _outcome_design(data, interactions=interactions), "the outcome", data.names)
    for place, name in enumerate(mediators):
        regress(data.mediators[:, place], data.before, name, data.names)
    count = len(data.outcome)
    value = _effects(data, np.arange(count), interactions=interactions)
    drawn = np.stack([_effects(data, rng.integers(0, count, count), interactions=interactions) for _ in range(draws)])
    left = None
    if interval == "bca":
        others = (np.delete(np.arange(count), place) for place in range(count))
        left = np.stack([_effects(data, rows, interactions=interactions) for rows in others])
    found = [
        from_draws(float(value[k]), drawn[:, k], level, None if left is None else left[:, k]) for k in range(len(value))
    ]
    return InterventionalEffects(
        indirect=dict(zip(mediators, found[:2], strict=True)),
        dependence=found[2],
        direct=found[3],
        total=found[4],
        contrast=found[5],
        observations=count,
        rows_left_out=data.left_out,
    )


def _outcome_design(data: Participants, *, interactions: bool) -> FloatArray:
    """1, treatment, covariates, mediators, and their products with treatment and each other."""
    m = data.mediators
    extra = [data.treatment[:, None] * m, m[:, :1] * m[:, 1:]] if interactions else []
    return np.column_stack([data.before, m, *extra])


def _effects(data: Participants, rows: NDArray[np.intp], *, interactions: bool) -> FloatArray:
    """Through the first, through the second, dependence, direct, total, contrast (6,), in some participants."""
    mine = data.take(rows)
    treated = mine.treatment == 1
    if treated.all() or not treated.any():
        raise ValueError("A resample lost a whole arm; there are too few participants in one.")
    legs = np.linalg.lstsq(mine.before, mine.mediators, rcond=None)[0]
    design = _outcome_design(mine, interactions=interactions)
    beta = np.linalg.lstsq(design, mine.outcome, rcond=None)[0]
    place = mine.before.shape[1]
    b = beta[place : place + 2]
    t, both = (beta[place + 2 : place + 4], float(beta[place + 4])) if interactions else (0.0 * b, 0.0)
    point = mine.before.mean(axis=0)
    point[1] = 0.0
    a, control = legs[1], point @ legs
    errors = mine.mediators - mine.before @ legs
    apart = [float((errors[arm, 0] * errors[arm, 1]).mean()) for arm in (treated, ~treated)]
    first = a[0] * (b[0] + t[0]) + both * a[0] * control[1]
    second = a[1] * (b[1] + t[1]) + both * a[1] * (control[0] + a[0])
    dependence = both * (apart[0] - apart[1])
    direct = beta[1] + t @ control
    return np.array([first, second, dependence, direct, first + second + dependence + direct, first - second])
