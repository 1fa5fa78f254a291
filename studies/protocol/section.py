"""What every section of a protocol file has in common: nothing unknown, nothing changed after reading."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.fields import FieldInfo

from studies.protocol.expression import Expression, parse
from studies.protocol.yaml_document import Mistake

Entry = TypeVar("Entry")


class Section(BaseModel):
    """A part of a protocol file."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, arbitrary_types_allowed=True)


def _condition(value: Any) -> Expression:
    if isinstance(value, Expression):
        return value
    if isinstance(value, str):
        return parse(value)
    raise ValueError(f"A condition is a text such as sbp > 180, not {value!r}.")


def spelled(pattern: str, description: str) -> tuple[AfterValidator, FieldInfo]:
    """A text of a fixed form; `description` is what a person reads when it has another."""
    form = re.compile(pattern)

    def check(text: str) -> str:
        if not form.fullmatch(text):
            raise ValueError(f"'{text}' is not {description}.")
        return text

    return AfterValidator(check), FieldInfo(json_schema_extra={"pattern": f"^{pattern}$"})


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name}' is not a time zone; write one such as Europe/Berlin.") from None
    return name


Condition = Annotated[
    Expression,
    PlainValidator(_condition),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "description": "A condition over findings, such as age_years >= 18"}),
]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Text = Annotated[str, StringConstraints(min_length=1)]
# Names that stand in conditions, in addresses of data points and in files of a data cut.
Key = Annotated[str, *spelled(r"[a-z][a-z0-9_]{0,59}", "a key: small letters, digits and _, beginning with a letter")]
Code = Annotated[
    str,
    *spelled(r"[A-Z][A-Z0-9_]{0,19}", "a code: at most 20 capitals, digits and _, beginning with a letter"),
]
Version = Annotated[str, *spelled(r"[0-9]+(\.[0-9]+)*", 'a version: numbers and points, such as "1.0"')]
Positive = Annotated[Decimal, Field(gt=0)]
NotNegative = Annotated[Decimal, Field(ge=0)]


def named(entries: Sequence[Entry], attribute: str, wanted: object) -> Entry:
    """The entry whose attribute has the value wanted. Raises KeyError telling what there is."""
    for entry in entries:
        if getattr(entry, attribute) == wanted:
            return entry
    there = ", ".join(str(getattr(entry, attribute)) for entry in entries)
    raise KeyError(f"There is no {attribute} {wanted!r} here; there is {there}.")


def repeated(section: str, entries: Sequence[Any], key: str) -> Iterator[Mistake]:
    """A mistake for each entry whose name (`key`) an earlier entry has taken."""
    seen: Counter[str] = Counter()
    for index, entry in enumerate(entries):
        name = str(getattr(entry, key))
        if seen[name]:
            yield Mistake((section, index, key), f"'{name}' is taken by an earlier entry. Give each its own.")
        seen[name] += 1
