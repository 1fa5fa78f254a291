"""Numbers, dates and intervals as a reader sees them: aligned, with a true minus, a dash for none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from analysis.reports.blocks import Cell

NONE = "–"
# As wide as a digit, so that right-aligned numbers of different length stay under each other.
_FIGURE_SPACE = "\u2007"
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def number(value: float | None, digits: int = 2) -> str:
    """1.50, −0.25, or a dash."""
    if value is None:
        return NONE
    text = f"{value:.{digits}f}"
    # A rounded -0.00 is no negative number.
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "\u2212")


def interval(found: Mapping[str, Any], digits: int = 2) -> str:
    """−1.35 to −0.62; an end that runs to infinity is a dash, and so is no interval at all."""
    if found["lower"] is None and found["upper"] is None:
        return NONE
    return f"{number(found['lower'], digits)} to {number(found['upper'], digits)}"


def p_value(p: float | None) -> str:
    """0.031, or < 0.001."""
    if p is None:
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def scientific(value: float) -> str:
    """3.14 × 10⁻⁶."""
    digits, _, power = f"{value:.2e}".partition("e")
    return f"{digits} × 10{str(int(power)).translate(_RAISED)}".replace("-", "\u2212")


def count(cell: Mapping[str, Any], base: int | None = None) -> Cell:
    """12 (10.0 %), with its n in small unless that is `base`, the number in the column's head."""
    small = "" if cell["n"] == base else f"of {cell['n']}"
    if cell["percent"] is None:
        return Cell(str(cell["count"]), small)
    percent = f"{cell['percent']:5.1f}".replace(" ", _FIGURE_SPACE)
    return Cell(f"{cell['count']} ({percent} %)", small)


def mean_sd(cell: Mapping[str, Any], digits: int = 2) -> Cell:
    """6.52 (1.21), with n and missing in small."""
    text = NONE if cell["mean"] is None else f"{number(cell['mean'], digits)} ({number(cell['sd'], digits)})"
    return Cell(text, n_missing(cell))


def median_range(cell: Mapping[str, Any], digits: int = 0) -> Cell:
    """12 (0 to 65), with n and missing in small."""
    if cell["median"] is None:
        return Cell(NONE, n_missing(cell))
    ends = f"{number(cell['min'], digits)} to {number(cell['max'], digits)}"
    return Cell(f"{number(cell['median'], digits)} ({ends})", n_missing(cell))


def n_missing(cell: Mapping[str, Any]) -> str:
    return f"n {cell['n']}, missing {cell['missing']}"


def words(code: str) -> str:
    """Lack of efficacy, from lack_of_efficacy."""
    return code.replace("_", " ").capitalize()


def lower_first(text: str) -> str:
    """A sentence's beginning, to stand within another."""
    return text[:1].lower() + text[1:]


def day(value: str | date | None) -> str:
    """24 Nov 2026."""
    if value is None:
        return NONE
    found = date.fromisoformat(value[:10]) if isinstance(value, str) else value
    return f"{found.day} {found:%b %Y}"


def moment(value: str | None) -> str:
    """24 Nov 2026, 08:00 UTC."""
    if value is None:
        return NONE
    found = datetime.fromisoformat(value)
    return f"{found.day} {found:%b %Y, %H:%M} UTC"


def month(value: str) -> str:
    """Nov 2026, from 2026-11."""
    return f"{date.fromisoformat(value + '-01'):%b %Y}"
