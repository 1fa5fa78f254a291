"""What every column of an analysis data set holds, in words."""

from __future__ import annotations

from analysis.datasets.by_timepoint import LABELS as BY_TIMEPOINT
from analysis.datasets.participant_level import LABELS as PARTICIPANT_LEVEL

_STRATUM = "STR_"


def label_of(column: str) -> str:
    """The label of a column. Raises KeyError for one that no data set has."""
    if column.startswith(_STRATUM):
        return f"Stratum at randomisation: {column.removeprefix(_STRATUM).lower().replace('_', ' ')}"
    return {**BY_TIMEPOINT, **PARTICIPANT_LEVEL}[column]
