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
    low: float
    high: float


# parameter, label, unit, directions, trials of each, lowest and highest value that the device can give
_ROWS = (
    ("CDT", "Cold detection threshold", "°C", ("",), 3, 0, 50),
    ("WDT", "Warm detection threshold", "°C", ("",), 3, 0, 50),
    ("TSL", "Thermal sensory limen", "°C", ("warm", "cold"), 3, 0, 50),
    ("PHS", "Paradoxical heat sensations", "0 or 1", ("",), 3, 0, 1),
    ("CPT", "Cold pain threshold", "°C", ("",), 3, 0, 50),
    ("HPT", "Heat pain threshold", "°C", ("",), 3, 0, 50),
    ("MDT", "Mechanical detection threshold", "mN", ("descending", "ascending"), 5, 0.1, 1024),
    ("MPT", "Mechanical pain threshold", "mN", ("ascending", "descending"), 5, 1, 1024),
    ("MPS", "Mechanical pain sensitivity", "0-100", PINPRICK_FORCES, 5, 0, 100),
    ("DMA", "Dynamic mechanical allodynia", "0-100", BRUSHES, 5, 0, 100),
    ("WUR", "Wind-up ratio", "0-100", ("single", "series"), 5, 0, 100),
    ("VDT", "Vibration detection threshold", "x/8", ("",), 3, 0, 8),
    ("PPT", "Pressure pain threshold", "kPa", ("",), 3, 0, 2000),
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
            low,
            high,
        )
        for name, label, unit, directions, trials, low, high in _ROWS
    )


def trial_problem(parameter: str, value: float) -> str | None:
    """What is wrong with the value of one trial, in a sentence; None if it may be saved."""
    row = next((row for row in layout() if row.parameter == parameter), None)
    if row is None:
        return f"The protocol of testing has no parameter {parameter}."
    if not row.low <= value <= row.high:
        return f"{row.label} is {value:g} {row.unit}; the device gives {row.low:g} to {row.high:g}. Check the value."
    return None
