"""A FHIR Questionnaire in ODM's terms: a form, its groups, its questions with types, codes and conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from outcomes.imports.refusals import Refusal
from outcomes.interchange.element import Element, element
from outcomes.interchange.refused import LineRefusal

FHIR = "http://hl7.org/fhir"
STUDY_OID = "FHIR"
_ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
_DATA_TYPES = {
    "boolean": "boolean",
    "decimal": "float",
    "integer": "integer",
    "date": "partialDate",
    "dateTime": "partialDatetime",
    "time": "time",
    "string": "text",
    "text": "text",
    "url": "text",
    "choice": "text",
    "open-choice": "text",
    "quantity": "float",
    "reference": "text",
    "attachment": "text",
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = {"=": "==", "!=": "!=", ">": ">", "<": "<", ">=": ">=", "<=": "<="}
Json = Mapping[str, Any]


@dataclass(slots=True)
class _Parts:
    """What the questionnaires of a file are made of so far."""

    remarks: list[Refusal]
    refusals: list[Refusal]
    forms: list[Element] = field(default_factory=list)
    groups: list[Element] = field(default_factory=list)
    items: dict[str, Element] = field(default_factory=dict)
    lists: list[Element] = field(default_factory=list)
    conditions: list[Element] = field(default_factory=list)


def as_study(questionnaires: Sequence[Json], remarks: list[Refusal], refusals: list[Refusal]) -> Element:
    """The Study element of one or more questionnaires. What cannot be said is remarked, what is wrong is refused."""
    parts = _Parts(remarks, refusals)
    for each in questionnaires:
        _questionnaire(each, parts)
    first = questionnaires[0]
    title = str(first.get("title") or first.get("name") or form_oid(first))
    names = (
        element("StudyName", text=title),
        element("StudyDescription", text=str(first.get("description") or title)),
        element("ProtocolName", text=title),
    )
    version = element(
        "MetaDataVersion",
        {"OID": f"FHIR.{first.get('version') or '1'}", "Name": title},
        *parts.forms,
        *parts.groups,
        *parts.items.values(),
        *parts.lists,
        *parts.conditions,
    )
    return element("Study", {"OID": STUDY_OID}, element("GlobalVariables", {}, *names), version)


def form_oid(questionnaire: Json) -> str:
    """What a response names its questionnaire by: the canonical address, or the id."""
    return str(questionnaire.get("url") or questionnaire.get("id") or "Questionnaire")


def item_oid(form: str, link: str) -> str:
    """The item of a question: two questionnaires of a file may use the same link."""
    return f"{form}#{link}"


def _questionnaire(each: Json, parts: _Parts) -> None:
    form = form_oid(each)
    if any(known.get("OID") == form for known in parts.forms):
        parts.refusals.append(LineRefusal(0, form, "", "The questionnaire stands twice in the file."))
        return
    references: list[Element] = []
    title = str(each.get("title") or each.get("name") or form)
    _group(form, item_oid(form, "questions"), title, each.get("item") or [], parts, references)
    parts.forms.append(element("FormDef", {"OID": form, "Name": title, "Repeating": "Yes"}, *references))


def _group(form: str, oid: str, name: str, items: Sequence[Json], parts: _Parts, references: list[Element]) -> None:
    """A group's own questions, then the groups below it, each a group of its own."""
    refs, below = [], []
    for each in items:
        link, kind = str(each.get("linkId") or ""), str(each.get("type") or "")
        if not link:
            parts.refusals.append(LineRefusal(0, form, str(each.get("text") or ""), "An item has no linkId."))
        elif kind == "group":
            below.append((link, each))
        elif kind == "display":
            parts.remarks.append(LineRefusal(0, f"{form} {link}", "", "Left out: a text to be shown, not a question."))
        elif kind not in _DATA_TYPES:
            known = ", ".join(sorted((*_DATA_TYPES, "group", "display")))
            parts.refusals.append(LineRefusal(0, f"{form} {link}", kind, f"FHIR R4's item types are {known}."))
        else:
            refs.append(_reference(form, link, each, parts))
            below += [(link, each)] if each.get("item") else []
    if refs or not below:
        parts.groups.append(element("ItemGroupDef", {"OID": oid, "Name": name, "Repeating": "Yes"}, *refs))
        references.append(element("ItemGroupRef", {"ItemGroupOID": oid, "Mandatory": "No"}))
    for link, each in below:
        inner = item_oid(form, f"{link}.group")
        _group(form, inner, str(each.get("text") or link), each.get("item") or [], parts, references)


