"""Records of measurement."""

from outcomes.models.imports import ImportedFile
from outcomes.models.instruments import InstrumentVersion
from outcomes.models.qst import QSTSession, QSTTrial, QSTValue
from outcomes.models.responses import Response, ResponseItem, Score
from outcomes.models.wording import InstrumentWording, WordingText

__all__ = [
    "ImportedFile",
    "InstrumentVersion",
    "InstrumentWording",
    "QSTSession",
    "QSTTrial",
    "QSTValue",
    "Response",
    "ResponseItem",
    "Score",
    "WordingText",
]
