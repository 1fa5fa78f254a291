"""One value of a REDCap file under the rule of its field: as it stands, as the code it stands for, or refused."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from outcomes.imports.numbers import number
from outcomes.interchange import spreadsheets
from outcomes.interchange.redcap_dictionary import LEAST, MOST, Field

STATUS = (("0", "Incomplete"), ("1", "Unverified"), ("2", "Complete"))
_BOXES = (("0", "Unchecked"), ("1", "Checked"))
_TRUTHS = {"TRUE": "1", "FALSE": "0"}
_ZERO_OR_ONE = frozenset("01")
_INTEGER = re.compile(r"-?[0-9]+")
_COMMA_NUMBER = re.compile(r"-?[0-9]+(,[0-9]+)?")
_EXCEL_SERIAL = re.compile(r"[0-9]{5}(\.[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_AND_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_OTHER_ORDER = re.compile(r"[0-9]{1,2}([./-])[0-9]{1,2}\1[0-9]{2,4}.*")


@dataclass(frozen=True, slots=True)
class Read:
    """What a cell says. rule: how, where it was not taken as it stands."""

    value: str
    rule: str = ""


def read_value(field: Field | None, text: str, *, is_status: bool = False) -> Read:
    """The value of a cell. field: None for a column of REDCap's own. Raises ValueError saying what is wrong."""
    if is_status:
        return _coded(STATUS, text)
    if field is None:
        return Read(text)
    if field.kind == "checkbox":
        return _coded(_BOXES, text)
    if field.is_coded:
        return _coded(field.choices, text)
    _check(field, text)
    return Read(text)


def unusual(field: Field | None, text: str) -> str:
    """What may be asked about a value: REDCap's limits are advice. Empty if nothing."""
    if field is None or field.is_coded:
        return ""
    for column, word, beyond in ((LEAST, "at least", operator.lt), (MOST, "at most", operator.gt)):
        bound = field.said(column)
        # A limit such as "today" is none that can be worked out here.
        if bound[:1].isdigit() and beyond(*_comparable(text, bound)):
            return f"Taken, and unusual. Expected is {word} {bound}."
    return ""


def _comparable(text: str, bound: str) -> tuple[float, float] | tuple[str, str]:
    """Numbers as numbers, dates as the texts they are: ISO 8601 sorts by time."""
    try:
        return float(text.replace(",", ".")), float(bound.replace(",", "."))
    except ValueError:
        return text, bound


def _coded(choices: tuple[tuple[str, str], ...], text: str) -> Read:
    codes = dict(choices)
    if text in codes:
        return Read(text)
    labelled = [code for code, label in choices if label == text]
    if len(labelled) == 1:
        return Read(labelled[0], "a label, read as its code.")
    if len(labelled) > 1:
        raise ValueError(f"Codes {', '.join(labelled)} have this label; nobody can tell which is meant.")
    if text.upper() in _TRUTHS and set(codes) == _ZERO_OR_ONE:
        return Read(
            _TRUTHS[text.upper()], "TRUE and FALSE, read as 1 and 0: a program took the codes for truth values."
        )
    known = ", ".join(codes) if len(codes) <= 12 else f"{', '.join(list(codes)[:12])}, ..."
    raise ValueError(f"The field's codes are {known}, and not this.")


def _check(field: Field, text: str) -> None:
    """Refuse what is not of the field's type. A range of REDCap's is advice, so it refuses nothing."""
    kind = field.validation
    if field.kind == "slider" or kind in {"integer", "int"}:
        _integer(text)
    elif kind.startswith("number") and kind.endswith("comma_decimal"):
        if not _COMMA_NUMBER.fullmatch(text):
            raise ValueError("A number with a decimal comma is expected: 1,54.")
    elif kind.startswith("number") or kind == "float":
        number(text, ".")
    else:
        _other(kind, text)


def _other(kind: str, text: str) -> None:
    """Dates and times by their form; a text is whatever it is, but for a formula that was to be computed."""
    for prefix, check in _MOMENTS:
        if kind.startswith(prefix):
            check(text)
            return
    if spreadsheets.is_error(text):
        raise ValueError("This is a spreadsheet's error, not a value. Export from REDCap again.")
    if text.startswith("="):
        raise ValueError("This is a spreadsheet formula, not a value. Put the value itself in its place.")


def _integer(text: str) -> None:
    if not _INTEGER.fullmatch(text):
        number(text, ".")
        raise ValueError("A whole number is expected.")


def _date(text: str) -> None:
    _moment(_DAY, text, "2024-05-31")


def _datetime(text: str) -> None:
    _moment(_DAY_AND_TIME, text, "2024-05-31 14:05")


def _moment(form: re.Pattern[str], text: str, example: str) -> None:
    """Refuse what is no moment of this form. Python's own reading takes weeks (2024-W22-5) and more for one, too."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(_why_no_date(text, example)) from None
    if not form.fullmatch(text):
        raise ValueError(_why_no_date(text, example))


def _time(text: str) -> None:
    if not re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", text):
        raise ValueError("A time is expected as 14:05.")


def _why_no_date(text: str, example: str) -> str:
    if _EXCEL_SERIAL.fullmatch(text):
        return (
            f"This is the number by which Excel counts days, not a date. Write {example}, or export from REDCap again."
        )
    if _OTHER_ORDER.fullmatch(text):
        return (
            f"A date in another order, as a spreadsheet writes it: day and month cannot be told apart. Write {example}."
        )
    return f"A date is expected as {example}."


# A datetime begins with "date" too: the longer name comes first.
_MOMENTS: tuple[tuple[str, Callable[[str], None]], ...] = (
    ("datetime", _datetime),
    ("date", _date),
    ("time", _time),
)
