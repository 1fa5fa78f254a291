"""Whether a value keeps the rule of its own definition: type, codes, range. ODM 1.3.2, section 2.10 and 3.1.1.3.5."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime

from outcomes.imports.numbers import number
from outcomes.interchange.definitions import Item, Range

_INTEGER = re.compile(r"[+-]?[0-9]+")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})?")
_BOOLEAN = frozenset(("0", "1", "true", "false"))
_LISTED = 12
_COMPARE: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "LT": ("below", lambda value, bound: value < bound),
    "LE": ("at most", lambda value, bound: value <= bound),
    "GT": ("above", lambda value, bound: value > bound),
    "GE": ("at least", lambda value, bound: value >= bound),
}


def broken_rule(item: Item, value: str) -> str:
    """What is wrong with a value; empty if nothing is."""
    if item.codes is not None:
        return "" if value in item.codes else _not_a_code(item.codes)
    check = _TYPES.get(item.data_type)
    try:
        if check is not None:
            check(value)
    except ValueError as error:
        return str(error)
    beyond = [bound for bound in item.ranges if bound.hard and not _within(bound, value)]
    return f"Allowed is {_said(beyond[0])}." if beyond else ""


def unusual(item: Item, value: str) -> str:
    """What may be asked about a value that is not wrong; empty if nothing."""
    if item.codes is not None:
        return ""
    beyond = [bound for bound in item.ranges if not bound.hard and not _within(bound, value)]
    return f"Expected is {_said(beyond[0])}." if beyond else ""


def _not_a_code(codes: object) -> str:
    listed = list(codes) if isinstance(codes, dict) else []
    known = ", ".join(listed[:_LISTED]) + (", ..." if len(listed) > _LISTED else "")
    return f"The item's codes are {known}, and not this."


def _within(bound: Range, value: str) -> bool:
    """Whether a value keeps a bound; one that is no number has none."""
    if bound.comparator in {"IN", "EQ"}:
        return value in bound.values
    if bound.comparator in {"NOTIN", "NE"}:
        return value not in bound.values
    compare = _COMPARE.get(bound.comparator)
    try:
        # A decimal comma is a number here: what it stands for is not in doubt.
        return compare is None or compare[1](float(value.replace(",", ".")), float(bound.values[0].replace(",", ".")))
    except ValueError:
        return True


def _said(bound: Range) -> str:
    word = _COMPARE[bound.comparator][0] if bound.comparator in _COMPARE else bound.comparator
    return f"{word} {', '.join(bound.values)}"


def _integer(text: str) -> None:
    if not _INTEGER.fullmatch(text):
        number(text, ".")
        raise ValueError("A whole number is expected.")


def _decimal(text: str) -> None:
    number(text, ".")


def _double(text: str) -> None:
    if text not in {"INF", "-INF", "NaN"}:
        number(text.replace("D", "E").replace("d", "e"), ".")


def _date(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("A date is expected as 2024-05-31.") from None


def _datetime(text: str) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("A date and time is expected as 2024-05-31T14:05:00.") from None


def _time(text: str) -> None:
    if not _TIME.fullmatch(text):
        raise ValueError("A time is expected as 14:05:00.")


def _boolean(text: str) -> None:
    if text not in _BOOLEAN:
        raise ValueError("True or false is expected: 1 or 0.")


# Partial dates and texts are whatever they are.
_TYPES: dict[str, Callable[[str], None]] = {
    "integer": _integer,
    "float": _decimal,
    "double": _double,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "boolean": _boolean,
}
