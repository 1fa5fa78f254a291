"""The instruments of this installation: the files in outcomes/instruments, each read and made ready once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

import pandas as pd

from outcomes.scoring.instrument import Instrument, read_instrument
from outcomes.scoring.scorer import Scorer, Scores

DIRECTORY = Path(__file__).resolve().parent.parent / "instruments"


class UnknownInstrument(KeyError):
    """There is no file for a key."""

    def __str__(self) -> str:
        return str(self.args[0])


@lru_cache(maxsize=1)
def instrument_keys() -> tuple[str, ...]:
    """The keys of all instrument files, in alphabetical order."""
    return tuple(sorted(path.stem for path in DIRECTORY.glob("*.yaml")))


def load_instrument(key: str) -> Instrument:
    """The instrument of a key. Raises UnknownInstrument; DocumentInvalid for a file that cannot be used."""
    return _scorer(key).instrument


def score(instrument_id: str, items: Mapping[str, float | None]) -> Scores:
    """Score one response to an instrument.

    items: the code printed on the form per item; None or absent where not answered.
    Returns `.values`, score name to number, truth, text, list of these, or None where it cannot be known, and
    `.alerts`, codes of what calls for a person. Raises UnknownInstrument; ValueError naming item, value and
    what is allowed: nothing is clipped.
    """
    return _scorer(instrument_id).score(items)


def score_frame(instrument_id: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Score many responses at once: a row per response, a column per item; see `Scorer.score_frame`."""
    return _scorer(instrument_id).score_frame(frame)


@cache
def _scorer(key: str) -> Scorer:
    if key not in instrument_keys():
        raise UnknownInstrument(f"There is no instrument {key!r}; there is {', '.join(instrument_keys())}.")
    path = DIRECTORY / f"{key}.yaml"
    instrument = read_instrument(path.read_text(encoding="utf-8"), source=path.name)
    if instrument.key != key:
        raise ValueError(f"{path.name} holds the instrument {instrument.key!r}: name the file after it.")
    return Scorer(instrument)
