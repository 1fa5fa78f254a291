"""Where two JSON values differ: by path, with what stands on either side. For plans, and for looks run again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = "(absent)"
# By these an entry of a list is called, so that one inserted does not shift the names of the rest.
_NAMES = ("id", "code", "key", "number", "look")


@dataclass(frozen=True, slots=True)
class Difference:
    """One place: its path from the top, such as looks.planned[2].information, and the two values, ABSENT for none."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.path}: {_short(self.before)} became {_short(self.after)}"


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """Every place where two values differ, in the order of the first. A float equals an int of the same value."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            below = f"{path}.{key}" if path else str(key)
            yield from differences(before.get(key, ABSENT), after.get(key, ABSENT), below)
    elif _is_list(before) and _is_list(after):
        yield from _between_lists(before, after, path)
    elif (type(before) is not type(after) and isinstance(before, bool | str)) or before != after:
        yield Difference(path or "(the whole)", before, after)


def _between_lists(before: Sequence[Any], after: Sequence[Any], path: str) -> Iterator[Difference]:
    one, other = _named(before), _named(after)
    if one is None or other is None:
        one, other = _numbered(before), _numbered(after)
    for name in [*one, *(name for name in other if name not in one)]:
        yield from differences(one.get(name, ABSENT), other.get(name, ABSENT), f"{path}[{name}]")
    if list(one) != list(other) and set(one) == set(other):
        yield Difference(f"{path} (order)", list(one), list(other))


def _named(values: Sequence[Any]) -> dict[str, Any] | None:
    """Entries by their name; None where they have none, or two have the same."""
    for name in _NAMES:
        if all(isinstance(value, Mapping) and isinstance(value.get(name), str | int) for value in values):
            found = {str(value[name]): value for value in values}
            return found if len(found) == len(values) else None
    return None


def _numbered(values: Sequence[Any]) -> dict[str, Any]:
    return {str(place): value for place, value in enumerate(values)}


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _short(value: Any) -> str:
    text = repr(value) if value is not ABSENT else ABSENT
    return text if len(text) <= 80 else f"{text[:77]}..."
