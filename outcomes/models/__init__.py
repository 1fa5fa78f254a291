"""Records of measurement."""

from outcomes.models.contact import ContactPreference, Reminder, SiteContact
from outcomes.models.imports import ImportedFile, OriginalFile
from outcomes.models.instruments import InstrumentVersion
from outcomes.models.interchange import (
    AnswersMapping,
    AnswersReport,
    ImportedCell,
    ImportedDefinitions,
    ImportReport,
    PendingFile,
    PendingImport,
)
from outcomes.models.participant_door import DoorFailure, DoorKey
from outcomes.models.qst import QSTSession, QSTTrial, QSTValue
from outcomes.models.qst_conduct import ConditioningStimulus, Device, DeviceUse, QSTFlag
from outcomes.models.responses import Response, ResponseItem, Score
from outcomes.models.self_completion import Clarification, Invitation, OwnAnswer
from outcomes.models.wording import InstrumentWording, WordingText

__all__ = [
    "AnswersMapping",
    "AnswersReport",
    "Clarification",
    "ConditioningStimulus",
    "ContactPreference",
    "Device",
    "DeviceUse",
    "DoorFailure",
    "DoorKey",
    "ImportReport",
    "ImportedCell",
    "ImportedDefinitions",
    "ImportedFile",
    "InstrumentVersion",
    "InstrumentWording",
    "Invitation",
    "OriginalFile",
    "OwnAnswer",
    "PendingFile",
    "PendingImport",
    "QSTFlag",
    "QSTSession",
    "QSTTrial",
    "QSTValue",
    "Reminder",
    "Response",
    "ResponseItem",
    "Score",
    "SiteContact",
    "WordingText",
]
