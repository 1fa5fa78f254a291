"""JSON of other systems, parsed within limits; and a flat list of objects (REDCap's API) as rows of a table."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from outcomes.imports.refusals import ImportRefused
from outcomes.interchange import limits
from outcomes.interchange.refused import LineRefusal, refuse_file

_LONGEST_INTEGER = 300
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class JsonRows:
    """Objects as rows: every name is a column, a number or truth is the text it was written as."""

    name: str
    sha256: str
    size: int
    header: tuple[str, ...]
    objects: tuple[dict[str, Any], ...] = field(repr=False)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each object with its number, from 1."""
        for number, each in enumerate(self.objects, start=1):
            yield number, [_text(each.get(column)) for column in self.header]


def is_flat(parsed: Any) -> bool:
    """Whether this is a list of objects that hold texts and numbers only, as REDCap's API writes records."""
    return (
        isinstance(parsed, list)
        and bool(parsed)
        and all(isinstance(each, dict) and "resourceType" not in each for each in parsed)
        and not any(isinstance(value, dict | list) for each in parsed for value in each.values())
    )


def json_rows(content: bytes, *, name: str) -> JsonRows:
    """A flat list as rows. Raises ImportRefused for other JSON."""
    parsed = parse_json(content, name=name)
    if not is_flat(parsed):
        raise refuse_file(name, "A list of records is expected, each a flat object, as REDCap's API exports them.")
    header = tuple(dict.fromkeys(key.strip() for each in parsed for key in each))
    if len(header) * len(parsed) > limits.LARGEST_CSV:
        raise refuse_file(name, "The records have too many columns for their number. Export them in parts.")
    return JsonRows(name, hashlib.sha256(content).hexdigest(), len(content), header, tuple(parsed))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ("1" if value else "0") if isinstance(value, bool) else str(value)


def parse_json(content: bytes, *, name: str) -> Any:
    """The value of a JSON file; decimals stay the texts they are.

    Raises ImportRefused: too large, another encoding, no JSON, nested too deep, or a name twice in one object.
    """
    if len(content) > limits.LARGEST_JSON:
        most = limits.LARGEST_JSON // limits.MEGABYTE
        raise refuse_file(name, f"The file has more than {most} MB. Bring it in several files.")
    try:
        parsed = json.loads(
            content.decode("utf-8-sig"),
            parse_float=str,
            parse_int=_integer,
            parse_constant=_no_constant,
            object_pairs_hook=_once,
        )
    except UnicodeDecodeError:
        raise refuse_file(name, "The file is not in UTF-8.") from None
    except json.JSONDecodeError as error:
        raise refuse_file(name, f"This is not JSON: {error.msg}.", line=error.lineno) from None
    except RecursionError:
        raise refuse_file(name, "Elements are nested too deep.") from None
    except _GivenTwice as error:
        raise ImportRefused(name, [LineRefusal(0, str(error), "", "A name stands twice in one object.")]) from None
    except _NoJson as error:
        raise refuse_file(name, str(error)) from None
    if wrong := next(_no_text(parsed), None):
        raise refuse_file(name, f"A text holds the character U+{ord(wrong):04X}; no text does.")
    return parsed


class _GivenTwice(Exception):
    pass


class _NoJson(Exception):
    pass


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise _NoJson(f"A whole number has {len(text):,} digits; at most {_LONGEST_INTEGER} are read.")
    return int(text)


def _no_constant(text: str) -> None:
    raise _NoJson(f"{text} is no number of JSON. Leave out what has no value.")


def _no_text(parsed: Any) -> Iterator[str]:
    """Characters that can stand in JSON, escaped, and in no text: controls, and halves of a character."""
    waiting = [parsed]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield from _NO_TEXT.findall(each)
        elif isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are each given once: of two values nobody could tell which is meant."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [key for key, _ in pairs]
        raise _GivenTwice(next(key for key in names if names.count(key) > 1))
    return found
