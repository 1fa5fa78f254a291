"""MMRM with an unstructured covariance on 2,000 subjects and 10 visits, with contrasts (R's mmrm: 2.3 s and 28 s)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.statistics import mmrm, sequential
from benchmarks.measuring import Line, alone

SUBJECTS, VISITS = 2000, 10


def measure() -> Iterator[Line]:
    """Fit and contrasts by both approximations of the degrees of freedom; and the design of a trial."""
    frame = _trial()
    for df in ("satterthwaite", "kenward_roger"):

        def fit(df: str = df) -> object:
            return mmrm.fit(
                frame,
                response="value",
                subject="subject",
                visit="visit",
                arm="arm",
                reference="control",
                covariates=("baseline",),
                df=df,
            ).contrasts()

        yield Line(f"MMRM of {SUBJECTS:,} subjects, {VISITS} visits: {df}", alone(fit, rounds=5))
    timing = (0.2, 0.4, 0.6, 0.8, 1.0)
    yield Line("design of 5 looks", alone(lambda: sequential.design(timing), rounds=30), seconds_limit=0.012)


def _trial() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    lag = np.abs(np.subtract.outer(np.arange(VISITS), np.arange(VISITS)))
    values = rng.multivariate_normal(np.zeros(VISITS), 0.7**lag, size=SUBJECTS)
    baseline, active = rng.normal(size=SUBJECTS), np.arange(SUBJECTS) % 2
    values += baseline[:, None] * 0.5 - active[:, None] * 0.3
    last = rng.integers(3, VISITS + 20, size=SUBJECTS)
    subject, visit = np.meshgrid(np.arange(SUBJECTS), np.arange(VISITS), indexing="ij")
    frame = pd.DataFrame(
        {
            "subject": subject.ravel(),
            "visit": [f"v{v:02d}" for v in visit.ravel()],
            "value": values.ravel(),
            "arm": np.where(active, "active", "control")[subject.ravel()],
            "baseline": baseline[subject.ravel()],
        }
    )
    return frame[visit.ravel() < last[subject.ravel()]]
