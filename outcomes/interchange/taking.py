"""Taking a file of another system into a study: all of it in one transaction, and nothing overwritten."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from outcomes.imports.refusals import Difference as StoredOtherwise
from outcomes.imports.refusals import ImportRefused, SourceChanged
from outcomes.interchange.cells import Cell
from outcomes.interchange.difference import Change, merged
from outcomes.interchange.document import Document
from outcomes.interchange.planning import Plan, plan, taken_before
from outcomes.interchange.reading import Brought
from outcomes.interchange.reporting import Report, report_of
from outcomes.interchange.sources import Source
from outcomes.interchange.stored import Progress, insert_cells, row_of
from outcomes.models import ImportedCell, ImportedDefinitions, ImportedFile, ImportReport, OriginalFile
from studies.acting import Actor, verb
from studies.errors import InvalidEntry
from studies.models import Membership, Role, Study, User
from studies.permissions import may_manage_data, require


def unwatched(done: int, of: int) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What is done with values that are stored otherwise, and with values that break their own definition."""

    changed: Literal["refuse", "correct", "leave"] = "refuse"
    doubtful: Literal["refuse", "keep", "leave"] = "refuse"


@dataclass(frozen=True, slots=True)
class Taken:
    """What an import did. `new` is false where the same file had been taken before: nothing was written then."""

    study: Study
    file: ImportedFile
    report: Report
    new: bool


@verb(because="file of another system imported")
def take(
    user: Actor,
    *,
    brought: Brought,
    study_code: str,
    attestation: str = "",
    choices: Choices | None = None,
    reason: str = "",
    shown: str = "",
    progress: Progress = unwatched,
) -> Taken:
    """Take a file: new values in, changed ones as chosen. Safe to repeat.

    attestation: who answers for it that these people consented; needed for a study that is not here yet. reason: why
    stored values are corrected, or values kept that break their definition. shown: the digest of the difference that
    was looked at; what is stored may have changed since. progress: told how many values are in, of how many.
    Raises NotAllowed; ImportRefused; SourceChanged naming what is stored otherwise; InvalidEntry without a reason or an
    attestation that is needed. Nothing is written then.
    """
    choices = choices or Choices()
    study = _study(user, study_code)
    if study is not None and (before := taken_before(study, brought.file.sha256)):
        return _again(study, before)
    planned = plan(brought, study_code=study_code)
    report = report_of(planned, changed=choices.changed, doubtful=choices.doubtful, reason=reason)
    if shown and shown != report.digest:
        raise InvalidEntry("What is stored has changed since this difference was shown. Look at it again.")
    _refuse_undecided(planned, choices, reason)
    study = study or _begun(user, planned, study_code, attestation)
    file = _file(study, brought.file, planned.document)
    for source in (brought.dictionary, brought.events):
        if source is not None:
            _file(study, source, planned.document)
    _take_definitions(study, file, planned)
    insert_cells(_rows(study, file, planned, choices, reason), progress=progress)
    ImportReport.objects.create(imported_file=file, format=planned.document.format, content=report.as_json())
    return Taken(study, file, report, new=True)


def _study(user: Actor, code: str) -> Study | None:
    """The study, locked: of two imports at once the second finds everything stored."""
    study = Study.objects.select_for_update().filter(code=code).first()
    if isinstance(user, User):
        allowed = may_manage_data(user, study) if study else may_bring_studies(user)
        require(allowed, "import data of other systems here")
    return study


def may_bring_studies(user: User) -> bool:
    """Who manages the data of any whole study may bring in another one."""
    roles = Membership.objects.filter(user=user, role=Role.DATA_MANAGER, site__isnull=True, ended_at__isnull=True)
    return user.is_active and roles.exists()


def _again(study: Study, file: ImportedFile) -> Taken:
    return Taken(study, file, Report.from_json(ImportReport.objects.get(imported_file=file).content), new=False)


