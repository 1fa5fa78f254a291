"""The forms that a mapping finds in a document, as they would be entered here; or why one cannot be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from outcomes.imports.numbers import number
from outcomes.imports.refusals import Refusal
from outcomes.imports.site_clock import on_site_clock
from outcomes.interchange.cells import Address, Cell
from outcomes.interchange.definitions import Definitions
from outcomes.interchange.definitions import Item as FieldItem
from outcomes.interchange.document import Document
from outcomes.interchange.records_mapping import AnsweredForm, Answers, RecordsMapping
from outcomes.models import Response
from outcomes.response_entry import NOT_IN_SOURCE, ResponseEntry
from outcomes.scoring import Instrument, load_instrument
from outcomes.scoring.items import Item
from studies.errors import InvalidEntry
from studies.models import Participant, Study, Visit

_FORM, _EVENT = "Form.", "Event."


@dataclass(slots=True)
class Given:
    """One form of one subject at one event, as its cells come: by the field of the file."""

    form: AnsweredForm
    cells: dict[str, Cell] = field(default_factory=dict)
    completed: Cell | None = None
    line: int = 0

    def where(self, about: str) -> tuple[int, str, str]:
        """Row, field and value of what an item, or the time of the answers, was read from."""
        cell = self.completed if about == "completed_at" else None
        cell = cell or next((cell for name, cell in self.cells.items() if self.form.items[name] == about), None)
        return (cell.line, cell.address.item, cell.value or "") if cell else (self.line, self.form.form, "")


class Reading:
    """Reads the answers of one document, and remembers what it refused."""

    def __init__(self, document: Document, mapping: RecordsMapping, answers: Answers) -> None:
        self._document, self._mapping, self._answers = document, mapping, answers
        self.refusals: list[Refusal] = []
        study = Study.objects.filter(code=answers.study).first()
        if study is None:
            raise InvalidEntry(f"There is no study {answers.study}.", field="study")
        people = Participant.objects.filter(study=study).select_related("site", "study", "protocol_version")
        self._people = {person.identifier: person for person in people}
        self._visits = {(each.participant_id, each.code): each for each in Visit.objects.filter(participant__in=people)}

    def refuse_other_codes(self, definitions: Definitions) -> bool:
        """Whether fields have codes that their items have not: 1 to 4 for 0 to 3 would be taken for other answers."""
        for form in self._answers.forms:
            instrument = load_instrument(form.instrument)
            for name, item in form.items.items():
                known = definitions.items.get(name)
                if known is not None and not form.codes and (beyond := self._beyond(known, instrument.items[item])):
                    self._refuse(0, name, ", ".join(beyond), _other_codes(known, instrument.items[item]))
        return bool(self.refusals)

    def _beyond(self, field: FieldItem, item: Item) -> list[str]:
        codes = [code for code in field.codes or () if code not in self._mapping.missing_codes]
        return [code for code in codes if not _is_answer(code, item)]

    def forms(self) -> Iterator[tuple[Given, ResponseEntry | None]]:
        """Every form that holds something, with its entry; None for one that is refused."""
        for address, given in self._given().items():
            yield given, self._entry(address, given)

    def _given(self) -> dict[Address, Given]:
        """The mapped cells, by subject, event and form."""
        forms = defaultdict(list)
        for form in self._answers.forms:
            forms[form.form.removeprefix(_FORM)].append(form)
        found: dict[Address, Given] = {}
        for cell in self._document.values:
            for form in forms.get(cell.address.form.removeprefix(_FORM), ()):
                item = cell.address.item
                if item in form.items or item == form.completed_on:
                    # A form of the file may be two instruments here: each is a form of its own.
                    place = cell.address._replace(group=form.instrument, group_repeat="", item="")
                    given = found.setdefault(place, Given(form, line=cell.line))
                    if item == form.completed_on:
                        given.completed = cell
                    if item in form.items and (cell.value or "").strip():
                        given.cells[item] = cell
        return {place: given for place, given in found.items() if given.cells}

    def _entry(self, address: Address, given: Given) -> ResponseEntry | None:
        refused = len(self.refusals)
        person = self._person(address, given)
        visit = self._visit(address, given, person) if person else None
        items, missing = self._items(given, load_instrument(given.form.instrument))
        completed_at = self._completed_at(given, person) if person else None
        if person is None or visit is None or completed_at is None or len(self.refusals) > refused:
            return None
        return ResponseEntry(
            participant=person,
            visit=visit,
            instrument=given.form.instrument,
            items=items,
            missing=missing,
            completed_at=completed_at,
            source=Response.Source.IMPORT,
        )

    def _refuse(self, line: int, column: str, value: str, why: str) -> None:
        self.refusals.append(Refusal(line, column, value, why))

    def _person(self, address: Address, given: Given) -> Participant | None:
        identifier = self._answers.participant.replace("{subject}", address.subject)
        person = self._people.get(identifier)
        if person is None:
            why = f"{self._answers.study} has no participant {identifier}. Nobody is enrolled by an import."
            self._refuse(given.line, "subject", address.subject, why)
        return person

    def _visit(self, address: Address, given: Given, person: Participant) -> Visit | None:
        event = address.event.removeprefix(_EVENT)
        code = self._answers.events.get(event) or self._answers.events.get(address.event)
        code = code or (self._answers.visit if not event else None)
        if code is None:
            why = "The mapping names no visit for this event." if event else "The mapping names no visit for the file."
            self._refuse(given.line, "event", event, why)
            return None
        if address.form_repeat not in {"", "1"} or address.event_repeat not in {"", "1"}:
            why = f"{person} has this form more than once at {code}: a form is answered once at a visit."
            self._refuse(given.line, address.form, address.form_repeat, why)
            return None
        visit = self._visits.get((person.pk, code))
        if visit is None:
            self._refuse(given.line, "event", event, f"{person} has no visit {code}.")
        return visit

    def _items(self, given: Given, instrument: Instrument) -> tuple[dict[str, float | None], dict[str, str]]:
        items: dict[str, float | None] = dict.fromkeys(instrument.items)
        missing = dict.fromkeys(instrument.items, NOT_IN_SOURCE)
        codes: Mapping[str, str] = self._mapping.missing_codes
        for field_name, cell in given.cells.items():
            name, text = given.form.items[field_name], (cell.value or "").strip()
            if text in codes:
                missing[name] = codes[text]
                continue
            try:
                items[name] = _answer(text, given.form, instrument, name)
            except ValueError as error:
                self._refuse(cell.line, cell.address.item, text, str(error))
        return items, {name: why for name, why in missing.items() if items[name] is None}

    def _completed_at(self, given: Given, person: Participant) -> datetime | None:
        if given.completed is None or not given.completed.value:
            if self._answers.completed_at is None:
                self._refuse(given.line, given.form.form, "", "Nothing says when it was answered.")
            return self._answers.completed_at
        try:
            return moment_of(given.completed.value.strip(), ZoneInfo(person.site.time_zone))
        except ValueError as error:
            self._refuse(given.completed.line, given.completed.address.item, given.completed.value, str(error))
            return None


def _answer(text: str, form: AnsweredForm, instrument: Instrument, name: str) -> float:
    """The answer of a cell. Raises ValueError saying what it is instead."""
    if form.codes and text not in form.codes:
        raise ValueError(f"The mapping says what the codes {', '.join(form.codes)} are here, and not this.")
    value = form.codes[text] if form.codes else number(text, ".")
    if problem := instrument.items[name].problem(value):
        raise ValueError(problem)
    return value


def _is_answer(code: str, item: Item) -> bool:
    try:
        return not item.problem(number(code, "."))
    except ValueError:
        return False


def _other_codes(field: FieldItem, item: Item) -> str:
    return (
        f"Its codes are {', '.join(field.codes or ())}; {item.label} has {item.min:g} to {item.max:g}. Say what"
        " its codes are here, or which of them say why there is no answer."
    )


def moment_of(text: str, zone: ZoneInfo) -> datetime:
    """A day or moment as it stands in a file, on the clock of the site where it names no offset.

    Raises ValueError for a text that is none, and for a time at which that clock stood twice or never.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("A date is expected as 2024-05-31, or a date and time.") from None
    if moment.tzinfo is not None:
        return moment
    try:
        return on_site_clock(moment, zone)
    except ValueError as error:
        raise ValueError(f"{error} Write its offset from UTC.") from None
