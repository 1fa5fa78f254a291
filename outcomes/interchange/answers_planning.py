"""Which values of a file are answers to instruments here, held against what is stored: nothing is written."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from outcomes.arm_revealing import tells
from outcomes.imports.refusals import Refusal
from outcomes.instrument_versions import current
from outcomes.interchange.answers_reading import Given, Reading
from outcomes.interchange.definitions import read_definitions
from outcomes.interchange.document import Document
from outcomes.interchange.records_mapping import RecordsMapping
from outcomes.models import Response, ResponseItem
from outcomes.response_entry import ResponseEntry, checked_items
from outcomes.scoring import load_instrument
from studies.consents import require_collection
from studies.errors import ConsentMissing, InvalidEntries
from studies.models import Participant, User
from studies.permissions import may_enter_response, may_manage_data

Place = tuple[str, str, str]
OWN_ANSWERS = "A participant's own answers are not changed: put a note beside them."


@dataclass(frozen=True, slots=True)
class AnsweredItem:
    """An answer that is stored otherwise: the item, and the field and row of the file that say something else."""

    item: str
    field: str
    line: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class AnsweredChange:
    """A form that is stored with other answers than the file has: only those that differ."""

    response: Response
    items: Mapping[str, float | None]
    missing: Mapping[str, str]
    answers: tuple[AnsweredItem, ...]


@dataclass(frozen=True)
class AnswersPlan:
    """What the answers of a file would change. Whole forms are new, changed, equal or refused.

    lines: the row at which each new form begins. left_out: how many forms the refusals are about.
    """

    new: tuple[ResponseEntry, ...] = ()
    lines: tuple[int, ...] = ()
    changed: tuple[AnsweredChange, ...] = ()
    equal: tuple[Place, ...] = ()
    refused: tuple[Refusal, ...] = ()
    left_out: int = 0

    @property
    def is_nothing(self) -> bool:
        """Whether the file has no answer that could be taken and is not here."""
        return not self.new and not self.changed

    @cached_property
    def counts(self) -> dict[str, tuple[int, int, int]]:
        """New, changed and equal forms, by the key of the instrument."""
        new = Counter(entry.instrument for entry in self.new)
        changed = Counter(change.response.instrument.key for change in self.changed)
        equal = Counter(instrument for _, _, instrument in self.equal)
        return {key: (new[key], changed[key], equal[key]) for key in sorted({*new, *changed, *equal})}

    @cached_property
    def digest(self) -> str:
        """What was shown, in short: whoever takes the answers says which difference they saw."""
        shown = [
            [[*place_of(entry), dict(entry.items), str(entry.completed_at)] for entry in self.new],
            [[change.response.pk, [[a.item, a.old, a.new] for a in change.answers]] for change in self.changed],
            [str(refusal) for refusal in self.refused],
        ]
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def plan_answers(document: Document, mapping: RecordsMapping, *, user: User | None = None) -> AnswersPlan:
    """Find the answers in a document, and compare them with what is stored.

    user: who would enter them, and sees the difference; without one nothing is asked of roles. Nobody is enrolled and
    no value is guessed: a form that cannot be an answer is refused with every reason and its row. Raises InvalidEntry
    for a study that is not here.
    """
    if mapping.answers is None:
        return AnswersPlan()
    reading = Reading(document, mapping, mapping.answers)
    definitions = read_definitions(document.study, document.version_oid) if document.study else None
    if definitions is not None and reading.refuse_other_codes(definitions):
        return AnswersPlan(refused=tuple(reading.refusals))
    found = list(reading.forms())
    comparing = _Comparing(user, found)
    for given, entry in found:
        if entry is not None:
            comparing.add(given, entry)
    refused = (*reading.refusals, *comparing.refusals)
    return AnswersPlan(
        tuple(comparing.new),
        tuple(comparing.lines),
        tuple(comparing.changed),
        tuple(comparing.equal),
        tuple(sorted(refused, key=lambda refusal: refusal.row)),
        len(found) - len(comparing.new) - len(comparing.changed) - len(comparing.equal),
    )


def place_of(entry: ResponseEntry) -> Place:
    """Where a form belongs: participant, visit, instrument. There is one."""
    return entry.participant.identifier, entry.visit.code if entry.visit else "", entry.instrument


@dataclass
class _Comparing:
    """Holds forms against what is stored, and remembers what it refused."""

    user: User | None
    found: Iterable[tuple[Given, ResponseEntry | None]]
    new: list[ResponseEntry] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    changed: list[AnsweredChange] = field(default_factory=list)
    equal: list[Place] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    _seen: dict[Place, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        entries = [entry for _, entry in self.found if entry is not None]
        self._stored = _stored(entries)
        self._versions = current({entry.instrument for entry in entries})
        self._consents: dict[tuple[int, str], str] = {}

    def add(self, given: Given, entry: ResponseEntry) -> None:
        place = place_of(entry)
        if why := self._why_not(given, entry):
            self.refusals.append(Refusal(given.line, given.form.form, entry.participant.identifier, why))
            return
        self._seen[place] = given.line
        known = self._stored.get(place)
        if known is not None:
            self._compare(given, entry, *known)
        elif self._keeps_the_rules(given, entry):
            self.new.append(entry)
            self.lines.append(given.line)

    def _why_not(self, given: Given, entry: ResponseEntry) -> str:
        """Why a form as a whole cannot be entered: by this person, of this participant, a second time."""
        version = self._versions[entry.instrument]
        if self.user is not None and not _may_enter(self.user, entry.participant, tells(entry.participant, version)):
            return f"Your role does not allow you to enter {version.name} at site {entry.participant.site.code}."
        if at := self._seen.get(place_of(entry)):
            return f"Row {at} gives {version.name} of {entry.participant} at this visit already."
        return self._no_consent(entry)

    def _no_consent(self, entry: ResponseEntry) -> str:
        key = (entry.participant.pk, entry.instrument)
        if key not in self._consents:
            try:
                require_collection(entry.participant, entry.instrument)
                self._consents[key] = ""
            except ConsentMissing as error:
                self._consents[key] = error.message
        return self._consents[key]

    def _keeps_the_rules(self, given: Given, entry: ResponseEntry) -> bool:
        """Whether the form can be saved as it is; else every problem is refused at its field."""
        try:
            checked_items(entry, load_instrument(entry.instrument))
        except InvalidEntries as error:
            for problem in error.problems:
                line, name, value = given.where(problem.field or "")
                self.refusals.append(Refusal(line, name, value, problem.message))
            return False
        return True

    def _compare(self, given: Given, entry: ResponseEntry, response: Response, old: Mapping[str, float | None]) -> None:
        """A form that is here: the same, or other answers, which may be corrected unless they are somebody's own."""
        items = {given.form.items[name]: cell for name, cell in given.cells.items()}
        differing = {name: entry.items[name] for name in items if entry.items[name] != old.get(name)}
        if not differing:
            self.equal.append(place_of(entry))
            return
        if why := _never_corrected(response):
            self.refusals.append(Refusal(given.line, given.form.form, entry.participant.identifier, why))
            return
        answers = tuple(
            AnsweredItem(n, items[n].address.item, items[n].line, said(old.get(n)), said(new))
            for n, new in differing.items()
        )
        missing = {name: why for name, why in entry.missing.items() if name in differing}
        self.changed.append(AnsweredChange(response, differing, missing, answers))