def _refuse_undecided(planned: Plan, choices: Choices, reason: str) -> None:
    name = planned.document.name
    if planned.doubts and choices.doubtful == "refuse":
        raise ImportRefused(name, [doubt.refusal for doubt in planned.doubts])
    if planned.difference.changed and choices.changed == "refuse":
        raise SourceChanged(name, [_otherwise(change) for change in planned.difference.changed])
    corrects = planned.difference.changed and choices.changed == "correct"
    keeps = planned.doubts and choices.doubtful == "keep"
    if (corrects or keeps) and not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")


def _otherwise(change: Change) -> StoredOtherwise:
    cell = change.cell
    new = "" if cell.removed else cell.value or ""
    old = "" if change.stored.removed else change.stored.value or ""
    return StoredOtherwise(cell.line, cell.address.item, str(cell.address), old, new)


def _begun(user: Actor, planned: Plan, code: str, attestation: str) -> Study:
    if not attestation.strip():
        raise InvalidEntry(
            "Say who answers for it that these people consented: a study of another system comes without its consents.",
            field="attestation",
        )
    title = _title(planned.document) or code
    study = Study.objects.create(
        code=code, title=title[:300], origin=Study.Origin.IMPORTED, import_attestation=attestation.strip()
    )
    if isinstance(user, User):
        # Whoever brings a study looks after it, or nobody would see it.
        Membership.objects.create(user=user, study=study, role=Role.DATA_MANAGER)
    return study


def _title(document: Document) -> str:
    about = document.study.first("GlobalVariables") if document.study else None
    name = about.first("StudyName") if about else None
    return name.text.strip() if name else ""


def _file(study: Study, source: Source, document: Document) -> ImportedFile:
    """The file as it came: known by its hash, with its bytes."""
    known = ImportedFile.objects.filter(study=study, sha256=source.sha256).first()
    if known is not None:
        return known
    file = ImportedFile.objects.create(
        study=study,
        name=source.name[:200],
        sha256=source.sha256,
        bytes=len(source.content),
        mapping_sha256="",
        rows=len({cell.line for cell in document.values}),
    )
    OriginalFile.objects.create(
        imported_file=file, sha256=source.sha256, content=source.content, mapping_name=document.format, mapping=""
    )
    return file


def _take_definitions(study: Study, file: ImportedFile, planned: Plan) -> None:
    given = planned.document.study
    if given is None:
        return
    content = merged(planned.stored, given)
    if content == planned.stored:
        return
    stored = content.as_json()
    text = json.dumps(stored, sort_keys=True, ensure_ascii=False)
    ImportedDefinitions.objects.create(
        study=study,
        imported_file=file,
        study_oid=content.get("OID"),
        version_oid=planned.document.version_oid or list(content.all("MetaDataVersion"))[-1].get("OID"),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        content=stored,
        beside=[each.as_json() for each in planned.document.beside],
        about=dict(planned.document.about),
    )


def _rows(study: Study, file: ImportedFile, planned: Plan, choices: Choices, reason: str) -> list[ImportedCell]:
    """New values, and those that replace others or are kept in doubt, as chosen."""
    rows = [*_new_rows(planned.difference.new, study)]
    if choices.changed == "correct":
        rows += [_correction(change, study, reason) for change in planned.difference.changed]
    if choices.doubtful == "keep":
        rows += _doubtful_rows(planned, study, choices, reason)
    for row in rows:
        row.imported_file = file
    return rows


def _new_rows(cells: Iterable[Cell], study: Study) -> list[ImportedCell]:
    return [row_of(cell, study=study) for cell in cells]


def _correction(change: Change, study: Study, reason: str, doubt: str = "") -> ImportedCell:
    row = row_of(change.cell, study=study, doubt=doubt)
    row.replaces_id = change.stored.key
    row.reason = reason.strip()[:500]
    return row


def _doubtful_rows(planned: Plan, study: Study, choices: Choices, reason: str) -> list[ImportedCell]:
    """Values that break their definition, each with the rule. One that is stored otherwise is a change as well."""
    rows = []
    for doubt in planned.doubts:
        known = planned.doubt_changes.get(doubt.cell.address)
        if known is None:
            rows.append(row_of(doubt.cell, study=study, doubt=doubt.refusal.why))
        elif choices.changed == "correct":
            rows.append(_correction(Change(doubt.cell, known), study, reason, doubt.refusal.why))
    return rows
