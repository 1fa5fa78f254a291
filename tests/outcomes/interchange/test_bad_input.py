"""Files with something wrong in them: each is refused with its own words, and nothing of it is taken."""

from __future__ import annotations

import json

import pytest

from outcomes.imports.refusals import ImportRefused
from outcomes.interchange.reading import Brought
from outcomes.interchange.redcap_records import Options
from outcomes.interchange.sources import Source
from outcomes.interchange.taking import take
from outcomes.models import ImportedCell, ImportedFile
from studies.acting import Program
from studies.models import Study
from tests.outcomes.interchange.files import ATTESTATION, HEADER, SMALL_DICTIONARY, odm, small, subject

GOOD = "1,7,170.5,2024-05-31,1,1,0,slept badly,Alice,2"


def row(**cells: str) -> Brought:
    """Two records: a right one, and one with only these cells."""
    return small(GOOD, ",".join({"record_id": "2", **cells}.get(name, "") for name in HEADER.split(",")))


def raw(content: bytes, encoding: str = "utf-8", delimiter: str = ",") -> Brought:
    dictionary = Source("dictionary.csv", SMALL_DICTIONARY.encode())
    return Brought(
        Source("records.csv", content), dictionary=dictionary, options=Options(encoding, delimiter), project="Small"
    )


def dictionary(*lines: str) -> Brought:
    return Brought(Source("dictionary.csv", "\n".join((SMALL_DICTIONARY.splitlines()[0], *lines)).encode()))


def xml(source: Source) -> Brought:
    return Brought(source)


def questionnaire(*items: object, **more: object) -> Brought:
    resource = {"resourceType": "Questionnaire", "id": "q", "item": list(items), **more}
    return Brought(Source("q.json", json.dumps(resource).encode()))


def text(head: str, body: str) -> bytes:
    return f"{head}\n{body}\n".encode()


