"""A mapping of records: what cannot be seen in a file, and which of its values are answers to instruments here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BeforeValidator, Field

from outcomes.interchange.redcap_records import Options
from outcomes.scoring import Instrument, instrument_keys, load_instrument
from outcomes.scoring.items import ItemId
from studies.protocol.section import Key, Section, Text
from studies.protocol.yaml_document import DocumentInvalid, Mistake, load_document, locate

SUBJECT = "{subject}"


def _as_text(value: Any) -> Any:
    """Codes are written bare in a mapping: -99 is the cell "-99"."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Cell = Annotated[str, BeforeValidator(_as_text)]
MissingReason = Literal["not_answered", "refused", "not_applicable", "unreadable", "not_done"]


class FileFormat(Section):
    """How a CSV file is written. A byte-order mark is allowed with utf-8."""

    encoding: Literal["utf-8", "cp1252"] = "utf-8"
    delimiter: Literal[",", ";", "\t"] = ","


class AnsweredForm(Section):
    """A form of the file that is an instrument here: which of its fields is which item.

    completed_on: the field with the day or moment of the answers; without it, the mapping's `completed_at`. codes: what
    the file's codes are here, where the file counts otherwise (1 to 4 for 0 to 3); every code of the items then.
    """

    form: Text
    instrument: Key
    items: Annotated[dict[Text, ItemId], Field(min_length=1)]
    completed_on: Text | None = None
    codes: dict[Cell, float] = {}


class Answers(Section):
    """Where answers go: the study, its participants, and the visits of the file's events.

    participant: how a participant's identifier is made of the file's subject, {subject} standing for it. Nobody is
    enrolled by an import. visit: for a file without events, the one visit that its records are of.
    """

    study: Text
    participant: Text = SUBJECT
    events: dict[Text, Text] = {}
    visit: Text | None = None
    completed_at: AwareDatetime | None = None
    forms: tuple[AnsweredForm, ...] = ()


class RecordsMapping(Section):
    """The whole mapping. missing_codes: the project's codes for why a value is missing, each with a reason here."""

    file: FileFormat = FileFormat()
    missing_codes: dict[Cell, MissingReason] = {}
    answers: Answers | None = None

    @property
    def options(self) -> Options:
        """What reading a CSV file needs of it."""
        return Options(self.file.encoding, self.file.delimiter, dict(self.missing_codes))


def read_mapping(path: Path) -> RecordsMapping:
    """Read a mapping file. Raises DocumentInvalid with the line of every mistake; OSError."""
    text = path.read_text(encoding="utf-8")
    return load_mapping(text, name=path.name)


def load_mapping(text: str, *, name: str) -> RecordsMapping:
    """Read a mapping's text, and hold it against the instruments. Raises DocumentInvalid."""
    loaded = load_document(text, RecordsMapping, source=name)
    if mistakes := list(mistakes_of(loaded)):
        raise DocumentInvalid(name, locate(text, mistakes, source=name))
    return loaded


def mistakes_of(mapping: RecordsMapping) -> Iterator[Mistake]:
    """What a mapping says of participants and instruments that cannot be so."""
    if mapping.answers is None:
        return
    if not mapping.answers.forms:
        yield Mistake(("answers", "forms"), "Name the forms that are instruments here, at least one.")
    if SUBJECT not in mapping.answers.participant:
        yield Mistake(("answers", "participant"), f"Write {SUBJECT} where the file's subject stands.")
    for number, form in enumerate(mapping.answers.forms):
        place = ("answers", "forms", number)
        if form.instrument not in instrument_keys():
            yield Mistake((*place, "instrument"), f"There is no instrument {form.instrument!r}.")
        else:
            yield from _wrong_items(form.items, load_instrument(form.instrument), (*place, "items"))


def _wrong_items(items: Mapping[str, str], instrument: Instrument, place: tuple[str | int, ...]) -> Iterator[Mistake]:
    seen: dict[str, str] = {}
    for name, item in items.items():
        if item not in instrument.items:
            yield Mistake((*place, name), f"{instrument.name} has no item {item}.")
        elif item in seen:
            yield Mistake((*place, name), f"Item {item} is mapped twice, from {seen[item]} too.")
        seen[item] = name
