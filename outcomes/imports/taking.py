"""Taking a finished trial into the study's tables: all of it in one transaction, then its arms to the other side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from outcomes.imports.arms import ClosedSide
from outcomes.imports.checking import check
from outcomes.imports.differences import differences
from outcomes.imports.mapping import LoadedMapping, TrialMapping
from outcomes.imports.mapping_references import refuse_contradictions
from outcomes.imports.refusals import SourceChanged
from outcomes.imports.table import Table, read_table
from outcomes.imports.trial import ImportedAnswers, ImportedTrial
from outcomes.instrument_versions import current, load_instruments
from outcomes.models import ImportedFile, InstrumentVersion, Response
from outcomes.responses import NOT_IN_SOURCE, insert_imported, score_row
from outcomes.scoring import load_instrument, score
from studies.acting import Actor, verb
from studies.enrolment import planned_visits
from studies.errors import InvalidEntry
from studies.models import Participant, ProtocolVersion, Study, Visit
from studies.protocol import ProtocolDefinition
from studies.protocols import load_protocol

NO_VALUES = "No value in the imported file"
# In place of a scoring version: nothing here scored it.
NOT_SCORED = "imported"
_Status = Response.Status


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read under its mapping and found right, and not yet stored."""

    loaded: LoadedMapping
    table: Table
    trial: ImportedTrial


