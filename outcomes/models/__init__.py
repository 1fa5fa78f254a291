"""Records of measurement."""

from outcomes.models.imports import ImportedFile
from outcomes.models.instruments import InstrumentVersion
from outcomes.models.qst import QSTSession, QSTTrial, QSTValue
from outcomes.models.responses import Response, ResponseItem, Score

__all__ = [
    "ImportedFile",
    "InstrumentVersion",
    "QSTSession",
    "QSTTrial",
    "QSTValue",
    "Response",
    "ResponseItem",
    "Score",
]
