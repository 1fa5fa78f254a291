"""What taking a file would do, before it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from outcomes.interchange.apart import read_apart
from outcomes.interchange.cells import Address
from outcomes.interchange.difference import (
    DefinitionsDifference,
    Difference,
    Stored,
    compare,
    compare_definitions,
)
from outcomes.interchange.document import Document, Doubt
from outcomes.interchange.element import Element
from outcomes.interchange.reading import Brought, read
from outcomes.interchange.refused import refuse_file
from outcomes.interchange.stored import definitions_in_force, study_element, values_now
from outcomes.models import ImportedFile
from studies.models import Study


@dataclass(frozen=True)
class Plan:
    """A file that was read, held against its study.

    study: None where the file would begin one. stored: the study's definitions. doubts: values that break their own
    definition and are not stored so already; doubt_changes: those of them that are stored otherwise. taken_before: the
    same file, which was taken then.
    """

    brought: Brought
    document: Document
    study: Study | None
    stored: Element | None
    difference: Difference
    definitions: DefinitionsDifference
    doubts: tuple[Doubt, ...]
    doubt_changes: Mapping[Address, Stored]
    taken_before: ImportedFile | None

    @property
    def is_nothing(self) -> bool:
        """Whether taking the file would change nothing."""
        nothing = self.difference.is_nothing and self.definitions.is_nothing and not self.doubts
        return self.taken_before is not None or nothing


def plan(brought: Brought, *, study_code: str) -> Plan:
    """Read a file and compare it with its study, writing nothing.

    Raises ImportRefused naming all that is wrong with the file; also for a study that is conducted here, and a file
    of another study than the one that is here.
    """
    study = Study.objects.filter(code=study_code).first()
    _refuse_conducted(brought, study)
    brought = _beside(study_element(definitions_in_force(study)), brought, study_code)
    stored = brought.stored
    document = read(brought)
    _refuse_other_study(document, stored)
    known = values_now(study, (*document.subjects, *(doubt.cell.address.subject for doubt in document.doubts)))
    in_doubt = compare([doubt.cell for doubt in document.doubts], known)
    stored_so = {cell.address for cell in in_doubt.equal}
    difference = compare(document.cells, known)
    return Plan(
        brought=brought,
        document=document,
        study=study,
        stored=stored,
        # A value in doubt is in the file all the same.
        difference=replace(difference, absent=difference.absent - len(document.doubts) + len(in_doubt.new)),
        definitions=compare_definitions(document.study, stored),
        doubts=tuple(doubt for doubt in document.doubts if doubt.cell.address not in stored_so),
        doubt_changes={change.cell.address: change.stored for change in in_doubt.changed},
        taken_before=taken_before(study, document.sha256) if study else None,
    )


def refuse_unreadable(brought: Brought, *, study_code: str) -> None:
    """Read a file that nobody has looked at yet where it can do no harm (`apart`). Raises ImportRefused."""
    study = Study.objects.filter(code=study_code).first()
    _refuse_conducted(brought, study)
    read_apart(_beside(study_element(definitions_in_force(study)), brought, study_code))


def _beside(stored: Element | None, brought: Brought, study_code: str) -> Brought:
    """A file with the definitions of its study."""
    return replace(brought, stored=stored, project=brought.project or _project(stored) or study_code)


def _refuse_conducted(brought: Brought, study: Study | None) -> None:
    if study is not None and study.origin != Study.Origin.IMPORTED:
        raise refuse_file(
            brought.file.name,
            f"{study.code} is conducted here: values of another system do not go into it. Name a study of its own for"
            " them.",
        )


def _project(stored: Element | None) -> str:
    """The name of a REDCap project that is here: its next file belongs to the same."""
    about = stored.first("GlobalVariables") if stored else None
    name = about.first("StudyName") if about else None
    return name.text if name else ""


def _refuse_other_study(document: Document, stored: Element | None) -> None:
    if stored is not None and document.study_oid and document.study_oid != stored.get("OID"):
        raise refuse_file(
            document.name,
            f"The file is of the study {document.study_oid}; {stored.get('OID')} is here under this name. Bring it"
            " under a name of its own.",
        )


def taken_before(study: Study, sha256: str) -> ImportedFile | None:
    """The file of this hash, if it was taken. A dictionary that only helped to read records was not."""
    return ImportedFile.objects.filter(study=study, sha256=sha256, report__isnull=False).first()
