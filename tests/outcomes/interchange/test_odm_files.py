"""ODM beyond the shared files: whatever a value holds, and all that may stand beside it, comes back as it was."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes.imports.refusals import ImportRefused
from outcomes.interchange.cells import Address, Cell
from outcomes.interchange.document import Document
from outcomes.interchange.element import Element, element
from outcomes.interchange.odm_reading import read_odm
from outcomes.interchange.odm_writing import Outgoing, write_odm
from outcomes.interchange.reading import Brought, read
from outcomes.interchange.sources import Source
from tests.outcomes.interchange.files import CREATED, odm, subject
from tests.outcomes.interchange.test_shared_files import schema, without_place

# What XML can hold: no control characters but tab and line ends, no halves of pairs.
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r", exclude_characters="\ufffe\uffff"),
    max_size=40,
)
KEY = TEXT.filter(bool)
VENDOR = "{https://vendor.example}"


def study() -> Element:
    found = read_odm(io.BytesIO(odm("").content), name="small.xml").study
    assert found is not None
    return found


def through(cells: list[Cell], given_study: Element | None = None) -> Document:
    """Cells and definitions, out as ODM and in again; the schema is held against it on the way."""
    out = io.StringIO()
    outgoing = Outgoing("S", "V", given_study or study(), tuple(cells))
    write_odm(out, outgoing, created_at=CREATED)
    assert [error.reason for error in schema().iter_errors(out.getvalue())] == []
    return read_odm(io.BytesIO(out.getvalue().encode()), name="again.xml")


@settings(deadline=None)
@given(KEY, TEXT, KEY)
def test_any_text_comes_back_as_it_was(key: str, value: str, repeat: str):
    cell = Cell(Address(key, "E", "", "F", repeat, "G", "", "X"), value)
    assert [without_place(each) for each in through([cell]).cells] == [without_place(cell)]


@settings(deadline=None)
@given(TEXT, TEXT)
def test_what_another_program_added_comes_back_as_it_was(name: str, note: str):
    begun = study()
    versions = [
        element(
            version.tag,
            dict(version.attributes) | {f"{VENDOR}Note": note, "Description": name, "NotOfODM": note},
            *version.children,
            element(f"{VENDOR}Extra", {"a": name}, element(f"{VENDOR}Deep"), text=""),
        )
        for version in begun.all("MetaDataVersion")
    ]
    extended = element("Study", {"OID": "S", f"{VENDOR}Id": note}, *[*begun.all("GlobalVariables"), *versions])
    beside = element("ItemData", {f"{VENDOR}Flag": note, "Flagged": name})
    cell = Cell(Address("1", "E", "", "F", "", "G", "", "X"), "7", beside=beside)
    back = through([cell], extended)
    assert back.study == extended
    assert [each.beside for each in back.cells] == [beside]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["", "1", "2"]), TEXT), max_size=8))
def test_forms_of_no_event_and_their_repeats_come_back(rows: list[tuple[str, str, str]]):
    cells = {
        address: Cell(address, value)
        for key, repeat, value in rows
        if (address := Address(key, "", "", "F", repeat, "G", "", "X"))
    }
    back = {cell.address: cell.value for cell in through(list(cells.values())).cells}
    assert back == {address: cell.value for address, cell in cells.items()}


BESIDE = (
    '<AuditRecord EditPoint="Monitoring"><UserRef UserOID="U"/><LocationRef LocationOID="L"/>'
    "<DateTimeStamp>2024-01-01T10:00:00</DateTimeStamp><ReasonForChange>typing error</ReasonForChange></AuditRecord>"
    '<MeasurementUnitRef MeasurementUnitOID="MU"/>'
    '<Annotation SeqNum="1"><Comment SponsorOrSite="Site">seen on paper</Comment>'
    '<Flag><FlagValue CodeListOID="CL">OK</FlagValue></Flag></Annotation>'
)


def test_audit_records_units_and_annotations_of_a_value_are_kept():
    given_file = odm(subject("1", "7").replace('Value="7"/>', f'Value="7">{BESIDE}</ItemData>'))
    document = read(Brought(given_file))
    (cell,) = document.cells
    assert cell.beside is not None
    assert [child.tag for child in cell.beside.children] == ["AuditRecord", "MeasurementUnitRef", "Annotation"]
    assert [without_place(each) for each in through([cell]).cells] == [without_place(cell)]


def test_sites_and_signatures_of_containers_are_kept():
    clinical = subject("1", "7").replace(
        '<SubjectData SubjectKey="1">', '<SubjectData SubjectKey="1"><SiteRef LocationOID="L"/>'
    )
    document = read(Brought(odm(clinical)))
    notes = [cell for cell in document.cells if not cell.is_value]
    assert [(str(cell.address), cell.beside.first("SiteRef") is not None) for cell in notes if cell.beside] == [
        ("1", True)
    ]
    assert {without_place(each) for each in through(list(document.cells)).cells} == {
        without_place(each) for each in document.cells
    }


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ('<ItemDataInteger ItemOID="X">7</ItemDataInteger>', "7"),
        ('<ItemDataString ItemOID="X"> a &amp; b\n</ItemDataString>', " a & b\n"),
        ('<ItemDataAny ItemOID="X">x</ItemDataAny>', "x"),
        ('<ItemDataPartialDate ItemOID="X">2024-05</ItemDataPartialDate>', "2024-05"),
    ],
)
def test_typed_values_stay_typed(typed: str, value: str):
    clinical = subject("1", "7").replace('<ItemData ItemOID="X" Value="7"/>', typed)
    document = read(Brought(odm(clinical, item='DataType="text"')))
    assert [cell.value for cell in document.values] == [value]
    assert [without_place(each) for each in through(list(document.cells)).cells] == [
        without_place(each) for each in document.cells
    ]


def test_a_value_that_is_null_is_no_empty_text():
    null = subject("1", "7").replace('Value="7"', 'IsNull="Yes"')
    document = read(Brought(odm(null + subject("2", ""))))
    assert [cell.value for cell in document.values] == [None, ""]
    assert [cell.value for cell in through(list(document.cells)).values] == [None, ""]


def test_an_empty_container_is_kept():
    document = read(Brought(odm('<SubjectData SubjectKey="1"/>')))
    assert [(cell.address.subject, cell.is_value) for cell in document.cells] == [("1", False)]
    assert document.subjects == ("1",)
    assert [each.address for each in through(list(document.cells)).cells] == [document.cells[0].address]


def test_definitions_come_in_the_order_of_the_schema():
    text = odm("").content.decode()
    begin, end = text.index("<ItemDef"), text.index("</MetaDataVersion>")
    moved = text[:begin] + text[end:]
    moved = moved.replace("<StudyEventDef", text[begin:end] + "<StudyEventDef", 1)
    document = read(Brought(Source("moved.xml", moved.encode())))
    assert document.study == read(Brought(odm(""))).study


def test_what_is_not_defined_is_told_once_each():
    clinical = subject("1", "7") + subject("2", "8")
    with pytest.raises(ImportRefused) as refused:
        read(Brought(Source("a.xml", odm(clinical).content.replace(b'FormDef OID="F"', b'FormDef OID="H"'))))
    assert [each.why for each in refused.value.refusals] == ["The definitions V have no form F."]