@dataclass(frozen=True, slots=True)
class ProtocolFile:
    """A protocol file that is loaded in the same transaction."""

    text: str
    name: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import stored. `new` is false where the same had been imported before and nothing was written."""

    study: Study
    new: bool
    arms_handed_over: bool


def read_source(loaded: LoadedMapping, protocol: ProtocolDefinition, *, content: bytes, name: str) -> Source:
    """Read a file under a mapping, writing nothing.

    Raises studies.protocol.DocumentInvalid for a mapping that contradicts protocol or instruments; ImportRefused
    naming every cell that cannot be taken.
    """
    refuse_contradictions(loaded, protocol)
    table = read_table(content, name=name, written=loaded.mapping.file)
    return Source(loaded, table, check(loaded.mapping, protocol, table))


def import_trial(
    actor: Actor, *, source: Source, closed_side: ClosedSide, protocol_file: ProtocolFile | None = None
) -> Imported:
    """Store a trial that was read, then hand its arms to the unblinded side. Safe to repeat.

    Raises SourceChanged naming every value that is stored otherwise; nothing is overwritten. Raises ArmsNotStored
    after the rest is stored: the same import goes on from there.
    """
    study, new = take(actor, source=source, protocol_file=protocol_file)
    same_file = study.imported_files.filter(sha256=source.table.sha256).exists()
    if same_file and not study.participants.filter(allocation__isnull=True).exists():
        return Imported(study, new, arms_handed_over=False)
    keys = dict(study.participants.values_list("identifier", "pk"))
    closed_side.store(study, {keys[identifier]: arm for identifier, arm in source.trial.arms.items()})
    return Imported(study, new, arms_handed_over=True)


@verb(because="finished trial imported")
def take(actor: Actor, *, source: Source, protocol_file: ProtocolFile | None = None) -> tuple[Study, bool]:
    """Store participants, visits and answers, or find that they are stored. Returns whether anything was written.

    Raises SourceChanged; InvalidEntry without a protocol, or for a study that is conducted here.
    """
    if protocol_file:
        protocol = load_protocol(actor, text=protocol_file.text, source=protocol_file.name)
    else:
        protocol = stored_protocol(source.loaded.mapping)
    # Two imports at once: the second waits here and finds everything stored.
    study = Study.objects.select_for_update().get(pk=protocol.study_id)
    if study.origin != Study.Origin.IMPORTED:
        raise InvalidEntry(f"{study} is conducted here: nothing can be imported into it.", field="study")
    if study.participants.exists():
        refuse_changes(study, source)
        return study, False
    load_instruments(actor)
    study.import_attestation = str(source.loaded.mapping.attestation)
    study.save(update_fields=["import_attestation"])
    file = _file(study, source)
    visits = _visits(_participants(study, protocol, source), protocol, source)
    insert_imported(_responses(source, visits, file, source.loaded.moment(timezone.now())))
    return study, True


def stored_protocol(mapping: TrialMapping) -> ProtocolVersion:
    """The protocol version that a mapping is for. Raises InvalidEntry if it was not loaded."""
    version = ProtocolVersion.objects.filter(study__code=mapping.study, version=mapping.protocol).first()
    if version is None:
        raise InvalidEntry(
            f"Protocol {mapping.protocol} of {mapping.study} is not loaded: give its file with --protocol.",
            field="protocol",
        )
    return version


def refuse_changes(study: Study, source: Source) -> None:
    """Raises SourceChanged if the file says anything else than what is stored."""
    if changed := differences(study, source.loaded.mapping, source.trial):
        raise SourceChanged(source.table.name, changed)


def _file(study: Study, source: Source) -> ImportedFile:
    """The file by its hash: its contents hold the arms and are kept nowhere."""
    table = source.table
    return ImportedFile.objects.create(
        study=study,
        name=table.name,
        sha256=table.sha256,
        bytes=table.bytes,
        mapping_sha256=source.loaded.sha256,
        rows=len(table.rows),
    )


def _participants(study: Study, protocol: ProtocolVersion, source: Source) -> list[Participant]:
    """Numbered in the order of their identifiers, never of the file: files are often sorted by arm."""
    sites = {site.code: site for site in study.sites.all()}
    return Participant.objects.bulk_create(
        Participant(
            study=study,
            site=sites[person.site],
            protocol_version=protocol,
            identifier=person.identifier,
            screening_number=number,
            status=Participant.Status.COMPLETED,
            sex=person.sex,
            age_years=person.age_years,
        )
        for number, person in enumerate(source.trial.participants, start=1)
    )


def _visits(
    participants: Sequence[Participant], protocol: ProtocolVersion, source: Source
) -> dict[tuple[str, str], Visit]:
    """Every planned visit of everybody, in order and without a date; missed where the file has no value of it."""
    planned = planned_visits(protocol.definition)
    done = source.trial.visits_done
    visits = [
        Visit(
            participant=participant,
            code=visit.id,
            position=position,
            **_status((participant.identifier, visit.id) in done),
        )
        for participant in participants
        for position, visit in enumerate(planned, start=1)
    ]
    return {(visit.participant.identifier, visit.code): visit for visit in Visit.objects.bulk_create(visits)}


def _status(done: bool) -> dict[str, str]:
    if done:
        return {"status": Visit.Status.DONE}
    return {"status": Visit.Status.MISSED, "missed_reason": NO_VALUES}


def _responses(
    source: Source, visits: dict[tuple[str, str], Visit], file: ImportedFile, completed_at: datetime
) -> list[dict[str, Any]]:
    versions = current({each.instrument for each in source.trial.answers})
    rows = []
    for answers in sorted(source.trial.answers, key=lambda each: visits[each.participant, each.visit].pk):
        visit = visits[answers.participant, answers.visit]
        if visit.status == Visit.Status.DONE:
            row = _response(answers, versions[answers.instrument])
            about = {"participant": visit.participant_id, "visit": visit.pk, "imported_file": file.pk}
            rows.append({**row, **about, "completed_at": completed_at})
    return rows


def _response(answers: ImportedAnswers, version: InstrumentVersion) -> dict[str, Any]:
    """One row as insert_imported takes it. Nothing in it calls for a person: the trial is over."""
    row: dict[str, Any] = {"instrument": version.pk, "source": Response.Source.IMPORT, "not_done_reason": ""}
    row |= {"day": None, "minute": None, "respondent": ""}
    if not answers.given:
        nothing = {"status": _Status.NOT_DONE, "not_done_reason": NO_VALUES, "items": [], "scores": []}
        return row | nothing | {"scoring_version": NOT_SCORED}
    if answers.kind == "item":
        return row | _scored_items(answers, version)
    complete = answers.given == len(answers.values)
    status = _Status.COMPLETE if complete else _Status.PARTIAL
    return row | {"status": status, "items": [], "scores": _scores(answers), "scoring_version": NOT_SCORED}


def _scores(answers: ImportedAnswers) -> list[dict[str, Any]]:
    """Scores that came without their items, each with the column it stood in."""
    rows = []
    for each in answers.values:
        row = score_row(each.name, each.value) | {"source_column": each.column}
        rows.append(row if each.value is not None else row | {"missing_reason": NOT_IN_SOURCE})
    return rows


def _scored_items(answers: ImportedAnswers, version: InstrumentVersion) -> dict[str, Any]:
    """Items as they came, and the scores they give here. An item that the file lacks has that as its reason."""
    instrument = load_instrument(answers.instrument)
    given = {each.name: each.value for each in answers.values if each.value is not None}
    items = [
        {"item": name, "value": given.get(name), "missing_reason": None if name in given else NOT_IN_SOURCE}
        for name in instrument.items
    ]
    return {
        "status": _Status.PARTIAL if instrument.open_items(given) else _Status.COMPLETE,
        "items": items,
        "scores": [score_row(name, value) for name, value in score(answers.instrument, given).values.items()],
        "scoring_version": version.scoring_version,
    }
