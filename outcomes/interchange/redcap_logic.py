"""REDCap's branching logic and calculations, as far as the protocol's expression language says the same.

What it cannot say is listed with the reason, never approximated: REDCap compares an empty field as text, a condition
here is then unknown; REDCap has functions, the language has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from studies.protocol.expression import ExpressionInvalid, FindingType, parse

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
# A calculation is a number or a text: that is no mistake here.
_IS_NO_CONDITION = "a condition is either true or false"
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
        parts = _with_codes(_parts(logic, codes), codes)
        _refuse_empty_comparisons(parts)
        text = " ".join(parts)
        _refuse_mistakes(text, codes)
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
        found.append(_part(match, codes))
    return found


def _part(match: re.Match[str], codes: Mapping[str, bool]) -> str:
    if match["field"]:
        return _field(match, codes)
    if match["text"] is not None:
        return repr(match["text"][1:-1])
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


def _with_codes(parts: list[str], codes: Mapping[str, bool]) -> list[str]:
    """Codes are written as texts, [sex] = "0": what they are compared with says whether they are numbers."""
    found = list(parts)
    for place, part in enumerate(parts):
        inner = part[1:-1]
        if not part.startswith(("'", '"')) or not _NUMBER.fullmatch(inner):
            continue
        left, right = parts[max(place - 2, 0) : place], parts[place + 1 : place + 3]
        if _numeric_comparison(left, 0, codes) or _numeric_comparison(right, 1, codes):
            found[place] = inner
    return found


def _numeric_comparison(pair: list[str], field_at: int, codes: Mapping[str, bool]) -> bool:
    """Whether a sign and a field beside a text compare it with a number."""
    return len(pair) == 2 and pair[1 - field_at] in _COMPARISONS and codes.get(pair[field_at], False)


def _refuse_empty_comparisons(parts: list[str]) -> None:
    for left, right in pairwise(parts):
        if (left in _COMPARISONS and right == "''") or (left == "''" and right in _COMPARISONS):
            raise _CannotSay("It asks whether a field is empty; a condition here is unknown then, neither yes nor no.")


def _refuse_mistakes(text: str, codes: Mapping[str, bool]) -> None:
    types: dict[str, FindingType] = {name: "number" if number else "text" for name, number in codes.items()}
    mistakes = [each for each in parse(text).mistakes(types) if _IS_NO_CONDITION not in each]
    if mistakes:
        raise _CannotSay(" ".join(mistakes))
