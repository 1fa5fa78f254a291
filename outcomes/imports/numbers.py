"""Numbers as they stand in a cell: one spelling, nothing guessed."""

from __future__ import annotations

import math
import re
from typing import Literal

# ASCII only: Python's own float() takes 1_000, nan, inf and the digits of other scripts as well.
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def number(text: str, decimal: Literal[".", ","]) -> float:
    """The number that a cell holds. Raises ValueError saying why it is none."""
    plain = text.replace(",", ".") if decimal == "," and "." not in text else text
    if (decimal == "," and "." in text) or not _NUMBER.fullmatch(plain):
        raise ValueError(_why_not(text, decimal))
    found = float(plain)
    if not math.isfinite(found):
        raise ValueError("The number is too large.")
    return found


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would compute this text: it may then run somebody else's command."""
    return text.startswith(_FORMULA) and not _NUMBER.fullmatch(text.replace(",", "."))


def _why_not(text: str, decimal: str) -> str:
    other = "," if decimal == "." else "."
    if is_formula(text):
        return "This is a spreadsheet formula, not a value. Put the value itself in its place."
    if _NUMBER.fullmatch(text.replace(other, ".")):
        sign = "comma" if other == "," else "point"
        return f"The decimal sign is a {sign}, where the mapping says '{decimal}'. Set file.decimal if all are so."
    return "This is not a number. If it stands for no value, name it among the codes for that ('missing' in a mapping)."
