"""From rows of text to a trial: every cell that is taken is right, or all that are not are refused at once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from outcomes.imports.mapping import MappedValue, TrialMapping
from outcomes.imports.numbers import is_formula, number
from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.imports.table import Row, Table, missing_columns
from outcomes.imports.trial import ImportedAnswers, ImportedParticipant, ImportedTrial, ImportedValue
from outcomes.scoring import Instrument, load_instrument
from outcomes.scoring.score_rules import Value
from studies.protocol import ProtocolDefinition

_IDENTIFIER = re.compile(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*")
_LONGEST_IDENTIFIER = 30
_AGE = re.compile(r"[0-9]{1,3}")
_OLDEST = 120


def check(mapping: TrialMapping, protocol: ProtocolDefinition, table: Table) -> ImportedTrial:
    """Read a table as the mapping says. The mapping has been held against the protocol before.

    Raises ImportRefused: columns that are missing; or all cells that cannot be taken, each with its row, column
    and value, and why. Of an arm neither value is ever named.
    """
    if refusals := list(missing_columns(mapping.columns(), table, delimiter=mapping.file.delimiter)):
        raise ImportRefused(table.name, refusals)
    checking = _Checking(mapping, protocol)
    taken = [row for row in table.rows if _is_taken(mapping, row)]
    for row in taken:
        checking.take(row)
    if not taken:
        checking.refuse(0, "", "", "No row is left after the filters of the mapping.")
    if checking.refusals:
        raise ImportRefused(table.name, checking.refusals)
    return ImportedTrial(
        participants=tuple(sorted(checking.participants(), key=lambda person: _natural(person.identifier))),
        answers=tuple(checking.answers()),
        arms=checking.arms(),
        rows=len(taken),
        left_out=len(table.rows) - len(taken),
        columns_left_out=tuple(name for name in table.header if name not in mapping.columns()),
    )


def _is_taken(mapping: TrialMapping, row: Row) -> bool:
    texts = ((each, row.cells[each.column]) for each in mapping.rows)
    return all(each.passes(text, missing=mapping.is_missing(text)) for each, text in texts)


def _natural(identifier: str) -> list[tuple[int, str]]:
    """Numbers in a text compare as numbers: 2 before 12."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", identifier) if part]


@dataclass
class _Person:
    """What has been read of one participant so far: of each fact the value and the row that gave it first."""

    row: int
    facts: dict[str, tuple[str, int]] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)


