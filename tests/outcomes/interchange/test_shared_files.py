"""Files that nobody here wrote: each is read whole, goes out as ODM that the schema accepts, and comes in the same."""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import odmlib
import pytest
import xmlschema

from outcomes.imports.refusals import ImportRefused
from outcomes.interchange.definitions import read_definitions
from outcomes.interchange.document import Document
from outcomes.interchange.odm_attributes import ATTRIBUTES
from outcomes.interchange.odm_schema import CHILDREN, NAMESPACE, XML_NAMESPACE
from outcomes.interchange.reading import Brought, read
from tests.outcomes.interchange.files import DATA, again, brought, source, written

# File: values, subjects, items that it defines.
TAKEN = {
    "odm13/odmlib/cdash-odm-test.xml": (0, 0, 52),
    "odm13/odmlib/odm-data-snapshot.xml": (165, 2, 52),
    "odm13/openedc/metadata.xml": (0, 0, 28),
    "redcap/checkboxes-1/data.csv": (51, 4, 13),
    "redcap/checkboxes-1/dictionary.csv": (0, 0, 13),
    "redcap/checkboxes-1/project.xml": (50, 4, 13),
    "redcap/clinical-trial-1/data.csv": (6500, 500, 13),
    "redcap/clinical-trial-1/dictionary.csv": (0, 0, 13),
    "redcap/decimal-comma/dictionay.csv": (0, 0, 6),
    "redcap/decimal-comma/project.xml": (24, 4, 6),
    "redcap/longitudinal/data.csv": (421, 3, 124),
    "redcap/longitudinal/dictionary.csv": (0, 0, 124),
    "redcap/longitudinal/event.csv": (0, 0, 0),
    "redcap/longitudinal/project.xml": (406, 3, 124),
    "redcap/repeating-instruments-sparse/data.csv": (45, 5, 13),
    "redcap/repeating-instruments-sparse/dictionary.csv": (0, 0, 13),
    "redcap/repeating-instruments-sparse/project.xml": (45, 5, 13),
    "redcap/simple/data.csv": (120, 5, 24),
    "redcap/simple/dictionary.csv": (0, 0, 24),
    "redcap/survey/data.csv": (21, 2, 33),
    "redcap/survey/dictionary.csv": (0, 0, 29),
    "redcap/survey/project.xml": (16, 2, 33),
}
REFUSED = {
    "odm13/odmlib/cdash-odm-test-invalid.xml": (
        "line 14, column GlobalVariables: 'studyName': ODM 1.3 has no element studyName in GlobalVariables. It is"
        " written StudyName: ODM's names are case-sensitive."
    ),
    "odm13/odmlib/test_odm_001.xml": "line 2: The prefix xs is used and not declared (xmlns:xs is missing).",
    "odm20/Chronic_Low_Back_Pain_example.xml": "This is CDISC ODM 2.0. ODM 1.3.1 and 1.3.2 are read here",
    "odm20/Crossover_Studydesign.xml": "This is CDISC ODM 2.0. ODM 1.3.1 and 1.3.2 are read here",
    "define21/defineV21-SDTM-cut.xml": "This is a Define-XML: it describes tabulated datasets",
    "dataset-json/ds.json": "This is CDISC Dataset-JSON: tabulated datasets",
    "dataset-json/ds.ndjson": "This is CDISC Dataset-JSON: tabulated datasets",
    "dataset-json/ds.dsjc": "This is compressed (gzip), as a CDISC Dataset-JSON .dsjc is",
    "dataset-json/dm.xpt": "This is a SAS transport file (XPT)",
}
# Columns of a REDCap file that say where a value belongs, and hold none.
XML = f"{{{XML_NAMESPACE}}}"
ADDRESSES = {"redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"}


@functools.cache
def document(path: str) -> Document:
    return read(brought(path))


@functools.cache
def schema() -> xmlschema.XMLSchema:
    """ODM 1.3.2 as CDISC published it, from the wheel of odmlib."""
    folder = Path(odmlib.__file__).parent / "schemas" / "odm" / "1.3.2"
    return xmlschema.XMLSchema(folder / "ODM1-3-2.xsd")


def test_every_file_here_is_named_as_taken_or_as_refused():
    files = {str(path.relative_to(DATA)) for path in DATA.rglob("*") if path.is_file()}
    assert {path for path in files if not path.startswith("licences/")} == TAKEN.keys() | REFUSED.keys()


