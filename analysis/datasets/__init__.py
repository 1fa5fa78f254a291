"""Analysis data sets of a cut: analysis populations and derived endpoints. Reads the folder given, nothing else."""

from analysis.datasets.cut_tables import Cut, local_days, open_cut
from analysis.datasets.endpoints import endpoint_values
from analysis.datasets.participants import participants, strata_of
from analysis.datasets.trial import Trial, load_trial

__all__ = [
    "Cut",
    "Trial",
    "endpoint_values",
    "load_trial",
    "local_days",
    "open_cut",
    "participants",
    "strata_of",
]
