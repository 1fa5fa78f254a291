"""Arms allocated and arms received: a kit that was another's brings that participant's arm (DOMAIN 1.1, SAF)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.datasets.trial import Trial


def as_received(trial: Trial, arms: pd.Series[Any]) -> pd.DataFrame:
    """TRT01P (allocated) and TRT01A (received; missing for the never treated), by participant key."""
    people = trial.people
    allocated = arms.reindex(people.index)
    contents = pd.Series(allocated.to_numpy(), index=people["kit_allocated"])
    contents = contents[contents.index.notna()].dropna()
    given = people["kit_given"].map(contents[~contents.index.duplicated()])
    received = allocated.where(given.isna(), given).where(people["SAF"])
    return pd.DataFrame({"TRT01P": allocated, "TRT01A": received}, index=people.index)