@pytest.mark.parametrize("path", TAKEN)
def test_a_file_is_read_whole(path: str):
    read_here = document(path)
    items = read_definitions(read_here.study).items if read_here.study else {}
    assert (len(read_here.values), len(read_here.subjects), len(items)) == TAKEN[path]
    assert read_here.doubts == ()


@pytest.mark.parametrize("path", [path for path in TAKEN if path.endswith(".xml")])
def test_the_values_of_an_odm_file_are_as_many_as_its_text_has_elements(path: str):
    # Oracle: the text of the file, without any parser.
    assert len(document(path).values) == len(re.findall(rb"<ItemData[A-Z\s]", (DATA / path).read_bytes()))


@pytest.mark.parametrize("path", [path for path in TAKEN if path.endswith("data.csv")])
def test_the_values_of_a_redcap_file_are_its_cells_that_hold_something(path: str):
    # Oracle: the rows as the standard library reads them. A repeat's row names its record once more, as an address.
    with (DATA / path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    first = next(iter(rows[0]))
    cells = [
        (row[first], name)
        for row in rows
        for name, text in row.items()
        if text and name not in ADDRESSES and not (name == first and row.get("redcap_repeat_instrument"))
    ]
    assert len(document(path).values) == len(cells)


@pytest.mark.parametrize("path", REFUSED)
def test_what_is_not_read_here_is_refused_for_its_own_reason(path: str):
    with pytest.raises(ImportRefused) as refused:
        read(Brought(source(path)))
    assert REFUSED[path] in str(refused.value)


@pytest.mark.parametrize("path", TAKEN)
def test_what_goes_out_is_odm_that_the_schema_accepts(path: str):
    text = written(document(path))
    assert [error.reason for error in schema().iter_errors(text)] == []


@pytest.mark.parametrize("path", TAKEN)
def test_what_went_out_comes_in_again_with_nothing_lost(path: str):
    before, after = document(path), again(document(path))
    assert after.study == before.study
    assert after.beside == before.beside
    assert [without_place(cell) for cell in after.cells] == [without_place(cell) for cell in before.cells]


def without_place(cell):
    """A cell without its line, and without the spelling that was read otherwise: what counts is the value."""
    return cell.address, cell.value, cell.tag, cell.beside, cell.removed


@pytest.mark.parametrize("project", ["checkboxes-1", "longitudinal", "repeating-instruments-sparse"])
def test_records_agree_with_the_odm_that_redcap_itself_wrote_of_them(project: str):
    """Two ways out of REDCap, two ways in here: the same values at the same addresses."""
    records = {cell.address: cell.value for cell in document(f"redcap/{project}/data.csv").values}
    of_redcap = {cell.address: cell.value for cell in document(f"redcap/{project}/project.xml").values}
    shared = records.keys() & of_redcap.keys()
    differing = {address.item for address in shared if one_line(records[address]) != one_line(of_redcap[address])}
    # A document: its name in the one file, its content in the other.
    assert differing <= {"patient_document"}
    # REDCap leaves forms out that were never opened; of one group (vob9 and what follows) it names another's.
    assert len(of_redcap.keys() - shared) <= 5
    assert len(shared) >= 0.95 * len(of_redcap)


def one_line(text: str | None) -> str:
    """REDCap wrote blanks and line ends otherwise in the two files."""
    return " ".join((text or "").split())


def test_the_attributes_and_children_we_know_are_those_of_the_schema():
    """Oracle: the schema as CDISC published it."""
    for tag, names in ATTRIBUTES.items():
        of_schema = {str(name) for name in schema().elements[tag].attributes if name}
        assert {name.replace("xml:", XML) for name in names} == of_schema, tag
    for tag, children in CHILDREN.items():
        of_schema = dict.fromkeys(_children_of(tag))
        # Values have a rule of their own: any typed one may stand in a group.
        assert list(children) == [name for name in of_schema if not name.startswith("ItemData")], tag


def _children_of(tag: str) -> Iterator[str]:
    defined: Any = schema().elements[tag].type
    content = defined.content
    for each in content.iter_elements() if hasattr(content, "iter_elements") else ():
        # The signature of a whole file is not of ODM's own namespace.
        if str(each.name).startswith(f"{{{NAMESPACE}}}"):
            yield str(each.local_name)