class _Checking:
    """Takes one row after the other and remembers what it refused."""

    def __init__(self, mapping: TrialMapping, protocol: ProtocolDefinition) -> None:
        self._mapping, self._protocol = mapping, protocol
        self._people: dict[str, _Person] = {}
        self._answers: dict[tuple[str, str, str], list[ImportedValue]] = defaultdict(list)
        self._instruments = {value.instrument: load_instrument(value.instrument) for value in mapping.values}
        self.refusals: list[Refusal] = []

    def refuse(self, row: int, column: str, value: str, why: str) -> None:
        self.refusals.append(Refusal(row, column, value, why))

    def take(self, row: Row) -> None:
        identifier = self._identifier(row)
        visit = self._visit(row)
        if identifier is None or visit is None:
            # Whatever else is wrong in the row is said now, not after the first mistake is mended.
            for value in self._mapping.values:
                self._number(row, value, row.cells[value.column])
            return
        person = self._people.setdefault(identifier, _Person(row.number))
        if earlier := person.seen.get(visit):
            at = f" at {visit}" if visit else ""
            column = self._mapping.participant.identifier
            self.refuse(row.number, column, row.cells[column], f"Row {earlier} holds this participant{at} already.")
            return
        person.seen[visit] = row.number
        self._facts(row, person)
        for value in self._mapping.values:
            self._value(row, identifier, visit, value)

    def participants(self) -> Iterator[ImportedParticipant]:
        only_site = self._protocol.sites[0].code
        for identifier, person in self._people.items():
            facts = {name: text for name, (text, _) in person.facts.items()}
            age = facts.get("age_years")
            yield ImportedParticipant(
                identifier=identifier,
                site=facts.get("site", only_site),
                sex=facts.get("sex", ""),
                age_years=int(age) if age else None,
                row=person.row,
            )

    def arms(self) -> dict[str, str]:
        return {identifier: person.facts["arm"][0] for identifier, person in self._people.items()}

    def answers(self) -> Iterator[ImportedAnswers]:
        by_items = {value.instrument for value in self._mapping.values if value.item is not None}
        for (identifier, visit, instrument), values in self._answers.items():
            kind = "item" if instrument in by_items else "score"
            yield ImportedAnswers(identifier, visit, instrument, kind, tuple(values))  # type: ignore[arg-type]

    def _identifier(self, row: Row) -> str | None:
        column = self._mapping.participant.identifier
        text = row.cells[column]
        identifier = f"{self._mapping.study}-{text}"
        if self._mapping.is_missing(text):
            self.refuse(row.number, column, text, "Nobody is named here.")
        elif is_formula(text):
            self.refuse(row.number, column, text, "This is a spreadsheet formula, not an identifier.")
        elif not _IDENTIFIER.fullmatch(text):
            self.refuse(row.number, column, text, "An identifier is letters and digits, parted by - _ or a point.")
        elif len(identifier) > _LONGEST_IDENTIFIER:
            self.refuse(row.number, column, text, f"'{identifier}' is longer than {_LONGEST_IDENTIFIER} characters.")
        else:
            return identifier
        return None

    def _visit(self, row: Row) -> str | None:
        """The visit of a row; empty where a row holds all visits; None where it is refused."""
        if self._mapping.visits is None:
            return ""
        return self._code(row, self._mapping.visits.column, self._mapping.visits.codes, "No visit is named here.")

    def _code(self, row: Row, column: str, codes: Mapping[str, str], if_missing: str) -> str | None:
        text = row.cells[column]
        if self._mapping.is_missing(text):
            if if_missing:
                self.refuse(row.number, column, "", if_missing)
            return None
        if text not in codes:
            self.refuse(row.number, column, text, f"The mapping knows {', '.join(codes)} here, and not this.")
            return None
        return codes[text]

    def _facts(self, row: Row, person: _Person) -> None:
        mapped = self._mapping.participant
        missing_arm = "" if "arm" in person.facts else "The participant has no arm."
        self._fact(
            row, person, "arm", mapped.arm.column, self._code(row, mapped.arm.column, mapped.arm.codes, missing_arm)
        )
        for name, coded in (("sex", mapped.sex), ("site", mapped.site)):
            if coded is not None:
                wanted = "The participant has no site." if name == "site" and name not in person.facts else ""
                found = self._code(row, coded.column, coded.codes, wanted)
                self._fact(row, person, name, coded.column, found)
        if mapped.age_years is not None:
            self._fact(row, person, "age_years", mapped.age_years, self._age(row, mapped.age_years))

    def _fact(self, row: Row, person: _Person, name: str, column: str, found: str | None) -> None:
        """Keep the first value; a row that says otherwise is refused, one that says nothing is not."""
        if found is None:
            return
        first, at = person.facts.setdefault(name, (found, row.number))
        if first != found:
            met = "" if name == "arm" else row.cells[column]
            self.refuse(row.number, column, met, f"Row {at} says otherwise of the same participant.")

    def _age(self, row: Row, column: str) -> str | None:
        text = row.cells[column]
        if self._mapping.is_missing(text):
            return None
        if not _AGE.fullmatch(text) or int(text) > _OLDEST:
            self.refuse(row.number, column, text, f"An age is given in whole years, 0 to {_OLDEST}.")
            return None
        return text

    def _value(self, row: Row, identifier: str, visit: str, value: MappedValue) -> None:
        text = row.cells[value.column]
        if value.visits and visit not in value.visits:
            if not self._mapping.is_missing(text):
                self.refuse(
                    row.number, value.column, text, f"The mapping takes this at {', '.join(value.visits)} only."
                )
            return
        at = value.visit or visit
        found = self._number(row, value, text)
        self._answers[identifier, at, value.instrument].append(
            ImportedValue(value.name, found, row.number, value.column)
        )

    def _number(self, row: Row, value: MappedValue, text: str) -> float | None:
        if self._mapping.is_missing(text):
            return None
        if value.missing_where and self._mapping.is_missing(row.cells[value.missing_where.without]):
            if text != value.missing_where.value:
                why = f"{value.missing_where.without} is missing, so this should be {value.missing_where.value}."
                self.refuse(row.number, value.column, text, why)
            return None
        try:
            found = number(text, self._mapping.file.decimal)
        except ValueError as error:
            self.refuse(row.number, value.column, text, str(error))
            return None
        if problem := _problem(self._instruments[value.instrument], value, found):
            self.refuse(row.number, value.column, text, problem)
        return found


def _problem(instrument: Instrument, value: MappedValue, found: float) -> str | None:
    """What is wrong with a number as this item or score; nothing is ever clipped."""
    if value.item is not None:
        return instrument.items[value.item].problem(found)
    rule = instrument.scores[value.score or ""]
    if isinstance(rule, Value) and rule.of in instrument.items:
        return instrument.items[rule.of].problem(found)
    low, high = rule.range or (found, found)
    if low <= found <= high:
        return None
    return f"{rule.label or value.name} is {found:g}; allowed is {low:g} to {high:g}."
