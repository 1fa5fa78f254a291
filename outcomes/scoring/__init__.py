"""Scoring questionnaires: instruments are files, the rules are one engine, one response or a million.

The rest of the system calls score(instrument_id, items) -> Scores and score_frame(instrument_id, frame).
"""

from outcomes.scoring.answers import AnswersInvalid
from outcomes.scoring.instrument import Instrument, read_instrument
from outcomes.scoring.items import Item
from outcomes.scoring.library import (
    UnknownInstrument,
    alerts_of,
    instrument_keys,
    load_instrument,
    score,
    score_frame,
)
from outcomes.scoring.scorer import Scorer, Scores

__all__ = [
    "AnswersInvalid",
    "Instrument",
    "Item",
    "Scorer",
    "Scores",
    "UnknownInstrument",
    "alerts_of",
    "instrument_keys",
    "load_instrument",
    "read_instrument",
    "score",
    "score_frame",
]
