"""CDISC ODM-XML 1.3: the elements of a file, held against what ODM knows, to definitions and cells."""

from __future__ import annotations

import difflib
from array import array
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.interchange import limits, odm_kept
from outcomes.interchange.document import Document
from outcomes.interchange.element import Element, is_foreign
from outcomes.interchange.odm_clinical import ClinicalData
from outcomes.interchange.odm_schema import (
    ADDRESSES,
    CHILDREN,
    NAMESPACE,
    TEXTS,
    TYPED_ITEM,
    VERSIONS,
    may_stand_in,
    place,
)
from outcomes.interchange.refused import LineRefusal, refuse_file
from outcomes.interchange.xml_events import read_xml

_DEFINE = "{http://www.cdisc.org/ns/def/"
_IS_DEFINE = (
    "This is a Define-XML: it describes tabulated datasets, not forms and their values. Bring the ODM 1.3.2 file of the"
    " study it was made from."
)
_OWN = "http://www.cdisc.org/ns/odm/"
_REQUIRED = {"GlobalVariables": ("StudyName", "StudyDescription", "ProtocolName")}


def read_odm(source: BinaryIO, *, name: str) -> Document:
    """Read an ODM 1.3 file, snapshot or transactional.

    Raises ImportRefused with the line of everything that is not ODM 1.3, or is more than the limits allow.
    """
    reading = _Reading(name)
    measured = read_xml(source, reading, name=name)
    if reading.refusals:
        raise ImportRefused(name, reading.refusals)
    studies, beside = reading.studies, tuple(reading.beside)
    if len(studies) > 1:
        raise refuse_file(name, f"The file holds {len(studies)} studies. Bring each in a file of its own.")
    clinical = reading.clinical
    if not studies and not clinical.cells and not beside:
        raise refuse_file(name, "The file holds neither definitions nor clinical data.")
    study, cells = odm_kept.restored(studies[0] if studies else None, clinical.cells)
    return Document(
        name=name,
        format="odm",
        sha256=measured.sha256,
        bytes=measured.bytes,
        study_oid=clinical.study_oid or (study.get("OID") if study else ""),
        version_oid=clinical.version_oid or _last_version(study),
        study=study,
        about=reading.about,
        beside=beside,
        cells=tuple(cells),
        remarks=tuple(reading.remarks),
        transactional=reading.about.get("FileType") == "Transactional",
    )


def _last_version(study: Element | None) -> str:
    versions = [version.get("OID") for version in study.all("MetaDataVersion")] if study else []
    return versions[-1] if versions else ""


