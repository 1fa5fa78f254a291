"""The cells of a QST session in the order of testing (DFNS; Rolke 2006, Eur J Pain 10:77-88)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from outcomes.qst import CPM, MODULATION, PARAMETERS, TRAIN, TS

# The control area is tested first: the participant learns the procedure where it does not hurt.
AREAS = ("control", "test")
CPM_READINGS = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """One trial to be entered."""

    parameter: str
    direction: str
    trial: int

    def name(self, area: str) -> str:
        """The name of its entry in forms and messages."""
        return f"{area}.{self.parameter}.{self.direction or 'trial'}.{self.trial}"


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter with its cells. unit: of the value; entered: what stands in a cell; method: how it is tested."""

    parameter: str
    label: str
    unit: str
    entered: str
    method: str
    cells: tuple[Cell, ...]


_LIMITS = "from 32 °C at 1 °C/s, 3 ramps"
_TURNS = "5 turning points each way"
# parameter: what is entered, how it is tested
_METHODS = {
    "CDT": ("°C", f"Method of limits: cooling {_LIMITS}"),
    "WDT": ("°C", f"Method of limits: warming {_LIMITS}"),
    "TSL": ("°C", "Method of limits: warm and cold in turn, 3 each"),
    "PHS": ("0 or 1", "1 where a cooling of the thermal sensory limen felt warm, hot or burning"),
    "CPT": ("°C", f"Method of limits: cooling until painful, {_LIMITS}"),
    "HPT": ("°C", f"Method of limits: warming until painful, {_LIMITS}"),
    "MDT": ("mN", f"Method of levels: von Frey filaments 0.25 to 512 mN, {_TURNS}"),
    "MPT": ("mN", f"Method of levels: pinpricks 8 to 512 mN, {_TURNS}"),
    "MPS": ("0-100", "Ratings of 7 pinpricks, 5 of each, in random order"),
    "DMA": ("0-100", "Ratings of wisp, swab and brush, 5 of each, among the pinpricks"),
    "WUR": ("0-100", "Ratings of 1 pinprick, then of a train of 10 at 1/s, 5 times"),
    "VDT": ("x/8", "64 Hz tuning fork, descending, 3 times"),
    "PPT": ("kPa", "Pressure ramp of 50 kPa/s over muscle, 3 times"),
}


@cache
def layout(area: str) -> tuple[Row, ...]:
    """All rows of a session for one area, in the order of testing; CPM and the train at the test area only."""
    rows = [
        Row(code, known.name, known.unit, *_METHODS[code], _cells(code, known.directions, known.trials))
        for code, known in PARAMETERS.items()
    ]
    return (*rows, *_MODULATION) if area == "test" else tuple(rows)


def _cells(code: str, directions: tuple[str, ...], trials: int) -> tuple[Cell, ...]:
    return tuple(Cell(code, d, trial) for d in directions for trial in range(1, trials + 1))


_MODULATION = (
    Row(
        TS,
        "Temporal summation",
        "0-100",
        "0-100",
        f"Ratings of {TRAIN} equal pinpricks at 1/s, one after the other",
        _cells(TS, MODULATION[TS], TRAIN),
    ),
    Row(
        CPM,
        "Conditioned pain modulation",
        "",
        "in the unit of the test stimulus",
        "The test stimulus before the conditioning, and during it (parallel) or after it (sequential)",
        _cells(CPM, MODULATION[CPM], CPM_READINGS),
    ),
)
