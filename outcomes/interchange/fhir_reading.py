"""FHIR R4 Questionnaire and QuestionnaireResponse (JSON, alone or in a Bundle), put in ODM's terms.

Source: HL7 FHIR R4 (4.0.1), resources Questionnaire and QuestionnaireResponse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.interchange import limits
from outcomes.interchange.cells import Cell
from outcomes.interchange.document import Document
from outcomes.interchange.element import Element
from outcomes.interchange.fhir_questionnaire import as_study
from outcomes.interchange.fhir_responses import cells_of
from outcomes.interchange.json_rows import parse_json
from outcomes.interchange.refused import refuse_file

QUESTIONNAIRE, RESPONSE, BUNDLE = "Questionnaire", "QuestionnaireResponse", "Bundle"
Resource = Mapping[str, Any]


def read_fhir(content: bytes, *, name: str, stored: Element | None = None) -> Document:
    """Read questionnaires and responses. stored: the questionnaires that are here, for responses without theirs.

    Raises ImportRefused for what is no such resource, for items of unknown types, and for responses that name items
    which no questionnaire has.
    """
    resources = _resources(parse_json(content, name=name), name)
    if met := next(iter(_of_other_versions(resources)), None):
        what = f"This is FHIR {met[1]} ({met[0]!r} stands in it)"
        raise refuse_file(name, f"{what}; R4 is read here. Export it as FHIR R4.")
    if wrong := next(iter(_misshapen(resources)), None):
        raise refuse_file(name, f"{wrong} is not what FHIR R4 has there.")
    questionnaires = [each for each in resources if each["resourceType"] == QUESTIONNAIRE]
    responses = [each for each in resources if each["resourceType"] == RESPONSE]
    remarks: list[Refusal] = []
    refusals: list[Refusal] = []
    study = as_study(questionnaires, remarks, refusals) if questionnaires else None
    known = study or stored
    if responses and known is None:
        raise refuse_file(name, "The file holds responses and not their questionnaire. Bring the questionnaire first.")
    cells: tuple[Cell, ...] = cells_of(responses, known, refusals) if known is not None else ()
    if refusals:
        raise ImportRefused(name, refusals[: limits.MOST_REFUSALS])
    version = known.first("MetaDataVersion") if known else None
    return Document(
        name=name,
        format="fhir_responses" if responses else "fhir_questionnaire",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        study_oid=known.get("OID") if known else "",
        version_oid=version.get("OID") if version else "",
        study=study,
        cells=cells,
        remarks=tuple(remarks),
    )


def _resources(parsed: Any, name: str) -> list[Resource]:
    found = _unbundled(parsed)
    for each in found:
        kind = each.get("resourceType") if isinstance(each, dict) else None
        if kind not in {QUESTIONNAIRE, RESPONSE}:
            said = f"A {kind} is" if kind else "JSON without a resourceType is"
            raise refuse_file(
                name, f"{said} not read here; FHIR R4 Questionnaire and QuestionnaireResponse are, also in a Bundle."
            )
    if not found:
        raise refuse_file(name, "The Bundle is empty.")
    return found


_LISTS = frozenset(("item", "answer", "answerOption", "enableWhen", "extension"))
_OBJECTS = frozenset(("subject", "identifier", "valueCoding", "answerCoding", "valueQuantity", "valueReference"))


def _misshapen(value: Any) -> Iterator[str]:
    """The names in an object, and below, that hold something else than FHIR's shape."""
    if isinstance(value, list):
        for each in value:
            yield from _misshapen(each)
        return
    for key, held in value.items() if isinstance(value, dict) else ():
        is_list = isinstance(held, list) and all(isinstance(each, dict) for each in held)
        if (key in _LISTS and not is_list) or (key in _OBJECTS and not isinstance(held, dict)):
            yield f"{key!r}"
        yield from _misshapen(held)


# Names that one version has in these resources, and R4 has not.
_OF_OTHERS = {
    "option": "STU3",
    "options": "STU3",
    "hasAnswer": "STU3",
    "answerConstraint": "R5",
    "disabledDisplay": "R5",
    "versionAlgorithmString": "R5",
    "versionAlgorithmCoding": "R5",
    "copyrightLabel": "R5",
}


def _of_other_versions(value: Any) -> Iterator[tuple[str, str]]:
    """Names that say that a resource is of another version of FHIR, with that version."""
    for each in value if isinstance(value, list) else ():
        yield from _of_other_versions(each)
    for key, held in value.items() if isinstance(value, dict) else ():
        if key in _OF_OTHERS:
            yield key, _OF_OTHERS[key]
        if key == "questionnaire" and isinstance(held, dict):
            yield key, "STU3"
        if key == "type" and held == "coding":
            yield "coding", "R5"
        yield from _of_other_versions(held)


def _unbundled(parsed: Any) -> list[Any]:
    if isinstance(parsed, dict) and parsed.get("resourceType") == BUNDLE:
        entries = parsed.get("entry") or []
        if not isinstance(entries, list):
            return []
        return [entry.get("resource") if isinstance(entry, dict) else entry for entry in entries]
    return parsed if isinstance(parsed, list) else [parsed]
