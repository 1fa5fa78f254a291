"""What a request that enters a form may hold: answers as they stand, moments with their offset, each name once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import IO, Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


@extend_schema_field({"type": "object", "additionalProperties": {"type": "number", "nullable": True}})
class AnswersField(serializers.Field[Any, Any, Any, Any]):
    """Coded values by item, null where unanswered.

    Nothing is turned into a number here: the instrument says of "2", true or 2.5 whether they are answers.
    """

    default_error_messages = {"not_an_object": "This is {met}; an object of coded values by item is expected."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self.fail("not_an_object", met=type(data).__name__)
        return {str(name): _within_reach(value) for name, value in data.items()}

    def to_representation(self, value: Any) -> Any:
        return value


def _within_reach(value: Any) -> Any:
    """A whole number as a float where there is one; one that is too large is larger than any code."""
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


class MomentField(serializers.DateTimeField):
    """A date and time that says its offset from UTC: nobody guesses on whose clock it was read."""

    default_error_messages = {
        "no_offset": "{met} has no offset from UTC. Write it with one, such as 2026-02-03T10:00:00+01:00.",
        "invalid": "This is no date and time. Write it such as 2026-02-03T10:00:00+01:00.",
        "date": "This is a date without its time. Write both, such as 2026-02-03T10:00:00+01:00.",
    }

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("no_offset", met=value.isoformat())
        return super().enforce_timezone(value)


class EachNameOnceParser(JSONParser):
    """JSON in which no object has a name twice: of two answers to one item nobody knows which is meant."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        encoding = (parser_context or {}).get("encoding", settings.DEFAULT_CHARSET)
        try:
            return json.loads(stream.read().decode(encoding), object_pairs_hook=_once, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"This JSON cannot be read: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{', '.join(twice)} is given twice. Give each once.")
    return made


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON. Leave the answer out, or write null.")
