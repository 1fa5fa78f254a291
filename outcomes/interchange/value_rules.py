"""Whether a value keeps the rule of its own definition: type, codes, range. ODM 1.3.2, section 2.10 and 3.1.1.3.5."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from outcomes.imports.numbers import number
from outcomes.interchange.definitions import Item, Range

_INTEGER = re.compile(r"[+-]?[0-9]+")
_HOUR, _UNTIL_MINUTE, _ZONE = "([01][0-9]|2[0-3])", "[0-5][0-9]", "(Z|[+-][0-9]{2}:[0-9]{2})?"
_DAY = "(0[1-9]|[12][0-9]|3[01])"
_TIME = re.compile(rf"{_HOUR}:{_UNTIL_MINUTE}(:{_UNTIL_MINUTE}(\.[0-9]+)?)?{_ZONE}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].+")
_PARTIAL_DATE = re.compile(rf"[0-9]{{4}}(-(0[1-9]|1[0-2])(-{_DAY})?)?")
_PARTIAL_TIME = re.compile(rf"{_HOUR}(:{_UNTIL_MINUTE}(:{_UNTIL_MINUTE}(\.[0-9]+)?)?)?{_ZONE}")
_HEX = re.compile(r"([0-9A-Fa-f]{2})*")
_BOOLEAN = frozenset(("0", "1", "true", "false"))
_TEXTS = frozenset(("text", "string"))
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
    if item.data_type in _TEXTS and item.length is not None and len(value) > item.length:
        return f"It has {len(value)} characters; its definition says at most {item.length}."
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
    _moment(_DATE, text, "A date is expected as 2024-05-31.")


def _datetime(text: str) -> None:
    _moment(_DATETIME, text, "A date and time is expected as 2024-05-31T14:05:00.")


def _moment(form: re.Pattern[str], text: str, why: str) -> None:
    """Refuse what is no moment of this form. Python's own reading takes weeks (2024-W22-5) and more for one, too."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(why) from None
    if not form.fullmatch(text):
        raise ValueError(why)


def _partial_date(text: str) -> None:
    if not _PARTIAL_DATE.fullmatch(text):
        raise ValueError("A date is expected as far as it is known: 2024-05-31, 2024-05 or 2024.")


def _partial_datetime(text: str) -> None:
    day, between, time = text.partition("T" if "T" in text else " ")
    if not _PARTIAL_DATE.fullmatch(day) or (between and not _PARTIAL_TIME.fullmatch(time)):
        raise ValueError("A date and time is expected as far as it is known: 2024-05-31T14:05, 2024-05-31 or 2024-05.")


def _partial_time(text: str) -> None:
    if not _PARTIAL_TIME.fullmatch(text):
        raise ValueError("A time is expected as far as it is known: 14:05:00, 14:05 or 14.")


def _hexadecimal(text: str) -> None:
    if not _HEX.fullmatch(text):
        raise ValueError("Hexadecimal digits are expected, two for each byte.")


def _time(text: str) -> None:
    if not _TIME.fullmatch(text):
        raise ValueError("A time is expected as 14:05:00.")


def _boolean(text: str) -> None:
    if text not in _BOOLEAN:
        raise ValueError("True or false is expected: 1 or 0.")


# Texts, incomplete dates and durations are whatever they are.
_TYPES: dict[str, Callable[[str], None]] = {
    "integer": _integer,
    "float": _decimal,
    "double": _double,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "boolean": _boolean,
    "partialDate": _partial_date,
    "partialDatetime": _partial_datetime,
    "partialTime": _partial_time,
    "hexBinary": _hexadecimal,
}
