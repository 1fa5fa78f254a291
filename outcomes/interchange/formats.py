"""Which format a file has, by its first bytes; what is not read here is refused by name, with what would be right."""

from __future__ import annotations

import re
from typing import Literal

from outcomes.interchange.refused import refuse_file

Kind = Literal["xml", "csv", "json"]
_HEAD = 4096
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_SAS_TRANSPORT = b"HEADER RECORD*******"
_OTHERS: tuple[tuple[tuple[bytes, ...], str], ...] = (
    (
        _ZIP,
        "This is a zip archive or an Excel workbook; neither is opened here. Unpack it and bring the file itself, or"
        " save the sheet as CSV in UTF-8.",
    ),
    (
        (b"\x1f\x8b",),
        "This is compressed (gzip), as a CDISC Dataset-JSON .dsjc is, and is not opened here. Bring the file itself:"
        " ODM-XML 1.3.2 or REDCap CSV; datasets in tables are not read.",
    ),
    (
        (b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"\x78\x9c", b"\x78\xda"),
        "This is an archive; it is not opened here. Unpack it first.",
    ),
    (
        (_SAS_TRANSPORT,),
        "This is a SAS transport file (XPT): tabulated datasets, not forms and their values. Bring ODM-XML 1.3.2 or"
        " REDCap CSV of the study.",
    ),
    ((b"\x00\x00\x00\x00\x00\x00\x00\x00",), "This is a SAS dataset. Bring ODM-XML 1.3.2 or CSV."),
    ((b"%PDF",), "This is a PDF. Bring the data themselves: ODM-XML 1.3.2 or REDCap CSV."),
    ((b"\xd0\xcf\x11\xe0",), "This is an old Excel or Word file. Save the sheet as CSV in UTF-8."),
)
_DATASET_JSON = (
    "This is CDISC Dataset-JSON: tabulated datasets, not forms and their values. Bring ODM-XML 1.3.2 of the study."
)
_JSON_START = re.compile(r"\s*[\[{]")


def kind_of(head: bytes, *, name: str) -> Kind:
    """The kind of a file by its beginning (4 kB are enough).

    Raises ImportRefused for an empty file and for a format that is known and not read here.
    """
    if not head.strip():
        raise refuse_file(name, "The file is empty.")
    for beginnings, why in _OTHERS:
        if head.startswith(beginnings):
            raise refuse_file(name, why)
    text = head[:_HEAD].decode("utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig", "replace")
    if text.lstrip().startswith("<"):
        return "xml"
    if _JSON_START.match(text):
        if '"datasetJSONVersion"' in text or '"itemGroupData' in text or '"itemGroupOID"' in text:
            raise refuse_file(name, _DATASET_JSON)
        return "json"
    return "csv"
