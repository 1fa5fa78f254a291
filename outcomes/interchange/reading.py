"""Any file of another system to a document: which format it has is seen, not asked."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.interchange import limits
from outcomes.interchange.definitions import Definitions, read_definitions
from outcomes.interchange.document import Document
from outcomes.interchange.element import Element
from outcomes.interchange.fhir_reading import read_fhir
from outcomes.interchange.formats import kind_of
from outcomes.interchange.json_rows import is_flat, parse_json
from outcomes.interchange.odm_checking import checked
from outcomes.interchange.odm_reading import read_odm
from outcomes.interchange.redcap_dictionary import API_NAMES, NEEDED, Dictionary, read_dictionary
from outcomes.interchange.redcap_events import Events, read_events
from outcomes.interchange.redcap_metadata import as_document, events_only
from outcomes.interchange.redcap_records import Options, read_records
from outcomes.interchange.refused import LineRefusal, refuse_file
from outcomes.interchange.sources import Source
from outcomes.interchange.spreadsheets import unseen
from outcomes.interchange.tables import open_table


@dataclass(frozen=True)
class Brought:
    """What was brought together: the file, and what is needed to read it.

    dictionary, events: of REDCap, for its records. options: what cannot be seen in a CSV file. project: the name of a
    REDCap project, for the study. stored: the study's definitions as they are here, for a file that has none.
    """

    file: Source
    dictionary: Source | None = None
    events: Source | None = None
    options: Options = field(default_factory=Options)
    project: str = ""
    stored: Element | None = None

    @property
    def sources(self) -> Mapping[str, Source]:
        """All files, by what each of them is."""
        files = {"file": self.file, "dictionary": self.dictionary, "events": self.events}
        return {role: source for role, source in files.items() if source is not None}


def read(brought: Brought) -> Document:
    """Read a file, writing nothing. Raises ImportRefused naming all that is wrong with it."""
    kind = kind_of(brought.file.content[:4096], name=brought.file.name)
    document = _READERS[kind](brought)
    _refuse_names(document)
    return document


def _refuse_names(document: Document) -> None:
    """Refuse names that are too long to be any, and subjects that look like others and are not."""
    refuse = Refusal if document.format.startswith("redcap") else LineRefusal
    refusals: list[Refusal] = []
    told = set()
    for cell in (*document.cells, *(doubt.cell for doubt in document.doubts)):
        subject = cell.address.subject
        if (long := max(cell.address, key=len)) and len(long) > limits.LONGEST_NAME:
            why = f"A name has at most {limits.LONGEST_NAME} characters; this one has {len(long)}."
            refusals.append(refuse(cell.line, "", long, why))
        elif subject not in told and (character := unseen(subject)):
            why = f"The subject's name holds the character {character}, which nobody can see. Take it out."
            refusals.append(refuse(cell.line, "subject", subject, why))
        told.add(subject)
        if len(refusals) >= limits.MOST_REFUSALS:
            break
    for what, name in (("study", document.study_oid), ("definitions", document.version_oid)):
        if len(name) > limits.LONGEST_NAME:
            why = f"The name of the {what} has {len(name)} characters; at most {limits.LONGEST_NAME} are read."
            refusals.append(Refusal(0, "", name, why))
    if refusals:
        raise ImportRefused(document.name, refusals)


def _xml(brought: Brought) -> Document:
    document = read_odm(io.BytesIO(brought.file.content), name=brought.file.name)
    return checked(document, _definitions(document, brought)) if document.cells else document


def _json(brought: Brought) -> Document:
    if brought.file.content.lstrip()[:1] == b"[" and is_flat(parse_json(brought.file.content, name=brought.file.name)):
        return _table(brought)
    document = read_fhir(brought.file.content, name=brought.file.name, stored=brought.stored)
    return checked(document, _definitions(document, brought)) if document.cells else document


def _definitions(document: Document, brought: Brought) -> Definitions:
    study = document.study or brought.stored
    if study is None:
        raise refuse_file(
            document.name,
            f"The file holds values of {document.study_oid} and not its definitions. Bring the file that defines them"
            " into the study first.",
        )
    return read_definitions(study, document.version_oid)


def _table(brought: Brought) -> Document:
    """REDCap's files: which one it is follows from its columns."""
    file, options = brought.file, brought.options
    opened = open_table(file.content, name=file.name, encoding=options.encoding, delimiter=options.delimiter)
    header = {API_NAMES.get(column, column) for column in opened.header}
    project = brought.project or re.sub(r"\.csv$", "", file.name, flags=re.IGNORECASE)
    events = _events(brought)
    if set(NEEDED) <= header:
        dictionary = read_dictionary(file.content, name=file.name, encoding=options.encoding)
        return as_document(dictionary, project=project, events=_defined(events, dictionary))
    if "unique_event_name" in header:
        return _list_of_events(file, project)
    if brought.dictionary is None:
        raise refuse_file(
            file.name,
            "These may be REDCap records; without their data dictionary nobody can tell what the columns are. Bring the"
            " two together.",
        )
    dictionary = read_dictionary(brought.dictionary.content, name=brought.dictionary.name)
    return read_records(file.content, dictionary, name=file.name, project=project, options=options, events=events)


def _list_of_events(file: Source, project: str) -> Document:
    study = events_only(read_events(file.content, name=file.name), project=project)
    return Document(
        name=file.name,
        format="redcap_events",
        sha256=file.sha256,
        bytes=len(file.content),
        study_oid=study.get("OID"),
        version_oid="",
        study=study,
    )


def _events(brought: Brought) -> Events:
    return read_events(brought.events.content, name=brought.events.name) if brought.events else Events(())


def _defined(events: Events, dictionary: Dictionary) -> tuple[Element, ...]:
    return events.definitions((), dictionary.forms) if events.events else ()


_READERS: Mapping[str, Callable[[Brought], Document]] = {"xml": _xml, "csv": _table, "json": _json}
