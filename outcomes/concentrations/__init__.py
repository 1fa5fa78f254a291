"""Drug levels of a laboratory, taken and kept at the closed side: a quantifiable value tells the arm.

Works only for the role `unblinded`; see docs/adr/0015.
"""

from outcomes.concentrations.columns import Columns
from outcomes.concentrations.reading import LaboratoryFile, StoredSample, laboratory_files, read_file, read_samples
from outcomes.concentrations.rows import ANALYTES, UNIT, Sample
from outcomes.concentrations.taking import Query, Taken, take_file

__all__ = [
    "ANALYTES",
    "UNIT",
    "Columns",
    "LaboratoryFile",
    "Query",
    "Sample",
    "StoredSample",
    "Taken",
    "laboratory_files",
    "read_file",
    "read_samples",
    "take_file",
]