def _may_enter(user: User, participant: Participant, arm_revealing: bool) -> bool:
    """Whoever may enter the form at the desk; and the data manager, unless it tells the arm."""
    entered = may_enter_response(user, participant.site, arm_revealing=arm_revealing)
    return entered or (may_manage_data(user, participant.study) and not arm_revealing)


def _never_corrected(response: Response) -> str:
    if response.source == Response.Source.PARTICIPANT:
        return OWN_ANSWERS
    if response.status in {Response.Status.NOT_DONE, Response.Status.REFUSED}:
        return "The form is stored as not done. Enter its answers at the desk, or leave them out."
    if any(score.imported for score in response.scores.all()):
        return "This form came as scores, without its answers: an imported score is never rescored."
    return ""


def said(value: float | None) -> str:
    """An answer for people; nothing where it is open."""
    return "" if value is None else f"{value:g}"


def _stored(entries: Iterable[ResponseEntry]) -> dict[Place, tuple[Response, dict[str, float | None]]]:
    entries = list(entries)
    responses = (
        Response.objects.filter(
            participant__in={entry.participant.pk for entry in entries},
            visit__isnull=False,
            minute__isnull=True,
            instrument__key__in={entry.instrument for entry in entries},
        )
        .select_related("participant__site", "participant__study", "participant__protocol_version")
        .select_related("visit", "instrument")
        .prefetch_related("scores")
    )
    items: dict[int, dict[str, float | None]] = defaultdict(dict)
    for response, item, value in ResponseItem.objects.filter(response__in=responses).values_list(
        "response_id", "item", "value"
    ):
        items[response][item] = value
    return {_place_of_response(each): (each, items[each.pk]) for each in responses}


def _place_of_response(response: Response) -> Place:
    return response.participant.identifier, response.visit.code if response.visit else "", response.instrument.key


def changes_of(planned: AnswersPlan) -> Iterator[tuple[AnsweredChange, AnsweredItem]]:
    """Every answer that is stored otherwise, with its form."""
    for change in planned.changed:
        for answer in change.answers:
            yield change, answer
