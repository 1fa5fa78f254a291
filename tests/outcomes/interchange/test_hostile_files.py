"""Files that were made to fill a memory, or to read others: refused soon, in little memory, and saying why."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outcomes.imports.refusals import ImportRefused
from outcomes.interchange import limits
from outcomes.interchange.apart import read_apart
from outcomes.interchange.reading import Brought
from outcomes.interchange.sources import Source

ROOT = Path(__file__).resolve().parents[3]
# The memory of the whole process that reads, in kB, and of the one that asks it to: what is promised.
MOST = 200_000
HEAD = (
    b'<?xml version="1.0"?><ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileOID="f" FileType="Snapshot"'
    b' ODMVersion="1.3.2" CreationDateTime="2024-01-01T00:00:00"><Study OID="S">'
)
CLINICAL = (
    HEAD.replace(b'<Study OID="S">', b"")
    + b'<ClinicalData StudyOID="S" MetaDataVersionOID="V"><SubjectData SubjectKey="1">'
    b'<StudyEventData StudyEventOID="E"><FormData FormOID="F"><ItemGroupData ItemGroupOID="G">'
)


TOO_MUCH_BESIDE = f"The file has more than {limits.MOST_PIECES:,} elements and attributes besides its values."


def _laughs() -> bytes:
    """Ten entities, each ten times the one before: 10 GB when written out."""
    entities = [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)]
    return ('<!DOCTYPE o [<!ENTITY a0 "lollollol1">' + "".join(entities) + "]><ODM>&a9;</ODM>").encode()


def _bomb(path: Path) -> None:
    """A hundred megabytes of zeros in a hundred kilobytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("odm.xml", "w") as file:
        for _ in range(100):
            file.write(b"0" * 1_000_000)


FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "laughs.xml": (_laughs, "The file declares a document type (DOCTYPE)"),
    "deep.xml": (lambda: HEAD + b"<Study>" * 200_000, "Elements are nested more than 40 deep."),
    "definitions.xml": (
        lambda: (
            HEAD
            + b'<MetaDataVersion OID="V" Name="V">'
            + b"".join(b'<ItemDef OID="item%d" Name="item%d" DataType="text"/>' % (n, n) for n in range(200_000))
        ),
        TOO_MUCH_BESIDE,
    ),
    "attributes.xml": (
        lambda: (
            HEAD
            + b'<MetaDataVersion OID="V" Name="V">'
            + (b"<ItemDef " + b"".join(b'a%d="" ' % n for n in range(100)) + b"/>") * 10_000
        ),
        TOO_MUCH_BESIDE,
    ),
    "annotations.xml": (lambda: CLINICAL + b'<Annotation SeqNum="1"/>' * 500_000, TOO_MUCH_BESIDE),
    "values.xml": (
        lambda: CLINICAL + b'<ItemData ItemOID="i" Value="1"/>' * 210_000,
        f"The file holds more than {limits.MOST_CELLS:,} values.",
    ),
    "attribute.xml": (lambda: HEAD + b'<MetaDataVersion OID="' + b"x" * 30_000_000, "has more than 1 MB."),
    "text.xml": (
        lambda: HEAD + b"<GlobalVariables><StudyName>" + b"x" * 30_000_000,
        "A single value, tag or comment has more than 1 MB.",
    ),
    "comment.xml": (lambda: HEAD + b"<!--" + b"x" * 30_000_000, "A single value, tag or comment has more than 1 MB."),
    "cells.csv": (lambda: b"record_id\n" + b"," * 15_000_000, "The line is longer than a row may be"),
    "quotation.csv": (lambda: b'record_id\n"' + b"x" * 15_000_000, "The line is longer than a row may be"),
    "rows.csv": (lambda: b"record_id\n" + b"1\n" * 7_000_000, "Row 2 holds this record already."),
    "large.csv": (lambda: b"record_id\n" + b"1\n" * 9_000_000, "The file has more than 16 MB."),
    "deep.json": (lambda: b"[" * 1_900_000, "Elements are nested too deep."),
    "items.json": (
        lambda: b'{"resourceType":"Questionnaire","item":[' + b"{}," * 300_000 + b"{}]}",
        "An item has no linkId.",
    ),
    "large.json": (lambda: b'{"resourceType":"Questionnaire","item":[' + b"{}," * 2_000_000, "more than 2 MB."),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Every file read in one process of its own: by name, the most memory so far (kB) and what was said."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (make, _) in FILES.items():
        (folder / name).write_bytes(make())
    with (folder / "sparse.xml").open("wb") as file:
        file.truncate(5_000_000_000)
    _bomb(folder / "bomb.zip")
    command = [sys.executable, "-m", "tests.outcomes.interchange.reading_alone", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    lines = [line.split("\t", 2) for line in done.stdout.splitlines()]
    return {name: (int(memory), said) for name, memory, said in lines}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_in_little_memory(name: str, answers: dict[str, tuple[int, str]]):
    memory, said = answers[name]
    assert FILES[name][1] in said
    assert memory < MOST


def test_a_zip_bomb_is_refused_without_being_opened(answers: dict[str, tuple[int, str]]):
    assert "This is a zip archive or an Excel workbook; neither is opened here." in answers["bomb.zip"][1]


def test_a_file_that_is_too_large_is_not_even_read(answers: dict[str, tuple[int, str]]):
    memory, said = answers["sparse.xml"]
    assert "The file has 5000 MB; at most 32 MB are read. Split it." in said
    assert memory < MOST


def test_a_file_that_needs_more_than_there_is_for_one_is_refused(monkeypatch: pytest.MonkeyPatch):
    files = Brought(Source("values.xml", CLINICAL + b'<ItemData ItemOID="i" Value="1"/>' * 200_000))
    monkeypatch.setattr(limits, "MOST_MEMORY", 40 * limits.MEGABYTE)
    with pytest.raises(ImportRefused, match="Reading the file needs more than 40 MB of memory. Export it in parts."):
        read_apart(files)
    monkeypatch.setattr(limits, "LONGEST_SECONDS", 0.01)
    with pytest.raises(ImportRefused, match="Reading the file takes more than 0.01 seconds."):
        read_apart(files)


def test_the_process_that_reads_first_knows_nothing_of_the_database(monkeypatch: pytest.MonkeyPatch):
    seen: dict[str, Any] = {}

    def run(command: list[str], **given: Any) -> subprocess.CompletedProcess[bytes]:
        seen.update(given["env"])
        return subprocess.CompletedProcess(command, 0, b"null")

    monkeypatch.setattr("outcomes.interchange.apart.subprocess.run", run)
    read_apart(Brought(Source("a.csv", b"a")))
    assert set(seen) == {"PATH", "LANG"}
