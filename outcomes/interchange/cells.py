"""One value of clinical data and its address, whichever file it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from outcomes.interchange.element import Element


class Address(NamedTuple):
    """Where a value belongs, in ODM's terms. Empty: the file has no such level, or does not repeat it."""

    subject: str
    event: str = ""
    event_repeat: str = ""
    form: str = ""
    form_repeat: str = ""
    group: str = ""
    group_repeat: str = ""
    item: str = ""

    def __str__(self) -> str:
        """For people: subject, then what is there, repeats in brackets."""
        pairs = ((self.event, self.event_repeat), (self.form, self.form_repeat), (self.group, self.group_repeat))
        levels = [f"{name} ({repeat})" if repeat not in {"", "1"} else name for name, repeat in pairs if name]
        return " / ".join([self.subject, *levels, *([self.item] if self.item else [])])


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as it stands in the file, or (without an item) what a file says of a container.

    value: None where the file says that there is none (IsNull). written: what stood in the file where it was read as
    something else (a label as its code). tag: ODM's element. beside: audit record, annotations and the like, in an
    element of the cell's tag. line: of the file. removed: a transaction takes the value away.
    """

    address: Address
    value: str | None
    line: int = 0
    tag: str = "ItemData"
    written: str = ""
    beside: Element | None = None
    removed: bool = False

    @property
    def is_value(self) -> bool:
        """Whether this is a value, not a note on a container."""
        return self.address.item != ""
