"""How much worse would the missing values have to be: one set of imputations, made worse step by step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.statistics.arguments import at_least, floats, require_generator, require_level
from analysis.statistics.columns import column_names
from analysis.statistics.imputation.comparison import compared, comparison_rows, resampled, squared_errors
from analysis.statistics.imputation.participants import trial_of
from analysis.statistics.imputation.pooling import pool
from analysis.statistics.mmrm.design import Columns
from analysis.statistics.mmrm.patterns import summarise


def tipping(
    frame: pd.DataFrame,
    *,
    deltas: ArrayLike,
    response: str,
    subject: str,
    visit: str,
    arm: str,
    reference: Any,
    imputations: int,
    rng: np.random.Generator,
    covariates: Sequence[str] = (),
    covariates_by_visit: Sequence[str] = (),
    event: str | None = None,
    covariance: str = "us",
    level: float = 0.95,
) -> pd.DataFrame:
    """Multiple imputation at random, then each delta added to what was imputed after the event in the other arms.

    What `multiple` gives for every delta with the same `rng`, from one set of imputations. deltas (D,): finite, in
    units of the response; the other arguments as there. Returns delta and the columns of `multiple`, in the order of
    the deltas. Raises ValueError naming the argument. Reference: Ratitch, O'Kelly & Tosiello (2013), Pharm Stat
    12:337.
    """
    require_level(level)
    shifts = floats("deltas", deltas)
    at_least("imputations", imputations, 2)
    require_generator(rng)
    if shifts.ndim != 1 or shifts.size == 0 or not np.isfinite(shifts).all():
        raise ValueError(f"deltas has shape {shifts.shape}; allowed are finite numbers, one or more.")
    parts = Columns(
        response,
        subject,
        visit,
        arm,
        column_names("covariates", covariates),
        column_names("covariates_by_visit", covariates_by_visit),
    )
    trial = trial_of(frame, parts, reference, "MAR", None, event, by_arm=False)
    fitted = trial.fit(summarise(trial.modelled), covariance)
    moved = np.isnan(trial.y) & trial.after & (trial.arm > 0)[:, None]
    found = np.empty((shifts.size, 2, imputations, (2 * len(trial.design.arms) - 1) * len(trial.design.visits)))
    for number in range(imputations):
        y = trial.completed(trial.parameters(resampled(trial, fitted, rng)), rng)
        for place, delta in enumerate(shifts):
            worse = y + delta * moved
            found[place, 0, number] = compared(trial.u, worse, trial).ravel()
            found[place, 1, number] = squared_errors(trial.u, worse, trial).ravel()
    df = float(len(trial.u) - trial.u.shape[1])
    tables = []
    for delta, (estimates, variances) in zip(shifts, found, strict=True):
        columns = zip(estimates.T, variances.T, strict=True)
        rows = comparison_rows(trial, [pool(e, v, complete_df=df, level=level) for e, v in columns])
        rows.insert(0, "delta", delta)
        tables.append(rows)
    return pd.concat(tables, ignore_index=True)
