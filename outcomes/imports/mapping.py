"""A mapping file: which column of a published data file is what. Data managers write it, the importer follows it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator

from outcomes.scoring.items import ItemId
from studies.protocol.section import Code, Key, Section, Text, Version
from studies.protocol.yaml_document import Mistake, Mistakes, load_document


def _as_text(value: Any) -> Any:
    """Codes are written bare in a mapping: 1 is the cell "1"."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Cell = Annotated[str, BeforeValidator(_as_text)]
VisitId = Text
Sex = Literal["F", "M", ""]


class FileFormat(Section):
    """How the file is written. A byte-order mark is allowed with utf-8."""

    encoding: Literal["utf-8", "cp1252"] = "utf-8"
    delimiter: Literal[",", ";", "\t"] = ","
    decimal: Literal[".", ","] = "."


class RowFilter(Section):
    """Which rows are taken: those with one of these values in a column, or with any value at all."""

    column: Text
    one_of: tuple[Cell, ...] = ()
    given: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> RowFilter:
        if bool(self.one_of) == bool(self.given):
            raise ValueError("Give either one_of or given: true.")
        return self

    def passes(self, text: str, *, missing: bool) -> bool:
        """Whether a row with this text in the column is taken."""
        return text in self.one_of if self.one_of else not missing


class ArmColumn(Section):
    """Which column holds the arm, and which of its values is which arm of the protocol."""

    column: Text
    codes: Annotated[dict[Cell, Code], Field(min_length=2)]


class SexColumn(Section):
    """Which column holds the sex; a value that is neither is mapped to an empty text."""

    column: Text
    codes: Annotated[dict[Cell, Sex], Field(min_length=1)]


class SiteColumn(Section):
    """Which column holds the site, and which of its values is which site of the protocol."""

    column: Text
    codes: Annotated[dict[Cell, Code], Field(min_length=1)]


class VisitColumn(Section):
    """Of a file with one row a visit: the column that says which visit it is."""

    column: Text
    codes: Annotated[dict[Cell, VisitId], Field(min_length=1)]


class ParticipantColumns(Section):
    """What a row says of the participant. Without `site` everybody belongs to the protocol's only site."""

    identifier: Text
    arm: ArmColumn
    sex: SexColumn | None = None
    age_years: Text | None = None
    site: SiteColumn | None = None


class MissingWhere(Section):
    """A value that stands for "nobody knows" wherever another column holds nothing."""

    value: Cell
    without: Text


class MappedValue(Section):
    """A column that holds a score or an item of an instrument.

    `visit`: whose values they are, in a file with one row a participant. `visits`: in a file with one row a
    visit, the only visits that have them.
    """

    column: Text
    instrument: Key
    score: Key | None = None
    item: ItemId | None = None
    visit: VisitId | None = None
    visits: tuple[VisitId, ...] = ()
    missing_where: MissingWhere | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> MappedValue:
        if (self.score is None) == (self.item is None):
            raise ValueError("Say which value: either a score or an item.")
        return self

    @property
    def name(self) -> str:
        """The score or item."""
        return self.score or self.item or ""


class Attestation(Section):
    """Who answers for it that these people consented, in place of consents given here."""

    by: Text
    says: Text

    def __str__(self) -> str:
        return f"{self.says} Attested by {self.by}."


class TrialMapping(Section):
    """How a finished trial's file becomes participants, visits and answers of a study whose protocol is loaded.

    `missing`: the texts that stand for no value, besides an empty cell. `completed_at`: when the forms were
    completed, where the publication states one moment for all; without it the time of import stands there.
    """

    study: Text
    protocol: Version
    source: Text
    licence: Text
    attestation: Attestation
    file: FileFormat = FileFormat()
    missing: tuple[Text, ...] = ()
    rows: tuple[RowFilter, ...] = ()
    participant: ParticipantColumns
    visits: VisitColumn | None = None
    completed_at: AwareDatetime | None = None
    values: tuple[MappedValue, ...]

    @model_validator(mode="after")
    def _sections_agree(self) -> TrialMapping:
        mistakes = list(self.mistakes_between({name: getattr(self, name) for name in type(self).model_fields}))
        if mistakes:
            raise Mistakes(mistakes)
        return self

    @classmethod
    def mistakes_between(cls, sections: Mapping[str, Any]) -> Iterator[Mistake]:
        """Contradictions between the sections given; one that could not be read is left out."""
        if "values" not in sections or "visits" not in sections:
            return
        if not sections["values"]:
            yield Mistake(("values",), "The mapping takes no value. Name at least one.")
        yield from _visits_as_the_file_has_them(sections["values"], long=sections["visits"] is not None)
        yield from _each_value_once(sections["values"])
        yield from _items_or_scores(sections["values"])

    def columns(self) -> list[str]:
        """Every column that is read, once."""
        person = self.participant
        coded = [person.arm, person.sex, person.site, self.visits]
        named = [person.identifier, person.age_years, *(each.column for each in coded if each is not None)]
        named += [each.column for each in self.rows] + [each.column for each in self.values]
        named += [each.missing_where.without for each in self.values if each.missing_where]
        return list(dict.fromkeys(name for name in named if name is not None))

    def is_missing(self, text: str) -> bool:
        """Whether a cell's text stands for no value."""
        return not text or text in self.missing


@dataclass(frozen=True, slots=True)
class LoadedMapping:
    """A mapping as it was read, with its text's SHA-256 and name."""

    mapping: TrialMapping
    text: str
    name: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def moment(self, now: datetime) -> datetime:
        """When the forms count as completed: the moment stated, or that of the import. None is invented."""
        return self.mapping.completed_at or now


def load_mapping(text: str, *, name: str) -> LoadedMapping:
    """Read a mapping file. Raises DocumentInvalid with every mistake and its line."""
    return LoadedMapping(load_document(text, TrialMapping, source=name), text, name)


def _visits_as_the_file_has_them(values: tuple[MappedValue, ...], *, long: bool) -> Iterator[Mistake]:
    for index, value in enumerate(values):
        if long and value.visit:
            yield Mistake(("values", index, "visit"), "The rows say which visit it is. To limit it write visits: [...]")
        elif not long and (value.visit is None or value.visits):
            yield Mistake(("values", index), "Without 'visits' at the top each value names its one visit: visit: ...")


def _each_value_once(values: tuple[MappedValue, ...]) -> Iterator[Mistake]:
    targets = [(value.visit, value.instrument, value.name) for value in values]
    for index, target in enumerate(targets):
        if target in targets[:index]:
            yield Mistake(("values", index), f"Another column gives {target[2]} of {target[1]} already.")
    counts = Counter((value.column, value.visit) for value in values)
    for index, value in enumerate(values):
        if counts[value.column, value.visit] > 1:
            yield Mistake(("values", index, "column"), f"'{value.column}' is taken more than once.")


def _items_or_scores(values: tuple[MappedValue, ...]) -> Iterator[Mistake]:
    kinds: dict[str, bool] = {}
    for index, value in enumerate(values):
        by_items = kinds.setdefault(value.instrument, value.item is not None)
        if by_items != (value.item is not None):
            yield Mistake(("values", index), f"{value.instrument} comes as items or as scores, not as both.")
