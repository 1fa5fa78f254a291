"""How large an unmeasured common cause of mediator and outcome would have to be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.statistics.arguments import floats
from analysis.statistics.mediation.regressions import participants, regress

# The range that the analysis plan of the reference trial asks for.
_GRID = tuple(np.round(np.arange(-0.6, 0.601, 0.05), 2))


@dataclass(frozen=True)
class Sensitivity:
    """table: DataFrame rho, indirect; rho_at_zero: the correlation of errors at which the indirect effect is 0."""

    table: pd.DataFrame
    rho_at_zero: float


def sensitivity(
    frame: pd.DataFrame,
    *,
    treatment: str,
    mediator: str,
    outcome: str,
    covariates: Sequence[str] = (),
    others: Sequence[str] = (),
    rho: ArrayLike = _GRID,
    reference: Any = None,
) -> Sensitivity:
    """The indirect effect if the errors of the mediator's and the outcome's model were correlated by rho.

    With e1 the residuals of the outcome on treatment and covariates (sd s1), e2 those of the mediator (s2) and r
    their correlation, the effect is a s1 / s2 (r - rho sqrt((1 - r^2) / (1 - rho^2))), which is 0 at rho = r.
    Linear models without interaction; arguments as in `mediate`, rho between -1 and 1. `others`: mediators beside
    this one, as in `parallel`; e1 and e2 are then residuals given these too, a stays that of the mediator on
    treatment and covariates, and the unmeasured cause is one of this mediator and the outcome (Imai & Yamamoto
    2013, Polit Anal 21:141). Raises ValueError naming the argument. Reference: Imai, Keele & Yamamoto (2010), Stat
    Sci 25:51, theorem 4.
    """
    grid = np.atleast_1d(floats("rho", rho))
    if grid.ndim != 1 or not (np.abs(grid) < 1).all():
        raise ValueError(f"rho is {rho!r}; allowed are correlations between -1 and 1.")
    data = participants(
        frame,
        treatment=treatment,
        mediators=[mediator, *others],
        outcome=outcome,
        covariates=covariates,
        reference=reference,
    )
    given = np.column_stack([data.before, data.mediators[:, 1:]])
    names = [*data.names[: data.before.shape[1]], *others]
    first = regress(data.outcome, given, "the outcome without the mediator", names).residuals
    second = regress(data.mediators[:, 0], given, "the mediator", names).residuals
    leg = regress(data.mediators[:, 0], data.before, "the mediator", names)
    ratio = float(np.linalg.norm(first) / np.linalg.norm(second))
    r = float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))
    effect = leg.beta[1] * ratio * (r - grid * np.sqrt((1 - r**2) / (1 - grid**2)))
    return Sensitivity(pd.DataFrame({"rho": grid, "indirect": effect}), r)
