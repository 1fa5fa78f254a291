"""The 13 parameters of the DFNS protocol: how each is measured, on which scale it is judged, and its signs.

Rolke 2006, Eur J Pain 10:77-88 (protocol) and Pain 123:231-243 (scales); Maier 2010, Pain 150:439-450 (profiles).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Scale = Literal["log10", "raw", "none"]
Summary = Literal["difference", "mean", "count", "turning_points", "ratings", "ratio"]

BASELINE_C = 32.0
COLDEST_C, HOTTEST_C = 0.0, 50.0
HIGHEST_PRESSURE_KPA = 1000.0
VON_FREY_MN = tuple(0.25 * 2.0**step for step in range(12))
PINPRICKS_MN = tuple(8.0 * 2.0**step for step in range(7))


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    directions: groups of trials, empty where there is one; trials: per group; needed: per group, fewer give no
    value. scale: on which means and SD of healthy people are given. gain_sign: what turns a higher value into a
    gain of function, so that z > 0 is more sensitive; 0 where there is no z.
    """

    code: str
    name: str
    unit: str
    summary: Summary
    directions: tuple[str, ...]
    trials: int
    needed: int
    scale: Scale
    gain_sign: Literal[-1, 0, 1]

    def transformed(self, value: float) -> float:
        """A value on the scale of the reference: log10 (of how far below 32 C, for CDT), or as it is.

        Raises NotComputable for a logarithm of nothing or less, and for parameters without a z-score.
        """
        if self.scale == "none":
            raise NotComputable(f"{self.code} has no z-score: in healthy people it is 0.")
        if self.scale == "raw":
            return value
        size = -value if self.code == "CDT" else value
        if size <= 0:
            raise NotComputable(f"{self.code} is {value:g} {self.unit}: there is no logarithm of it.")
        return math.log10(size)


class NotComputable(ValueError):
    """A number that does not exist for what was measured."""


def _ramps(code: str, name: str, summary: Summary, scale: Scale, gain_sign: Literal[-1, 1]) -> Parameter:
    return Parameter(code, name, "°C", summary, ("",), 3, 2, scale, gain_sign)


_FORCES = tuple(f"{force:g}" for force in PINPRICKS_MN)
_BRUSHES = ("wisp", "swab", "brush")

PARAMETERS: dict[str, Parameter] = {
    parameter.code: parameter
    for parameter in (
        _ramps("CDT", "Cold detection threshold", "difference", "log10", -1),
        _ramps("WDT", "Warm detection threshold", "difference", "log10", -1),
        Parameter("TSL", "Thermal sensory limen", "°C", "difference", ("warm", "cold"), 3, 2, "log10", -1),
        Parameter("PHS", "Paradoxical heat sensations", "of 3", "count", ("",), 3, 3, "none", 0),
        # A warmer cold pain threshold is a gain.
        _ramps("CPT", "Cold pain threshold", "mean", "raw", 1),
        _ramps("HPT", "Heat pain threshold", "mean", "raw", -1),
        Parameter(
            "MDT",
            "Mechanical detection threshold",
            "mN",
            "turning_points",
            ("ascending", "descending"),
            5,
            4,
            "log10",
            -1,
        ),
        Parameter(
            "MPT",
            "Mechanical pain threshold",
            "mN",
            "turning_points",
            ("ascending", "descending"),
            5,
            4,
            "log10",
            -1,
        ),
        Parameter("MPS", "Mechanical pain sensitivity", "0-100", "ratings", _FORCES, 5, 3, "log10", 1),
        Parameter("DMA", "Dynamic mechanical allodynia", "0-100", "ratings", _BRUSHES, 5, 3, "none", 0),
        Parameter("WUR", "Wind-up ratio", "ratio", "ratio", ("single", "series"), 5, 3, "log10", 1),
        # The fork is read in eighths: a higher reading is a fainter vibration felt, a gain.
        Parameter("VDT", "Vibration detection threshold", "x/8", "mean", ("",), 3, 2, "raw", 1),
        Parameter("PPT", "Pressure pain threshold", "kPa", "mean", ("",), 3, 2, "log10", -1),
    )
}


def parameter_of(code: str) -> Parameter:
    """The parameter of a code. Raises ValueError telling which there are."""
    if code not in PARAMETERS:
        raise ValueError(f"There is no QST parameter {code!r}; there is {', '.join(PARAMETERS)}.")
    return PARAMETERS[code]
