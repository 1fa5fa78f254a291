"""REDCap's branching logic and calculations, as far as the protocol's expression language says the same.

What it cannot say is listed with the reason, never approximated: REDCap compares an empty field as text, a condition
here is then unknown; REDCap has functions, the language has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from studies.protocol.expression import ExpressionInvalid, parse

_TOKENS = re.compile(
    r"""\s*(?:
        \[(?P<field>[A-Za-z_][A-Za-z0-9_]*)(?:\((?P<code>[^()\[\]]+)\))?\](?P<more>\[)?
      | (?P<text>"[^"]*"|'[^']*')
      | (?P<number>[0-9]+(?:\.[0-9]+)?)
      | (?P<sign><>|!=|<=|>=|=|<|>|\+|-|\*|/|\^|\(|\)|,)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<rest>\S)
    )""",
    re.VERBOSE,
)
_SIGNS = {"=": "==", "<>": "!="}
_WORDS = {"and": "and", "or": "or", "not": "not"}
_COMPARISONS = frozenset(("==", "!=", "<", ">", "<=", ">="))
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Translated:
    """An expression in our language, or (empty) why there is none."""

    text: str
    why_not: str = ""


class _CannotSay(Exception):
    pass


def translate(logic: str, codes: Mapping[str, bool]) -> Translated:
    """Translate branching logic or a calculation.

    codes: each field of the project, and whether its values are numbers (a code such as "1" is then the number 1).
    """
    try:
        parts = list(_parts(logic, codes))
        _refuse_empty_comparisons(parts)
        text = " ".join(parts)
        parse(text)
    except _CannotSay as error:
        return Translated("", str(error))
    except ExpressionInvalid as error:
        return Translated("", f"The expression language cannot read it: {error}")
    return Translated(text)


def _parts(logic: str, codes: Mapping[str, bool]) -> list[str]:
    found: list[str] = []
    position = 0
    while match := _TOKENS.match(logic, position):
        position = match.end()
        found.append(_part(match, codes, found))
    return found


def _part(match: re.Match[str], codes: Mapping[str, bool], before: list[str]) -> str:
    if match["field"]:
        return _field(match, codes)
    if match["text"] is not None:
        inner = match["text"][1:-1]
        # Codes are written as texts: [sex] = "0". What they are compared with says what they are.
        return inner if _NUMBER.fullmatch(inner) and _numeric_field_before(before, codes) else repr(inner)
    if match["number"]:
        return match["number"]
    if match["sign"]:
        return _sign(match["sign"])
    if match["word"]:
        word = match["word"].lower()
        if word not in _WORDS:
            raise _CannotSay(f"{match['word']}() is a function; the expression language has none.")
        return _WORDS[word]
    raise _CannotSay(f"{match['rest']!r} has no counterpart in the expression language.")


def _field(match: re.Match[str], codes: Mapping[str, bool]) -> str:
    if match["more"]:
        raise _CannotSay(f"[{match['field']}] names an event: a condition here looks at one visit only.")
    name = f"{match['field']}___{match['code'].lower()}" if match["code"] else match["field"]
    if name not in codes:
        raise _CannotSay(f"[{name}] is no field of this dictionary.")
    return name


def _sign(sign: str) -> str:
    if sign == "^":
        raise _CannotSay("^ (a power) is not in the expression language.")
    if sign == ",":
        raise _CannotSay("A function with several values has no counterpart in the expression language.")
    return _SIGNS.get(sign, sign)


def _numeric_field_before(before: list[str], codes: Mapping[str, bool]) -> bool:
    return len(before) > 1 and before[-1] in _COMPARISONS and codes.get(before[-2], False)


def _refuse_empty_comparisons(parts: list[str]) -> None:
    for left, right in pairwise(parts):
        if (left in _COMPARISONS and right == "''") or (left == "''" and right in _COMPARISONS):
            raise _CannotSay("It asks whether a field is empty; a condition here is unknown then, neither yes nor no.")