def _reference(form: str, link: str, each: Json, parts: _Parts) -> Element:
    oid = item_oid(form, link)
    if oid in parts.items:
        parts.refusals.append(LineRefusal(0, f"{form} {link}", "", "The linkId stands twice in the questionnaire."))
    attributes = {"ItemOID": oid, "Mandatory": "Yes" if each.get("required") else "No"}
    if each.get("enableWhen"):
        attributes |= _condition(form, link, each, parts)
    parts.items[oid] = _item(oid, link, each, parts)
    return element("ItemRef", attributes)


def _item(oid: str, link: str, each: Json, parts: _Parts) -> Element:
    children = [element("Question", {}, element("TranslatedText", text=str(each.get("text") or link)))]
    options = list(_options(each))
    if options:
        children.append(element("CodeListRef", {"CodeListOID": f"{oid}.options"}))
        # An open choice may be answered in the person's own words: its options are no rule.
        if each.get("type") == "open-choice":
            children.pop()
            parts.remarks.append(LineRefusal(0, oid, "", "An open choice: its options are kept and bind no answer."))
        attributes = {"OID": f"{oid}.options", "Name": link, "DataType": "text"}
        parts.lists.append(element("CodeList", attributes, *options))
    elif each.get("answerValueSet"):
        why = f"Its codes are in {each['answerValueSet']}, outside the file: any answer is taken."
        parts.remarks.append(LineRefusal(0, oid, "", why))
    attributes = {"OID": oid, "Name": link, "DataType": _DATA_TYPES[str(each.get("type"))]}
    if attributes["DataType"] in {"text", "integer"}:
        attributes["Length"] = str(each.get("maxLength") or 999)
    return element("ItemDef", {**attributes, f"{{{FHIR}}}type": str(each.get("type"))}, *children)


def _options(each: Json) -> Iterator[Element]:
    for option in each.get("answerOption") or []:
        value = option_value(option, "value")
        if value is None:
            continue
        code, label = value
        attributes = {"CodedValue": code}
        rank = _ordinal(option)
        if rank is not None:
            attributes["Rank"] = rank
        decode = element("Decode", {}, element("TranslatedText", text=label))
        yield element("CodeListItem", attributes, decode)


def _ordinal(option: Json) -> str | None:
    """What an option counts in a score, where it says so."""
    holders = (option, option.get("valueCoding") or {})
    for extension in (each for holder in holders for each in holder.get("extension") or []):
        if extension.get("url") == _ORDINAL:
            return str(extension.get("valueDecimal"))
    return None


def option_value(holder: Json, prefix: str) -> tuple[str, str] | None:
    """The value[x] or answer[x] of an object: code and label; None if there is none."""
    for key, value in holder.items():
        if not key.startswith(prefix) or key == prefix:
            continue
        if isinstance(value, bool):
            return ("1", "true") if value else ("0", "false")
        if isinstance(value, dict):
            code = value.get("code") if key.endswith("Coding") else None
            code = code or value.get("value") or value.get("reference") or value.get("display") or value.get("url")
            return (str(code), str(value.get("display") or code)) if code is not None else None
        return str(value), str(value)
    return None


def _condition(form: str, link: str, each: Json, parts: _Parts) -> dict[str, str]:
    """enableWhen in the expression language; ODM's condition says when an item is left out."""
    why, terms = "", []
    for when in each["enableWhen"]:
        operator, value = _OPERATORS.get(str(when.get("operator"))), option_value(when, "answer")
        question = str(when.get("question") or "")
        if operator is None or value is None:
            why = f"The operator {when.get('operator')!r} asks whether an answer exists: a condition is unknown then."
        elif not _NAME.fullmatch(question):
            why = f"The link {question!r} is no name in the expression language."
        else:
            terms.append(f"{question} {operator} {value[0] if _is_number(when, value[0]) else repr(value[0])}")
    if why:
        why = f"Its condition is not worked out here. {why}"
        parts.remarks.append(LineRefusal(0, item_oid(form, link), "", why))
        return {}
    joined = (" or " if each.get("enableBehavior") == "any" else " and ").join(terms)
    oid = f"{item_oid(form, link)}.hidden"
    formal = element("FormalExpression", {"Context": "expression"}, text=f"not ({joined})")
    description = element("Description", {}, element("TranslatedText", text=joined))
    parts.conditions.append(element("ConditionDef", {"OID": oid, "Name": oid}, description, formal))
    return {"CollectionExceptionConditionOID": oid}


def _is_number(when: Json, text: str) -> bool:
    """Codes of a choice are texts; what was given as a number, or yes or no, is a number."""
    coded = any(key.startswith(("answerCoding", "answerString")) for key in when)
    return not coded and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) is not None
