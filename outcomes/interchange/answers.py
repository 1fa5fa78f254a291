"""Values of a file as answers to instruments here: through the verbs that people's own entries go through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from outcomes.imports.numbers import number
from outcomes.imports.refusals import Difference as StoredOtherwise
from outcomes.imports.refusals import ImportRefused, Refusal, SourceChanged
from outcomes.interchange.cells import Address, Cell
from outcomes.interchange.document import Document
from outcomes.interchange.records_mapping import AnsweredForm, Answers, RecordsMapping
from outcomes.models import Response, ResponseItem
from outcomes.responses import NOT_IN_SOURCE, ResponseEntry, correct_response, save_responses
from outcomes.scoring import Instrument, load_instrument
from studies.acting import verb
from studies.errors import InvalidEntry
from studies.models import Participant, Study, User, Visit

_FORM, _EVENT = "Form.", "Event."
Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class AnsweredChange:
    """A form that is stored with other answers than the file has: only those that differ."""

    response: Response
    items: Mapping[str, float | None]
    old: Mapping[str, float | None]
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class AnswersPlan:
    """What the answers of a file would change. Forms, not single items, are new or equal."""

    new: tuple[ResponseEntry, ...]
    changed: tuple[AnsweredChange, ...]
    equal: int

    @property
    def is_nothing(self) -> bool:
        """Whether the file has no answer that is not here."""
        return not self.new and not self.changed


@dataclass(slots=True)
class _Given:
    """One form of one subject at one event, as its cells come."""

    form: AnsweredForm
    items: dict[str, Cell] = field(default_factory=dict)
    completed: Cell | None = None
    line: int = 0


def plan_answers(document: Document, mapping: RecordsMapping) -> AnswersPlan:
    """Find the answers in a document, and compare them with what is stored.

    Raises ImportRefused naming every subject, event and value that cannot be an answer; nobody is enrolled, and no
    value is guessed. InvalidEntry for a study that is not here.
    """
    if mapping.answers is None:
        return AnswersPlan((), (), 0)
    planning = _Planning(document, mapping, mapping.answers)
    entries = [entry for entry in planning.entries() if entry is not None]
    if planning.refusals:
        raise ImportRefused(document.name, planning.refusals)
    return _compared(entries, planning.cells)


@verb(because="answers imported from a file of another system")
def take_answers(
    user: User, *, document: Document, mapping: RecordsMapping, changed: str = "refuse", reason: str = ""
) -> AnswersPlan:
    """Save new answers, and correct changed ones if so chosen, with the reason. Safe to repeat.

    Raises what plan_answers and the verbs of responses raise; SourceChanged where changed answers are not decided.
    """
    planned = plan_answers(document, mapping)
    if planned.changed and changed == "refuse":
        raise SourceChanged(document.name, [each for change in planned.changed for each in _otherwise(change)])
    if planned.changed and changed == "correct" and not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")
    save_responses(user, entries=planned.new)
    for change in planned.changed if changed == "correct" else ():
        correct_response(user, response=change.response, items=change.items, reason=reason)
    return planned


def _otherwise(change: AnsweredChange) -> Iterator[StoredOtherwise]:
    for item, new in change.items.items():
        cell = change.cells[item]
        about = f"{change.response.participant}, {change.response.instrument.name} item {item}"
        yield StoredOtherwise(cell.line, cell.address.item, about, _text(change.old[item]), _text(new))


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


class _Planning:
    """Reads the answers of one document, and remembers what it refused."""

    def __init__(self, document: Document, mapping: RecordsMapping, answers: Answers) -> None:
        self._document, self._mapping, self._answers = document, mapping, answers
        self.refusals: list[Refusal] = []
        self.cells: dict[Place, dict[str, Cell]] = {}
        self._study = Study.objects.filter(code=answers.study).first()
        if self._study is None:
            raise InvalidEntry(f"There is no study {answers.study}.", field="study")
        people = Participant.objects.filter(study=self._study).select_related("site", "study", "protocol_version")
        self._people = {person.identifier: person for person in people}
        rows = Visit.objects.filter(participant__study=self._study)
        self._visits = {(visit.participant_id, visit.code): visit for visit in rows}

    def entries(self) -> Iterator[ResponseEntry | None]:
        for address, given in self._given().items():
            yield self._entry(address, given)

    def _given(self) -> dict[Address, _Given]:
        """The mapped cells, by subject, event and form."""
        forms = defaultdict(list)
        for form in self._answers.forms:
            forms[form.form.removeprefix(_FORM)].append(form)
        found: dict[Address, _Given] = {}
        for cell in self._document.values:
            for form in forms.get(cell.address.form.removeprefix(_FORM), ()):
                item = cell.address.item
                if item in form.items or item == form.completed_on:
                    place = cell.address._replace(group=form.instrument, group_repeat="", item="")
                    given = found.setdefault(place, _Given(form, line=cell.line))
                    if item == form.completed_on:
                        given.completed = cell
                    else:
                        given.items[form.items[item]] = cell
        return {place: given for place, given in found.items() if given.items}

    def _entry(self, address: Address, given: _Given) -> ResponseEntry | None:
        person = self._person(address, given)
        visit = self._visit(address, given, person) if person else None
        instrument = load_instrument(given.form.instrument)
        items, missing = self._items(given, instrument)
        if person is None or visit is None:
            return None
        completed_at = self._completed_at(address, given, person)
        if completed_at is None:
            return None
        self.cells[person.identifier, visit.code, instrument.key] = given.items
        return ResponseEntry(
            participant=person,
            visit=visit,
            instrument=instrument.key,
            items=items,
            missing=missing,
            completed_at=completed_at,
            source=Response.Source.IMPORT,
        )

    def _refuse(self, line: int, column: str, value: str, why: str) -> None:
        self.refusals.append(Refusal(line, column, value, why))

    def _person(self, address: Address, given: _Given) -> Participant | None:
        identifier = self._answers.participant.replace("{subject}", address.subject)
        person = self._people.get(identifier)
        if person is None:
            why = f"{self._answers.study} has no participant {identifier}. Nobody is enrolled by an import."
            self._refuse(given.line, "subject", address.subject, why)
        return person

    def _visit(self, address: Address, given: _Given, person: Participant) -> Visit | None:
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

    def _items(self, given: _Given, instrument: Instrument) -> tuple[dict[str, float | None], dict[str, str]]:
        items: dict[str, float | None] = dict.fromkeys(instrument.items)
        missing = dict.fromkeys(instrument.items, NOT_IN_SOURCE)
        for name, cell in given.items.items():
            text = (cell.value or "").strip()
            if text in self._mapping.missing_codes or not text:
                missing[name] = self._mapping.missing_codes.get(text, "not_answered")
                continue
            try:
                value = number(text, ".")
                if problem := instrument.items[name].problem(value):
                    raise ValueError(problem)  # noqa: TRY301 - both are refused in the same words
            except ValueError as error:
                self._refuse(cell.line, cell.address.item, text, str(error))
                continue
            items[name] = value
        return items, {name: why for name, why in missing.items() if items[name] is None}

    def _completed_at(self, address: Address, given: _Given, person: Participant) -> datetime | None:
        if given.completed is None or not given.completed.value:
            if self._answers.completed_at is None:
                self._refuse(given.line, address.form, "", "Nothing says when it was answered.")
            return self._answers.completed_at
        try:
            moment = datetime.fromisoformat(given.completed.value)
        except ValueError:
            why = "A date is expected as 2024-05-31, or a date and time."
            self._refuse(given.line, given.completed.address.item, given.completed.value, why)
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(person.site.time_zone))


def _compared(entries: Sequence[ResponseEntry], cells: Mapping[Place, Mapping[str, Cell]]) -> AnswersPlan:
    stored = _stored(entries)
    new, changed, equal = [], [], 0
    for entry in entries:
        place = _place(entry)
        known = stored.get(place)
        if known is None:
            new.append(entry)
            continue
        response, old = known
        differing = {name: entry.items[name] for name in cells[place] if entry.items[name] != old.get(name)}
        if differing:
            changed.append(AnsweredChange(response, differing, {n: old.get(n) for n in differing}, cells[place]))
        else:
            equal += 1
    return AnswersPlan(tuple(new), tuple(changed), equal)


def _place(entry: ResponseEntry) -> Place:
    return entry.participant.identifier, entry.visit.code if entry.visit else "", entry.instrument


def _stored(entries: Iterable[ResponseEntry]) -> dict[Place, tuple[Response, dict[str, float | None]]]:
    entries = list(entries)
    responses = Response.objects.filter(
        participant__in={entry.participant.pk for entry in entries},
        visit__isnull=False,
        minute__isnull=True,
        instrument__key__in={entry.instrument for entry in entries},
    ).select_related("participant__site", "participant__study", "participant__protocol_version", "visit", "instrument")
    items: dict[int, dict[str, float | None]] = defaultdict(dict)
    rows = ResponseItem.objects.filter(response__in=responses)
    for response, item, value in rows.values_list("response_id", "item", "value"):
        items[response][item] = value
    return {
        (each.participant.identifier, each.visit.code if each.visit else "", each.instrument.key): (
            each,
            items[each.pk],
        )
        for each in responses
    }
