"""Analysis data sets of a cut: analysis populations and derived endpoints. Reads the folder given, nothing else."""

from analysis.datasets.baseline_facts import baseline_fact
from analysis.datasets.by_timepoint import by_timepoint
from analysis.datasets.cut_tables import Cut, local_days, open_cut
from analysis.datasets.endpoints import endpoint_values
from analysis.datasets.participant_level import participant_level
from analysis.datasets.participants import participants, strata_of
from analysis.datasets.received import as_received
from analysis.datasets.trial import Trial, load_trial

__all__ = [
    "Cut",
    "Trial",
    "as_received",
    "baseline_fact",
    "by_timepoint",
    "endpoint_values",
    "load_trial",
    "local_days",
    "open_cut",
    "participant_level",
    "participants",
    "strata_of",
]
