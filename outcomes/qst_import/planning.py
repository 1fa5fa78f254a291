"""Readings of an export against what is stored: which sessions are new, which trials are, which differ."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from django.db.models import QuerySet
from django.utils import timezone

from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.imports.table import Table
from outcomes.models import Device, QSTSession, QSTTrial
from outcomes.qst_import.checking import ExportReading, KnownParticipant, check
from outcomes.qst_import.mapping import LoadedDeviceMapping
from outcomes.qst_import.reading import read_export
from outcomes.qst_sessions import SessionEntry, TrialEntry
from studies.acting import Actor
from studies.errors import InvalidEntry
from studies.models import Participant, Study, User
from studies.permissions import may_enter_qst, require, visible_participants

Kind = Literal["new", "changed", "equal"]
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Difference:
    """One reading of the file and what is stored of it."""

    kind: Kind
    row: int
    participant: str
    visit: str
    trial: TrialEntry
    old: str

    @property
    def new(self) -> str:
        return _shown(self.trial.value, self.trial.missing_reason)

    @property
    def named(self) -> str:
        """The reading as people name it."""
        trial = self.trial
        return " ".join(filter(None, (trial.area, trial.parameter, trial.direction, str(trial.trial))))


@dataclass(frozen=True)
class Plan:
    """What taking a file would do. Sessions that are new, and trials of saved ones that are new or differ."""

    study: Study
    table: Table
    loaded: LoadedDeviceMapping
    differences: tuple[Difference, ...]
    entries: tuple[SessionEntry, ...]
    corrections: tuple[tuple[QSTSession, tuple[TrialEntry, ...]], ...]

    def count(self, kind: Kind) -> int:
        return sum(difference.kind == kind for difference in self.differences)

    @property
    def needs_reason(self) -> bool:
        """Whether saved sessions would change: that takes a reason."""
        return bool(self.corrections)

    @property
    def digest(self) -> str:
        """Tells this plan from one that has become of it since: what was shown is what is taken."""
        said = [f"{d.kind} {d.participant} {d.visit} {d.named} {d.old} {d.new}" for d in self.differences]
        return hashlib.sha256("\n".join([self.table.sha256, *said]).encode()).hexdigest()


def plan_export(actor: Actor, *, loaded: LoadedDeviceMapping, content: bytes, name: str) -> Plan:
    """Read a file and hold it against what is stored, writing nothing.

    Raises ImportRefused naming every cell that cannot be taken; NotAllowed; InvalidEntry for an unknown study.
    """
    mapping = loaded.mapping
    study = Study.objects.filter(code=mapping.study, origin=Study.Origin.CONDUCTED).first()
    if study is None:
        raise InvalidEntry(f"There is no study {mapping.study} that is conducted here: correct the mapping.")
    table = read_export(content, name=name, written=mapping.file)
    people = {_number(person, mapping.participant.by): person for person in _in_sight(actor, study)}
    people.pop("", None)
    readings = check(mapping, table, _known(people), now=timezone.now())
    by_identifier = {person.identifier: person for person in people.values()}
    concerned = [by_identifier[identifier] for identifier in dict.fromkeys(r.participant for r in readings)]
    if isinstance(actor, User):
        for site in {person.site for person in concerned}:
            require(may_enter_qst(actor, site), f"import QST at site {site.code}")
    return _Planning(actor, study, table, loaded, by_identifier).plan(readings)


def _in_sight(actor: Actor, study: Study) -> QuerySet[Participant]:
    """Those of the study that a person may see; a program sees all."""
    rows = visible_participants(actor) if isinstance(actor, User) else Participant.objects.all()
    return rows.filter(study=study).select_related("site", "study", "allocation", "protocol_version")


def _number(person: Participant, by: str) -> str:
    if by == "identifier":
        return person.identifier
    allocation = getattr(person, "allocation", None)
    return allocation.randomisation_number if allocation else ""


def _known(people: Mapping[str, Participant]) -> dict[str, KnownParticipant]:
    visits: dict[int, set[str]] = defaultdict(set)
    pairs = Participant.objects.filter(pk__in=[person.pk for person in people.values()])
    for key, code in pairs.values_list("pk", "visits__code"):
        visits[key].add(code)
    devices: dict[int, set[str]] = defaultdict(set)
    for site, serial in Device.objects.values_list("site_id", "serial"):
        devices[site].add(serial)
    return {
        name: KnownParticipant(
            person.identifier, frozenset(visits[person.pk]), person.site.time_zone, frozenset(devices[person.site_id])
        )
        for name, person in people.items()
    }


class _Planning:
    """Sorts the readings of one file by session."""

    def __init__(
        self,
        actor: Actor,
        study: Study,
        table: Table,
        loaded: LoadedDeviceMapping,
        people: Mapping[str, Participant],
    ) -> None:
        self._actor, self._study, self._table, self._loaded, self._people = actor, study, table, loaded, people
        self._differences: list[Difference] = []
        self._refusals: list[Refusal] = []

    def plan(self, readings: Sequence[ExportReading]) -> Plan:
        by_session: dict[tuple[str, str], list[ExportReading]] = defaultdict(list)
        for reading in readings:
            by_session[reading.participant, reading.visit].append(reading)
        saved = self._saved(by_session)
        entries, corrections = [], []
        for key, rows in by_session.items():
            session = saved.get(key)
            if session is None:
                entries.append(self._new(rows))
            elif trials := self._compared(session, rows):
                corrections.append((session, trials))
        if self._refusals:
            raise ImportRefused(self._table.name, self._refusals)
        ordered = tuple(sorted(self._differences, key=lambda difference: difference.row))
        return Plan(self._study, self._table, self._loaded, ordered, tuple(e for e in entries if e), tuple(corrections))

    def _saved(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], QSTSession]:
        rows = QSTSession.objects.filter(participant__study=self._study).filter(
            participant__identifier__in={identifier for identifier, _ in keys}
        )
        related = rows.select_related("participant__site", "participant__study", "visit").prefetch_related("trials")
        return {(session.participant.identifier, session.visit.code): session for session in related}

    def _new(self, rows: Sequence[ExportReading]) -> SessionEntry | None:
        places = {reading.place.role: reading.place for reading in rows}
        first = rows[0]
        if "test" not in places:
            why = f"The session of visit {first.visit} has no row of the test area. Export both areas together."
            self._refusals.append(Refusal(first.row, self._loaded.mapping.area.column, first.place.area, why))
            return None
        person = self._people[first.participant]
        control = places.get("control")
        self._differences += [self._difference("new", reading, "") for reading in rows]
        serials = {reading.device for reading in rows if reading.device}
        return SessionEntry(
            participant=person,
            visit=next(visit for visit in person.visits.all() if visit.code == first.visit),
            tested_at=min(reading.at for reading in rows),
            tester=first.tester or self._actor.get_username(),
            test_area=places["test"].area,
            test_side=places["test"].side or "",
            control_area=control.area if control else "",
            control_side=(control.side or "") if control else "",
            trials=[_trial(reading) for reading in rows],
            devices=list(Device.objects.filter(site=person.site, serial__in=serials)),
        )

    def _compared(self, session: QSTSession, rows: Sequence[ExportReading]) -> tuple[TrialEntry, ...]:
        """The trials of a saved session that the file brings or has otherwise."""
        stored = {(t.area, t.parameter, t.direction, t.trial): t for t in session.trials.all()}
        changed = []
        for reading in rows:
            trial = _trial(reading)
            was = stored.get(trial.key)
            kind: Kind = "new" if was is None else "equal" if _same(was, trial) else "changed"
            self._differences.append(
                self._difference(kind, reading, _shown(was.value, was.missing_reason) if was else "")
            )
            if kind != "equal":
                changed.append(trial)
        if any(trial.area == "control" for trial in changed) and not session.control_area:
            why = f"The saved session of visit {session.visit.code} has no control area. Name it there first."
            self._refusals.append(Refusal(rows[0].row, self._loaded.mapping.area.column, "control", why))
        return tuple(changed)

    def _difference(self, kind: Kind, reading: ExportReading, old: str) -> Difference:
        return Difference(kind, reading.row, reading.participant, reading.visit, _trial(reading), old)


def _trial(reading: ExportReading) -> TrialEntry:
    entry = TrialEntry(
        reading.place.role, reading.parameter, reading.trial, reading.value, reading.direction, None, reading.cutoff
    )
    return replace(entry, missing_reason="not_done") if reading.value is None else entry


def _same(was: QSTTrial, now: TrialEntry) -> bool:
    if was.value is None or now.value is None:
        return was.value is now.value
    return abs(was.value - now.value) <= _TOLERANCE and was.cutoff == now.cutoff


def _shown(value: float | None, missing: str | None) -> str:
    return (missing or "").replace("_", " ") if value is None else f"{value:.10g}"
