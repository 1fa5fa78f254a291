"""Files of other systems that the tests read (tests/data/interop), and small ones made for a case."""

from __future__ import annotations

import io
from pathlib import Path

from outcomes.interchange.document import Document
from outcomes.interchange.odm_writing import Outgoing, write_odm
from outcomes.interchange.reading import Brought, read
from outcomes.interchange.redcap_records import Options
from outcomes.interchange.sources import Source

DATA = Path(__file__).resolve().parents[2] / "data" / "interop"
CREATED = "2026-11-24T12:00:00+00:00"
ATTESTATION = "The authors of the test data, who made these people up"


def source(path: str) -> Source:
    """A file of tests/data/interop."""
    return Source(Path(path).name, (DATA / path).read_bytes())


def brought(path: str) -> Brought:
    """A file with what REDCap needs besides: its dictionary and list of events."""
    beside = (DATA / path).parent
    return Brought(
        file=source(path),
        dictionary=_beside(beside / "dictionary.csv") if path.endswith("data.csv") else None,
        events=_beside(beside / "event.csv") if path.endswith(("data.csv", "dictionary.csv")) else None,
        project=beside.name,
    )


def _beside(path: Path) -> Source | None:
    return Source(path.name, path.read_bytes()) if path.exists() else None


def written(document: Document) -> str:
    """A document as ODM."""
    out = io.StringIO()
    outgoing = Outgoing(
        study_oid=document.study_oid,
        version_oid=document.version_oid,
        study=document.study,
        cells=document.cells,
        beside=document.beside,
        about=document.about,
    )
    write_odm(out, outgoing, created_at=CREATED)
    return out.getvalue()


def again(document: Document) -> Document:
    """A document after it went out as ODM and came in."""
    return read(Brought(Source("again.xml", written(document).encode())))


FIELDS = (
    "Variable / Field Name,Form Name,Section Header,Field Type,Field Label,"
    '"Choices, Calculations, OR Slider Labels",Field Note,Text Validation Type OR Show Slider Number,'
    "Text Validation Min,Text Validation Max,Identifier?,Branching Logic (Show field only if...),Required Field?"
)
SMALL_DICTIONARY = f"""{FIELDS}
record_id,pain,,text,Record,,,,,,,,
worst,pain,,text,Worst,,,integer,0,10,,,
height,pain,,text,Height,,,number,0,250,,,
seen_on,pain,,text,Seen,,,date_ymd,,,,,
side,pain,,radio,Side,"1, Left | 2, Right",,,,,,,
where,pain,,checkbox,Where,"1, Back | 2, Leg",,,,,,,
remark,pain,,notes,Remark,,,,,,,,
name,pain,,text,Name,,,,,,y,,
"""
HEADER = "record_id,worst,height,seen_on,side,where___1,where___2,remark,name,pain_complete"


def small(
    *rows: str, header: str = HEADER, dictionary: str = SMALL_DICTIONARY, options: Options | None = None
) -> Brought:
    """Records of the small dictionary, one text a row."""
    content = "\n".join((header, *rows)) + "\n"
    return Brought(
        file=Source("records.csv", content.encode()),
        dictionary=Source("dictionary.csv", dictionary.encode()),
        options=options or Options(),
        project="Small",
    )


def odm(clinical: str, *, item: str = 'DataType="integer"', inside: str = "", root: str = "") -> Source:
    """A small ODM file: one item X in group G of form F at event E, and what stands in ClinicalData."""
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileOID="f" FileType="Snapshot" ODMVersion="1.3.2"
     CreationDateTime="2024-01-01T00:00:00"{root}>
<Study OID="S"><GlobalVariables><StudyName>Small</StudyName><StudyDescription>Small</StudyDescription>
<ProtocolName>Small</ProtocolName></GlobalVariables>
<MetaDataVersion OID="V" Name="V"><StudyEventDef OID="E" Name="E" Repeating="No" Type="Common">
<FormRef FormOID="F" Mandatory="No"/></StudyEventDef>
<FormDef OID="F" Name="F" Repeating="No"><ItemGroupRef ItemGroupOID="G" Mandatory="No"/></FormDef>
<ItemGroupDef OID="G" Name="G" Repeating="No"><ItemRef ItemOID="X" Mandatory="No"/></ItemGroupDef>
<ItemDef OID="X" Name="X" {item}>{inside}</ItemDef></MetaDataVersion></Study>
<ClinicalData StudyOID="S" MetaDataVersionOID="V">{clinical}</ClinicalData></ODM>"""
    return Source("small.xml", text.encode())


def subject(key: str, value: str, *, attributes: str = "") -> str:
    """Clinical data of one subject with one value."""
    return (
        f'<SubjectData SubjectKey="{key}"><StudyEventData StudyEventOID="E"><FormData FormOID="F">'
        f'<ItemGroupData ItemGroupOID="G"><ItemData ItemOID="X" Value="{value}"{attributes}/>'
        "</ItemGroupData></FormData></StudyEventData></SubjectData>"
    )