@dataclass(slots=True)
class _Open:
    """An element that has begun and not ended."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)
    lines: array[int] = field(default_factory=partial(array, "L"))


class _Reading:
    """Takes the elements of one file; see xml_events.Handler."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open: list[_Open] = []
        self._count = self._foreign = 0
        self.refusals: list[Refusal] = []
        self.remarks: list[Refusal] = []
        self.about: dict[str, str] = {}
        self.studies: list[Element] = []
        self.beside: list[Element] = []
        self.clinical = ClinicalData(name)

    def begin(self, tag: str, attributes: dict[str, str], line: int) -> None:
        if not self._open:
            self._root(tag, attributes)
        elif not self._foreign and not is_foreign(tag) and not may_stand_in(tag, self._open[-1].tag):
            self._refuse_place(tag, line)
        if tag == "MetaDataVersion" and any(name.startswith(_DEFINE) for name in attributes):
            raise refuse_file(self._name, _IS_DEFINE, line=line)
        self._foreign += is_foreign(tag)
        self._count_what_is_kept(tag, attributes, line)
        self._open.append(_Open(tag, attributes, line))
        self.clinical.begin(tag, attributes, line)

    def end(self, text: str) -> None:
        opened = self._open.pop()
        self._foreign -= is_foreign(opened.tag)
        done = self._element(opened, text)
        if not self._open:
            return
        parent = self._open[-1]
        if self.clinical.end(opened.tag, done, opened.line):
            return
        if parent.tag == "ODM":
            self._top(done, opened.line)
        else:
            parent.children.append(done)
            parent.lines.append(opened.line)

    def _count_what_is_kept(self, tag: str, attributes: dict[str, str], line: int) -> None:
        """Values are counted where they are collected; of them, only what they say besides counts here."""
        is_value = tag.startswith(TYPED_ITEM) or tag in ADDRESSES
        self._count += max(len(attributes) - 3, 0) if is_value else 1 + len(attributes)
        if self._count > limits.MOST_PIECES:
            why = f"The file has more than {limits.MOST_PIECES:,} elements and attributes besides its values."
            raise refuse_file(self._name, f"{why} Export it in parts.", line=line)

    def _root(self, tag: str, attributes: dict[str, str]) -> None:
        if tag != "ODM":
            raise refuse_file(self._name, _not_odm(tag))
        version = attributes.get("ODMVersion", "")
        if version not in VERSIONS:
            said = f"The file says ODMVersion {version!r}" if version else "The file does not say its ODMVersion"
            raise refuse_file(self._name, f"{said}; 1.3, 1.3.1 and 1.3.2 are read here.", line=1)
        self.about = {key: value for key, value in attributes.items() if not is_foreign(key)}

    def _refuse_place(self, tag: str, line: int) -> None:
        parent = self._open[-1].tag
        allowed = CHILDREN.get(parent, ())
        nearest = next((name for name in allowed if name.lower() == tag.lower()), None)
        nearest = nearest or next(iter(difflib.get_close_matches(tag, allowed, n=1)), None)
        hint = f" It is written {nearest}: ODM's names are case-sensitive." if nearest else ""
        self._refuse(line, parent, tag, f"ODM 1.3 has no element {tag} in {parent}.{hint}")

    def _refuse(self, line: int, column: str, value: str, why: str) -> None:
        self.refusals.append(LineRefusal(line, column, value, why))
        if len(self.refusals) >= limits.MOST_REFUSALS:
            raise ImportRefused(self._name, self.refusals)

    def _element(self, opened: _Open, text: str) -> Element:
        """What has ended, with its children in the order of the schema and without the blanks between them."""
        holds_text = opened.tag in TEXTS or opened.tag.startswith(TYPED_ITEM) or is_foreign(opened.tag)
        self._missing_parts(opened)
        children = self._once(opened)
        if len(children) > 1:
            children.sort(key=lambda child: place(child.tag, opened.tag))
        kept = text if holds_text and (text.strip() or not children) else ""
        return Element(opened.tag, tuple(sorted(opened.attributes.items())), kept, tuple(children))

    def _missing_parts(self, opened: _Open) -> None:
        if opened.tag not in _REQUIRED:
            return
        there = {child.tag for child in opened.children}
        for part in _REQUIRED[opened.tag]:
            if part not in there:
                self._refuse(opened.line, opened.tag, "", f"{part} is missing.")

    def _once(self, opened: _Open) -> list[Element]:
        """The children, each definition once. Word for word the same twice is no contradiction (REDCap does it)."""
        if opened.tag not in {"MetaDataVersion", "BasicDefinitions"}:
            return opened.children
        seen: dict[tuple[str, str], Element] = {}
        for number, (child, line) in enumerate(zip(opened.children, opened.lines, strict=True)):
            key = (child.tag, child.get("OID") or str(number))
            if key not in seen:
                seen[key] = child
            elif seen[key] == child:
                why = "Defined twice, word for word the same: taken once."
                self.remarks.append(LineRefusal(line, child.tag, child.get("OID"), why))
            else:
                self._refuse(
                    line, child.tag, child.get("OID"), "Defined twice, and not the same way. Give each its OID."
                )
        return list(seen.values())

    def _top(self, done: Element, line: int) -> None:
        if done.tag == "Study":
            self.studies.append(done)
        elif is_foreign(done.tag):
            why = "Left out: not part of ODM (a signature holds for the file as it came, which is kept)."
            self.remarks.append(LineRefusal(line, "ODM", done.tag, why))
        elif done.tag != "ClinicalData":
            self.beside.append(done)


def _not_odm(tag: str) -> str:
    if tag.startswith("{http://www.cdisc.org/ns/odm/v2"):
        return "This is CDISC ODM 2.0. ODM 1.3.1 and 1.3.2 are read here: export the study as ODM 1.3.2."
    if tag.startswith(f"{{{_OWN}"):
        return f"This is an ODM of another version ({tag[1:].partition('}')[0]}); {NAMESPACE} is read here."
    return f"The file begins with {tag}, not with ODM in the namespace {NAMESPACE}."
