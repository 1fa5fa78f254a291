"""REDCap's events: the list of them (CSV), and the events of a file that came without it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.interchange.element import Element, element
from outcomes.interchange.tables import open_table

_NEEDED = ("event_name", "arm_num", "unique_event_name")
_UNIQUE = re.compile(r"[a-z0-9_]+_arm_[0-9]+[a-z]?")
_LABEL = re.compile(r"(?P<name>.+?)(?: \(Arm (?P<arm>[0-9]+)[:)].*)?")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a project: its name for people, the arm of the schedule, its name in files."""

    label: str
    arm: str
    name: str


@dataclass(frozen=True, slots=True)
class Events:
    """The events of a project in their order; empty where no list came with the file."""

    events: tuple[Event, ...]

    def name(self, text: str) -> str:
        """The event that a cell names, by its name or its label. Raises ValueError."""
        known = {event.name for event in self.events}
        if text in known or (not self.events and _UNIQUE.fullmatch(text)):
            return text
        if not text:
            raise ValueError("No event is named here.")
        parts = _LABEL.fullmatch(text)
        arm = parts["arm"] if parts else None
        found = [e.name for e in self.events if parts and e.label == parts["name"] and arm in {None, e.arm}]
        if len(found) == 1:
            return found[0]
        if not self.events:
            raise ValueError("This is no event's name (visit_1_arm_1). Bring the list of events with the records.")
        nearest = difflib.get_close_matches(text, known, n=1)
        raise ValueError(f"The list of events has no such event.{f' Did it mean {nearest[0]}?' if nearest else ''}")

    def definitions(self, met: Sequence[str], forms: Sequence[str]) -> tuple[Element, ...]:
        """ODM's definitions: of the list, or of the events that were met. A flat file does not say which forms an
        event has, so each has all."""
        listed = [(event.name, event.label) for event in self.events] or [(name, name) for name in met]
        references = [element("FormRef", {"FormOID": f"Form.{form}", "Mandatory": "No"}) for form in forms]
        return tuple(
            element(
                "StudyEventDef",
                {"OID": f"Event.{name}", "Name": label, "Repeating": "No", "Type": "Common"},
                *references,
            )
            for name, label in listed
        )


def read_events(content: bytes, *, name: str) -> Events:
    """Read REDCap's list of events. Raises ImportRefused."""
    file = open_table(content, name=name)
    if missing := [column for column in _NEEDED if column not in file.header]:
        raise ImportRefused(name, [Refusal(1, column, "", "A list of events has this column.") for column in missing])
    found: dict[str, Event] = {}
    for row, texts in file.rows():
        cells = dict(zip(file.header, (text.strip() for text in texts), strict=True))
        unique = cells["unique_event_name"]
        if not unique or unique in found:
            why = "An event has a name of its own." if not unique else "The event is listed twice."
            raise ImportRefused(name, [Refusal(row, "unique_event_name", unique, why)])
        found[unique] = Event(cells["event_name"], cells["arm_num"], unique)
    return Events(tuple(found.values()))
