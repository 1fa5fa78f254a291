"""The instruments of this installation: files, each read and made ready once.

Those of this package stand in outcomes/instruments, superseded versions in its folder `earlier`; a site's own are added
by `use_folder`. A response is always read by the version it was answered under: item numbers move between versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from outcomes.scoring.instrument import Instrument, read_instrument
from outcomes.scoring.scorer import Earlier, Scorer, Scores

if TYPE_CHECKING:
    import pandas as pd

DIRECTORY = Path(__file__).resolve().parent.parent / "instruments"
EARLIER = "earlier"
# Where instruments are looked for; the first folder that has a key wins.
_folders: list[Path] = [DIRECTORY]


class UnknownInstrument(KeyError):
    """There is no file for a key, or none of the version asked for."""

    def __str__(self) -> str:
        return str(self.args[0])


def use_folder(folder: Path) -> None:
    """Look for instruments in a further folder too, after those of this package. Called once, as a program starts."""
    if folder not in _folders:
        _folders.append(folder)
        forget_files()


def forget_files() -> None:
    """Read every file anew at its next use: their folders have changed."""
    for kept in (_paths, _in_use, _earlier):
        kept.cache_clear()


def instrument_keys() -> tuple[str, ...]:
    """The keys of all instrument files, in alphabetical order."""
    return tuple(sorted(_paths()))


@cache
def _paths() -> dict[str, Path]:
    return {path.stem: path for folder in reversed(_folders) for path in folder.glob("*.yaml")}


def load_instrument(key: str, version: str | None = None) -> Instrument:
    """The instrument of a key, in the version in use or in an earlier one.

    Raises UnknownInstrument; DocumentInvalid for a file that cannot be used.
    """
    return _scorer(key, version).instrument


def score(instrument_id: str, items: Mapping[str, float | None], version: str | None = None) -> Scores:
    """Score one response to an instrument.

    items: the code printed on the form per item; None or absent where not answered; version: the one it was answered
    under, by default the one in use. Returns `.values`, score name to number, truth, text, list of these, or None
    where it cannot be known, and `.alerts`, codes of what calls for a person. Raises UnknownInstrument; ValueError
    naming item, value and what is allowed: nothing is clipped.
    """
    return _scorer(instrument_id, version).score(items)


def alerts_of(
    instrument_id: str, items: Mapping[str, float | None], earlier: Earlier, version: str | None = None
) -> list[str]:
    """The codes of the alerts of one response beside earlier forms; see `Scorer.alarms`."""
    return _scorer(instrument_id, version).alarms(items, earlier)


def score_frame(instrument_id: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Score many responses at once: a row per response, a column per item; see `Scorer.score_frame`."""
    return _scorer(instrument_id).score_frame(frame)


def _scorer(key: str, version: str | None = None) -> Scorer:
    scorer = _in_use(key)
    return scorer if version in (None, scorer.instrument.version) else _earlier(key, str(version))


@cache
def _in_use(key: str) -> Scorer:
    if key not in _paths():
        raise UnknownInstrument(f"There is no instrument {key!r}; there is {', '.join(instrument_keys())}.")
    return _read(_paths()[key], key)


@cache
def _earlier(key: str, version: str) -> Scorer:
    path = _paths()[key].parent / EARLIER / f"{key}-{version}.yaml"
    if not path.exists():
        raise UnknownInstrument(
            f"Version {version} of {key} is not here; in use is {_in_use(key).instrument.version}."
            f" Put the file of that version into {EARLIER}/{path.name}, beside the one in use."
        )
    return _read(path, key, version)


def _read(path: Path, key: str, version: str | None = None) -> Scorer:
    instrument = read_instrument(path.read_text(encoding="utf-8"), source=path.name)
    if instrument.key != key or version not in (None, instrument.version):
        raise ValueError(f"{path.name} holds {instrument.key!r} {instrument.version}: name the file after it.")
    return Scorer(instrument)