CASES: dict[str, tuple[Brought, str]] = {
    "a code that the field does not have": (
        row(side="3"),
        "row 3, column side: '3': The field's codes are 1, 2, and not this.",
    ),
    "a box that is neither checked nor not": (
        row(where___1="x"),
        "row 3, column where___1: 'x': The field's codes are 0, 1, and not this.",
    ),
    "letters in a number": (row(worst="seven"), "row 3, column worst: 'seven': This is not a number."),
    "a whole number with a fraction": (row(worst="7.5"), "row 3, column worst: '7.5': A whole number is expected."),
    "a decimal comma where a point is expected": (
        small(GOOD, '2,,"170,5",,,,,,,'),
        "row 3, column height: '170,5': The decimal sign is a comma, where the mapping says '.'.",
    ),
    "a decimal comma without quotation marks": (
        small(GOOD, "2,,170,5,,,,,,,"),
        "row 3: The row has 11 cells; the header has 10. A comma inside a cell, also a decimal one, needs quotation",
    ),
    "a row that is cut off": (small(GOOD, "2,7"), "row 3: The row has 2 cells; the header has 10."),
    "a date as Excel counts days": (
        row(seen_on="45443"),
        "row 3, column seen_on: '45443': This is the number by which Excel counts days, not a date.",
    ),
    "a date in a spreadsheet's order": (
        row(seen_on="5/31/2024"),
        "row 3, column seen_on: '5/31/2024': A date in another order, as a spreadsheet writes it: day and month",
    ),
    "a day that does not exist": (
        row(seen_on="2024-02-30"),
        "row 3, column seen_on: '2024-02-30': A date is expected as 2024-05-31.",
    ),
    "a formula in a text": (
        row(name='=HYPERLINK("http://evil")'.replace(",", ";").replace('"', "")),
        "row 3, column name: '=HYPERLINK(http://evil)': This is a spreadsheet formula, not a value.",
    ),
    "a formula in a number": (
        row(worst="=1+1"),
        "row 3, column worst: '=1+1': This is a spreadsheet formula, not a value.",
    ),
    "the same record twice": (small(GOOD, GOOD), "row 3, column record_id: '1': Row 2 holds this record already."),
    "a row of nobody": (
        small(GOOD, ",7,,,,,,,,"),
        "row 3, column record_id: Nobody is named here.",
    ),
    "a record that is a formula": (
        small(GOOD, "@x,7,,,,,,,,"),
        "row 3, column record_id: '@x': This is a spreadsheet formula, not a record's number.",
    ),
    "a column that the dictionary does not know": (
        small("1,2", header="record_id,wurst"),
        "row 1, column wurst: The dictionary has no such field. Did the file mean 'worst'?",
    ),
    "a column twice": (
        small("1,2,3", header="record_id,worst,worst"),
        "row 1, column worst: 2 columns have this name.",
    ),
    "no column that says whose a row is": (
        small("2", header="worst"),
        "row 1, column record_id: The file has no such column: it says whose a row is.",
    ),
    "semicolons between cells": (
        raw(text(HEADER.replace(",", ";"), GOOD.replace(",", ";"))),
        "The file has one column only; is it written with ';' between cells?",
    ),
    "cp1252 that says nothing of it": (
        raw(text(HEADER, GOOD.replace("Alice", "Zoë")).decode().encode("cp1252")),
        "row 2: The bytes eb are not utf-8. Save the file as UTF-8, or say that it is in cp1252 (Windows).",
    ),
    "UTF-16": (raw(text(HEADER, GOOD).decode().encode("utf-16")), "This is text in UTF-16. Save it as CSV in UTF-8."),
    "a null byte": (
        raw(text(HEADER, GOOD.replace("Alice", "Ali\x00ce"))),
        "row 2: The character U+0000 stands here; no text holds it.",
    ),
    "a quotation mark that is never closed": (
        raw(text(HEADER, GOOD.replace("Alice", '"Alice'))),
        "Look for a quotation mark.",
    ),
    "an empty file": (raw(b""), "The file is empty."),
    "a header and nothing else": (raw(HEADER.encode()), "The file holds no record."),
    "records without their dictionary": (
        Brought(Source("records.csv", text(HEADER, GOOD))),
        "These may be REDCap records; without their data dictionary nobody can tell what the columns are.",
    ),
    "a dictionary with a field twice": (
        dictionary("a,f,,text,A,,,,,,,,", "a,f,,text,A,,,,,,,,"),
        "row 3, column Variable / Field Name: 'a': Row 2 defines this field already.",
    ),
    "a dictionary with a code twice": (
        dictionary('a,f,,radio,A,"1, x | 1, y",,,,,,,'),
        "Code 1 is given twice (x, y).",
    ),
    "a dictionary with an unknown type": (dictionary("a,f,,wheel,A,,,,,,,,"), "'wheel': Known types are "),
    "a dictionary with choices that have no code": (
        dictionary('a,f,,radio,A,"Mild | Severe",,,,,,,'),
        "A choice is a code, a comma and a label: 1, Mild.",
    ),
    "XML that is not well-formed": (
        xml(Source("a.xml", b"<ODM><Study></ODM>")),
        "a.xml: 1 refusal; nothing was imported.",
    ),
    "XML that is cut off": (
        xml(Source("a.xml", odm(subject("1", "7")).content[:-20])),
        "This is not well-formed XML",
    ),
    "XML that names another file": (
        xml(Source("a.xml", b'<!DOCTYPE o [<!ENTITY x SYSTEM "file:///etc/passwd">]><ODM>&x;</ODM>')),
        "The file declares a document type (DOCTYPE).",
    ),
    "XML in bytes that are not its encoding": (
        xml(Source("a.xml", odm(subject("1", "7")).content.replace(b"Small</StudyName>", b"Sm\xe4ll</StudyName>"))),
        "bytes that are not in the encoding the file declares",
    ),
    "an ODM without its version": (
        xml(Source("a.xml", odm("").content.replace(b'ODMVersion="1.3.2"', b""))),
        "The file does not say its ODMVersion; 1.3, 1.3.1 and 1.3.2 are read here.",
    ),
    "an ODM of another version": (
        xml(Source("a.xml", odm("").content.replace(b'"1.3.2"', b'"1.2"'))),
        "The file says ODMVersion '1.2'; 1.3, 1.3.1 and 1.3.2 are read here.",
    ),
    "an item that is not defined": (
        xml(Source("a.xml", odm(subject("1", "7")).content.replace(b'ItemDef OID="X"', b'ItemDef OID="Y"'))),
        "line 11, column 1 / E / F / G / X: The definitions V have no item X.",
    ),
    "an item that is defined twice otherwise": (
        xml(
            Source(
                "a.xml",
                odm("").content.replace(
                    b"</MetaDataVersion>", b'<ItemDef OID="X" Name="Z" DataType="text"/></MetaDataVersion>'
                ),
            )
        ),
        "column ItemDef: 'X': Defined twice, and not the same way.",
    ),
    "letters in an integer": (
        xml(odm(subject("1", "seven"))),
        "line 11, column 1 / E / F / G / X: 'seven': This is not a number.",
    ),
    "a value beyond a hard range": (
        xml(
            odm(
                subject("1", "11"),
                inside='<RangeCheck Comparator="LE" SoftHard="Hard"><CheckValue>10</CheckValue></RangeCheck>',
            )
        ),
        "'11': Allowed is at most 10.",
    ),
    "a value given twice and not the same": (
        xml(odm(subject("1", "7") + subject("1", "8"))),
        "Line 11 gives another value for the same place.",
    ),
    "a subject without a key": (xml(odm(subject("", "7"))), "line 11: SubjectData has no SubjectKey."),
    "two studies in a file": (
        xml(
            Source(
                "a.xml",
                odm("").content.replace(
                    b"<ClinicalData", odm("").content.split(b"\n", 3)[3].split(b"<ClinicalData")[0] + b"<ClinicalData"
                ),
            )
        ),
        "The file holds 2 studies.",
    ),
    "an Excel workbook": (raw(b"PK\x03\x04" + b"x" * 100), "This is a zip archive or an Excel workbook"),
    "JSON that is no questionnaire": (
        Brought(Source("a.json", b'{"resourceType": "Patient"}')),
        "A Patient is not read here; FHIR R4 Questionnaire and QuestionnaireResponse are",
    ),
    "JSON that is cut off": (Brought(Source("a.json", b'{"resourceType":')), "line 1: This is not JSON:"),
    "JSON with a name twice": (
        Brought(Source("a.json", b'{"resourceType": "Questionnaire", "resourceType": "Bundle"}')),
        "A name stands twice in one object.",
    ),
    "a question of an unknown type": (
        questionnaire({"linkId": "a", "type": "essay"}),
        "column q a: 'essay': FHIR R4's item types are ",
    ),
    "a question twice": (
        questionnaire({"linkId": "a", "type": "string"}, {"linkId": "a", "type": "string"}),
        "The linkId stands twice in the questionnaire.",
    ),
    "questions that are no list": (questionnaire(item="a"), "'item' is not what FHIR R4 has there."),
    "UTF-16 without a byte-order mark": (
        raw(text(HEADER, GOOD).decode().encode("utf-16-le")),
        "This is text in UTF-16. Save it as CSV in UTF-8.",
    ),
    "UTF-32": (raw(text(HEADER, GOOD).decode().encode("utf-32")), "This is text in UTF-32. Save it as CSV in UTF-8."),
    "a line for Excel above the header": (raw(text("sep=,", HEADER)), "row 1: A line sep= is for a spreadsheet only."),
    "bars between cells": (
        raw(text(HEADER.replace(",", "|"), GOOD.replace(",", "|"))),
        "is it written with '|' between cells? Save it with commas, semicolons or tabs.",
    ),
    "a cell that is too long": (
        row(remark="x" * 200_000),
        "row 3: A cell has more than 131,072 characters, or its quotation mark is never closed.",
    ),
    "100,000 columns": (
        raw(",".join(f"c{n}" for n in range(100_000)).encode()),
        "row 1: The line is longer than a row may be: 40,000 columns",
    ),
    "a comma between thousands": (
        small(GOOD, '2,,"1,170.5",,,,,,,'),
        "column height: '1,170.5': This is not a number.",
    ),
    "a hard blank between thousands": (row(height="1\u00a0170"), "column height: '1\\xa0170': This is not a number."),
    "infinity": (row(height="Infinity"), "column height: 'Infinity': This is not a number."),
    "not a number": (row(height="NaN"), "column height: 'NaN': This is not a number."),
    "a number that no machine holds": (row(height="1e999"), "column height: '1e999': The number is too large."),
    "an exponent in a whole number": (row(worst="1E1"), "column worst: '1E1': A whole number is expected."),
    "an apostrophe before a number": (
        row(worst="'7"),
        "This is not a number. If it stands for no value, name it among",
    ),
    "digits of another script": (row(worst="\u0667"), "column worst: '\u0667': This is not a number."),
    "a spreadsheet's error in a text": (
        row(remark="#N/A"),
        "row 3, column remark: '#N/A': This is a spreadsheet's error, not a value. Export from REDCap again.",
    ),
    "a spreadsheet's error for a record": (
        small(GOOD, "#REF!,7,,,,,,,,"),
        "row 3, column record_id: '#REF!': This is a spreadsheet's error, not a record's number.",
    ),
    "a record whose digits a spreadsheet took": (
        small(GOOD, "1.2E+05,7,,,,,,,,"),
        "'1.2E+05': A spreadsheet wrote this number so, and its last digits are lost.",
    ),
    "a record that is written from right to left": (
        small(GOOD, "\u202e2,7,,,,,,,,"),
        "row 3, column subject: '\\u202e2': The subject's name holds the character U+202E, which nobody can see.",
    ),
    "a record with a blank that nobody sees": (
        small(GOOD, "1\u200b,7,,,,,,,,"),
        "The subject's name holds the character U+200B, which nobody can see. Take it out.",
    ),
    "a week for a day": (row(seen_on="2024-W22-5"), "column seen_on: '2024-W22-5': A date is expected as 2024-05-31."),
    "the repeat number nought": (
        small("1,pain,0,7", header="record_id,redcap_repeat_instrument,redcap_repeat_instance,worst"),
        "row 2, column redcap_repeat_instance: '0': A repeat has a whole number, from 1.",
    ),
    "a repeat of a form that is not there": (
        small("1,mood,1,7", header="record_id,redcap_repeat_instrument,redcap_repeat_instance,worst"),
        "row 2, column redcap_repeat_instrument: 'mood': The dictionary's forms are pain.",
    ),
    "an event that is none": (
        small("1,<b>,7", header="record_id,redcap_event_name,worst"),
        "row 2, column redcap_event_name: '<b>': This is no event's name (visit_1_arm_1).",
    ),
    "XML of a document type elsewhere": (
        xml(Source("a.xml", b'<!DOCTYPE ODM SYSTEM "http://example.org/odm.dtd"><ODM/>')),
        "The file declares a document type (DOCTYPE).",
    ),
    "XML in an encoding that is not read": (
        xml(Source("a.xml", odm("").content.replace(b"UTF-8", b"UTF-7"))),
        "The file declares an encoding that is not read: multi-byte encodings are not supported. Save it as UTF-8.",
    ),
    "XML in an encoding that nobody knows": (
        xml(Source("a.xml", odm("").content.replace(b"UTF-8", b"x-none"))),
        "The file declares an encoding that is not read: unknown encoding: x-none.",
    ),
    "a subject with a name that is none": (
        xml(odm(subject("s" * 300, "7"))),
        "line 11: 'ssssssssssssssssssssssssssssssssssssssss...': A name has at most 255 characters; this one has 300.",
    ),
    "a week for a day in ODM": (
        xml(odm(subject("1", "2024-W22-5"), item='DataType="date"')),
        "'2024-W22-5': A date is expected as 2024-05-31.",
    ),
    "an hour that does not exist": (
        xml(odm(subject("1", "99:99:99"), item='DataType="time"')),
        "'99:99:99': A time is expected as 14:05:00.",
    ),
    "a month that does not exist in a partial date": (
        xml(odm(subject("1", "2024-13"), item='DataType="partialDate"')),
        "'2024-13': A date is expected as far as it is known: 2024-05-31, 2024-05 or 2024.",
    ),
    "FHIR STU3": (
        questionnaire({"linkId": "a", "type": "choice", "option": [{"valueCoding": {"code": "1"}}]}),
        "This is FHIR STU3 ('option' stands in it); R4 is read here.",
    ),
    "FHIR R5": (questionnaire({"linkId": "a", "type": "coding"}), "This is FHIR R5 ('coding' stands in it)"),
    "JSON with a number that is none": (
        Brought(Source("a.json", b'{"resourceType": "Questionnaire", "item": [], "version": NaN}')),
        "NaN is no number of JSON. Leave out what has no value.",
    ),
    "JSON with a number of 5,000 digits": (
        Brought(Source("a.json", b'{"resourceType": "Questionnaire", "id": ' + b"9" * 5000 + b"}")),
        "A whole number has 5,000 digits; at most 300 are read.",
    ),
    "JSON with a null character": (
        Brought(Source("a.json", b'{"resourceType": "Questionnaire", "title": "a\\u0000b"}')),
        "A text holds the character U+0000; no text does.",
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", CASES)
def test_a_file_with_a_mistake_is_refused_in_its_own_words_and_nothing_is_taken(case: str):
    files, words = CASES[case]
    with pytest.raises(ImportRefused) as refused:
        take(Program("import_records"), brought=files, study_code="SMALL", attestation=ATTESTATION)
    assert words in str(refused.value)
    assert not Study.objects.exists()
    assert not ImportedFile.objects.exists()
    assert not ImportedCell.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("files", "taken"),
    [
        pytest.param(raw(b"\xef\xbb\xbf" + text(HEADER, GOOD)), 10, id="a byte-order mark"),
        pytest.param(raw(text(HEADER, GOOD).replace(b"\n", b"\r\n")), 10, id="line ends of Windows"),
        pytest.param(raw(text(HEADER, GOOD).replace(b"\n", b"\r")), 10, id="line ends of an old Macintosh"),
        pytest.param(
            raw(text(HEADER, GOOD.replace("Alice", "Zoë")).decode().encode("cp1252"), encoding="cp1252"),
            10,
            id="cp1252 that is said",
        ),
        pytest.param(
            raw(text(HEADER.replace(",", ";"), GOOD.replace(",", ";")), delimiter=";"),
            10,
            id="semicolons that are said",
        ),
        pytest.param(
            row(side="Right", where___2="Checked", pain_complete="Complete"), 14, id="labels in place of codes"
        ),
        pytest.param(row(name="+49 30 1234"), 12, id="a text that begins with a plus"),
        pytest.param(row(remark="- none -"), 12, id="a remark that begins with a minus"),
        pytest.param(row(worst="11"), 12, id="a value beyond a soft range"),
    ],
)
def test_what_is_unusual_and_not_wrong_is_taken(files: Brought, taken: int):
    done = take(Program("import_records"), brought=files, study_code="SMALL", attestation=ATTESTATION)
    assert done.report.taken == taken


@pytest.mark.django_db
def test_all_that_is_wrong_is_said_at_once():
    files = small(GOOD, "2,seven,tall,yesterday,9,,,,,", "2,1,,,,,,,,")
    with pytest.raises(ImportRefused) as refused:
        take(Program("import_records"), brought=files, study_code="SMALL", attestation=ATTESTATION)
    assert [(each.row, each.column) for each in refused.value.refusals] == [(4, "record_id")]
    with pytest.raises(ImportRefused) as refused:
        take(
            Program("import_records"),
            brought=small(GOOD, "2,seven,tall,yesterday,9,,,,,"),
            study_code="SMALL",
            attestation=ATTESTATION,
        )
    assert {each.column for each in refused.value.refusals} == {"worst", "height", "seen_on", "side"}


def test_a_soft_range_of_redcap_is_remarked():
    from outcomes.interchange.reading import read

    remarks = [str(remark) for remark in read(row(worst="11")).remarks]
    assert remarks == ["row 3, column worst: '11': Taken, and unusual. Expected is at most 10."]


def test_missing_data_codes_stand_where_a_number_is_expected():
    from outcomes.interchange.reading import read

    files = small("1,NI,,,,,,,,", options=Options(missing_codes={"NI": "not_answered"}))
    assert [cell.value for cell in read(files).values] == ["1", "NI"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("a,f,,text,A,,,,,,,,", 'b,f,,text,B,,,,,,,"[a] = ""__import__(\'os\').system(\'x\')""",'), ""),
        (("a,f,,text,A,,,,,,,,", "b,f,,text,B,,,,,,,__import__('os'),"), "Kept as REDCap wrote it, and not worked out"),
        (
            ("a,f,,text,A,,,,,,,,", f'b,f,,text,B,,,,,,,"{"(" * 5000}[a]=1{")" * 5000}",'),
            "Kept as REDCap wrote it, and not worked out here",
        ),
        (
            ('a,f,,calc,A,"[b]+1",,,,,,,', 'b,f,,calc,B,"[a]+1",,,,,,,'),
            "These are computed from each other and can never be worked out: ",
        ),
        (('a,f,,calc,A,"[a]+1",,,,,,,',), "These are computed from each other and can never be worked out: a."),
    ],
)
def test_hostile_logic_is_kept_as_text_and_remarked(lines: tuple[str, ...], said: str):
    from outcomes.interchange.reading import read

    remarks = [str(remark) for remark in read(dictionary(*lines)).remarks]
    assert any(said in remark for remark in remarks) if said else remarks == []
