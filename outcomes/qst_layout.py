"""The cells of a QST session in the order of testing (DFNS; Rolke 2006, Eur J Pain 10:77-88)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

AREAS = ("test", "control")
PINPRICK_FORCES = ("8", "16", "32", "64", "128", "256", "512")
BRUSHES = ("wisp", "swab", "brush")


@dataclass(frozen=True, slots=True)
class Cell:
    """One trial to be entered."""

    parameter: str
    direction: str
    trial: int


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter with its cells."""

    parameter: str
    label: str
    unit: str
    cells: tuple[Cell, ...]


# parameter, label, unit, directions, trials of each
_ROWS = (
    ("CDT", "Cold detection threshold", "°C", ("",), 3),
    ("WDT", "Warm detection threshold", "°C", ("",), 3),
    ("TSL", "Thermal sensory limen", "°C", ("warm", "cold"), 3),
    ("PHS", "Paradoxical heat sensations", "0 or 1", ("",), 3),
    ("CPT", "Cold pain threshold", "°C", ("",), 3),
    ("HPT", "Heat pain threshold", "°C", ("",), 3),
    ("MDT", "Mechanical detection threshold", "mN", ("descending", "ascending"), 5),
    ("MPT", "Mechanical pain threshold", "mN", ("ascending", "descending"), 5),
    ("MPS", "Mechanical pain sensitivity", "0-100", PINPRICK_FORCES, 5),
    ("DMA", "Dynamic mechanical allodynia", "0-100", BRUSHES, 5),
    ("WUR", "Wind-up ratio", "0-100", ("single", "series"), 5),
    ("VDT", "Vibration detection threshold", "x/8", ("",), 3),
    ("PPT", "Pressure pain threshold", "kPa", ("",), 3),
)


@cache
def layout() -> tuple[Row, ...]:
    """All rows of a session for one area, in the order of testing."""
    return tuple(
        Row(
            name,
            label,
            unit,
            tuple(Cell(name, d, trial) for d in directions for trial in range(1, trials + 1)),
        )
        for name, label, unit, directions, trials in _ROWS
    )
