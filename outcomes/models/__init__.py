"""Records of measurement."""

from outcomes.models.imports import ImportedFile, OriginalFile
from outcomes.models.instruments import InstrumentVersion
from outcomes.models.qst import QSTSession, QSTTrial, QSTValue
from outcomes.models.qst_conduct import ConditioningStimulus, Device, DeviceUse, QSTFlag
from outcomes.models.responses import Response, ResponseItem, Score
from outcomes.models.wording import InstrumentWording, WordingText

__all__ = [
    "ConditioningStimulus",
    "Device",
    "DeviceUse",
    "ImportedFile",
    "InstrumentVersion",
    "InstrumentWording",
    "OriginalFile",
    "QSTFlag",
    "QSTSession",
    "QSTTrial",
    "QSTValue",
    "Response",
    "ResponseItem",
    "Score",
    "WordingText",
]
