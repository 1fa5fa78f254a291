"""Exports of QST devices: a mapping says what the columns are; a file is taken whole or not at all, and once.

| module | does |
|---|---|
| mapping | the schema of mapping files |
| reading | a file as rows of text, in whatever encoding and behind whatever preamble |
| checking | rows to readings, or every cell that is refused and why; knows no database |
| planning | readings against what is stored: new, changed, equal |
| taking | the one transaction that stores it, with the file as it came |
"""

from outcomes.qst_import.mapping import DeviceMapping, LoadedDeviceMapping, load_device_mapping
from outcomes.qst_import.planning import Difference, Plan, plan_export
from outcomes.qst_import.taking import Taken, take_export

__all__ = [
    "DeviceMapping",
    "Difference",
    "LoadedDeviceMapping",
    "Plan",
    "Taken",
    "load_device_mapping",
    "plan_export",
    "take_export",
]
