"""A REDCap data dictionary in ODM's terms, as REDCap itself puts it.

Names of forms, groups and items are those of REDCap's own ODM export, so that a project brought by its dictionary and
records and the same project brought as ODM have the same addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from outcomes.interchange.document import Document
from outcomes.interchange.element import Element, element
from outcomes.interchange.redcap_dictionary import (
    ANNOTATION,
    BRANCHING,
    CHOICES,
    IDENTIFIER,
    LEAST,
    MOST,
    NOTE,
    REQUIRED,
    SECTION,
    UNUSED_HERE,
    VALIDATION,
    Dictionary,
    Field,
    columns_of,
    status_field,
)
from outcomes.interchange.redcap_events import Events

NAMESPACE = "https://projectredcap.org"
CONTEXT = "expression"
OwnColumns = Mapping[str, Sequence[str]]
_STATUS = (("0", "Incomplete"), ("1", "Unverified"), ("2", "Complete"))


def as_document(dictionary: Dictionary, *, project: str, events: tuple[Element, ...] = ()) -> Document:
    """The dictionary as a document. project: its name, for the study; events: StudyEventDef elements, if known."""
    study = as_study(dictionary, project=project, events=events)
    version = study.first("MetaDataVersion")
    return Document(
        name=dictionary.file.name,
        format="redcap_dictionary",
        sha256=dictionary.file.sha256,
        bytes=dictionary.file.size,
        study_oid=study.get("OID"),
        version_oid=version.get("OID") if version else "",
        study=study,
        remarks=dictionary.remarks,
    )


def events_only(events: Events, *, project: str) -> Element:
    """A Study element that has the events of a project, and nothing else yet."""
    version = {"OID": f"Metadata.{_compact(project)}", "Name": project}
    defined = events.definitions((), ())
    about = _about(project, "REDCap's list of events")
    return element(
        "Study", {"OID": f"Project.{_compact(project)}"}, about, element("MetaDataVersion", version, *defined)
    )


def _compact(project: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", project) or "project"


def _about(project: str, said: str) -> Element:
    return element(
        "GlobalVariables",
        {},
        element("StudyName", text=project),
        element("StudyDescription", text=said),
        element("ProtocolName", text=project),
    )


def as_study(
    dictionary: Dictionary, *, project: str, events: tuple[Element, ...] = (), own_columns: OwnColumns | None = None
) -> Element:
    """The Study element. Its OIDs are made of the project's name, as REDCap makes them.

    own_columns: by form, the columns of REDCap's own that a file has.
    """
    own = own_columns or {}
    name = _compact(project)
    about = _about(project, f"REDCap data dictionary {dictionary.file.name}")
    attributes = {"OID": f"Metadata.{name}", "Name": project, _own("RecordIdField"): dictionary.record_id}
    references = [
        element("StudyEventRef", {"StudyEventOID": event.get("OID"), "OrderNumber": str(number), "Mandatory": "No"})
        for number, event in enumerate(events, start=1)
    ]
    protocol = (element("Protocol", {}, *references),) if references else ()
    version = element(
        "MetaDataVersion",
        attributes,
        *protocol,
        *events,
        *_forms(dictionary, own),
        *_groups(dictionary, own),
        *_items(dictionary, own),
        *_code_lists(dictionary),
        *_conditions(dictionary),
        *_methods(dictionary),
    )
    return element("Study", {"OID": f"Project.{name}"}, about, version)


def _own(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def form_oid(form: str) -> str:
    return f"Form.{form}"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of a form: each of its items with its field, None for a column of REDCap's own."""

    oid: str
    name: str
    items: tuple[tuple[str, Field | None], ...]


def groups_of(dictionary: Dictionary, form: str, own_columns: Sequence[str] = ()) -> list[Group]:
    """The groups of a form.

    A field under a section header is a group of its own, and what follows it the next: so REDCap does it. Columns of
    REDCap's own (a survey's time stamp) stand beside the record's number, or in a group before the others.
    """
    groups: list[Group] = []
    after_header = True
    for each in (each for each in dictionary.fields if each.form == form and each.kind != "descriptive"):
        items = tuple((column, each) for column in columns_of(each))
        if after_header or each.said(SECTION):
            groups.append(Group(f"{form}.{items[0][0]}", each.said(SECTION) or _title(form), items))
        else:
            groups[-1] = replace(groups[-1], items=groups[-1].items + items)
        after_header = bool(each.said(SECTION))
    own = tuple((column, None) for column in own_columns)
    if own and form == dictionary.forms[0]:
        groups[0] = replace(groups[0], items=groups[0].items + own)
    elif own:
        groups.insert(0, Group(f"{form}.{own_columns[0]}", _title(form), own))
    status = status_field(form)
    return [*groups, Group(f"{form}.{status}", "Form Status", ((status, None),))]


def _title(form: str) -> str:
    return form.replace("_", " ").title()


def _forms(dictionary: Dictionary, own: OwnColumns) -> Iterator[Element]:
    for form in dictionary.forms:
        groups = groups_of(dictionary, form, own.get(form, ()))
        references = [element("ItemGroupRef", {"ItemGroupOID": each.oid, "Mandatory": "No"}) for each in groups]
        attributes = {"OID": form_oid(form), "Name": _title(form), "Repeating": "No", _own("FormName"): form}
        yield element("FormDef", attributes, *references)


def _groups(dictionary: Dictionary, own: OwnColumns) -> Iterator[Element]:
    for form in dictionary.forms:
        for group in groups_of(dictionary, form, own.get(form, ())):
            references = [_reference(each, column) for column, each in group.items]
            yield element("ItemGroupDef", {"OID": group.oid, "Name": group.name, "Repeating": "No"}, *references)


def _reference(each: Field | None, column: str) -> Element:
    if each is None:
        return element("ItemRef", {"ItemOID": column, "Mandatory": "No", _own("Variable"): column})
    attributes = {"ItemOID": column, "Mandatory": "Yes" if each.said(REQUIRED) else "No", _own("Variable"): each.name}
    if each.condition is not None and each.condition.text:
        attributes["CollectionExceptionConditionOID"] = f"{each.name}.hidden"
    if each.calculation is not None and each.calculation.text:
        attributes["MethodOID"] = f"{each.name}.calculated"
    return element("ItemRef", attributes)


def _items(dictionary: Dictionary, own: OwnColumns) -> Iterator[Element]:
    for each in dictionary.fields:
        if each.kind != "descriptive":
            yield from (_item(each, column) for column in columns_of(each))
    for column in (column for columns in own.values() for column in columns):
        attributes = {"OID": column, "Name": column, "DataType": "text", "Length": "999", _own("Variable"): column}
        yield element("ItemDef", attributes, _question(column))
    for form in dictionary.forms:
        status = status_field(form)
        attributes = {"OID": status, "Name": status, "DataType": "text", "Length": "1"}
        vendor = {_own("Variable"): status, _own("FieldType"): "select", _own("SectionHeader"): "Form Status"}
        listed = element("CodeListRef", {"CodeListOID": f"{status}.choices"})
        yield element("ItemDef", attributes | vendor, _question("Complete?"), listed)


_KEPT = {
    _own("SectionHeader"): SECTION,
    _own("FieldNote"): NOTE,
    _own("TextValidationType"): VALIDATION,
    _own("Identifier"): IDENTIFIER,
    _own("BranchingLogic"): BRANCHING,
    _own("FieldAnnotation"): ANNOTATION,
    _own("CustomAlignment"): UNUSED_HERE[0],
    _own("QuestionNumber"): UNUSED_HERE[1],
    _own("MatrixGroupName"): UNUSED_HERE[2],
    _own("MatrixRanking"): UNUSED_HERE[3],
}


def _item(each: Field, column: str) -> Element:
    attributes = {"OID": column, "Name": column, "DataType": each.data_type}
    # A length has no meaning for the other types.
    attributes |= {"Length": "1" if each.kind == "checkbox" else "999"} if each.data_type in {"text", "integer"} else {}
    attributes |= {_own("Variable"): each.name, _own("FieldType"): each.kind}
    attributes |= {name: each.said(column_name) for name, column_name in _KEPT.items() if each.said(column_name)}
    if each.kind == "calc":
        attributes[_own("Calculation")] = each.cells[CHOICES]
    children = [_question(each.label), *_ranges(each)]
    if each.is_coded:
        children.append(element("CodeListRef", {"CodeListOID": f"{column}.choices"}))
    return element("ItemDef", attributes, *children)


def _question(text: str) -> Element:
    return element("Question", {}, element("TranslatedText", text=text))


def _ranges(each: Field) -> Iterator[Element]:
    """REDCap's limits are advice: a value beyond them is asked about and taken."""
    for comparator, column in (("GE", LEAST), ("LE", MOST)):
        if each.said(column) and not each.is_coded:
            value = element("CheckValue", text=each.said(column))
            yield element("RangeCheck", {"Comparator": comparator, "SoftHard": "Soft"}, value)


def _code_lists(dictionary: Dictionary) -> Iterator[Element]:
    for each in dictionary.fields:
        if each.kind == "checkbox":
            for column, (_, label) in zip(columns_of(each), each.choices, strict=True):
                yield _code_list(column, (("1", label), ("0", "")))
        elif each.is_coded:
            yield _code_list(each.name, each.choices)
    for form in dictionary.forms:
        yield _code_list(status_field(form), _STATUS)


def _code_list(name: str, choices: tuple[tuple[str, str], ...]) -> Element:
    listed = [
        element("CodeListItem", {"CodedValue": code}, element("Decode", {}, element("TranslatedText", text=label)))
        for code, label in choices
    ]
    return element("CodeList", {"OID": f"{name}.choices", "Name": name, "DataType": "text"}, *listed)


def _conditions(dictionary: Dictionary) -> Iterator[Element]:
    """ODM's condition says when a field is left out: the opposite of REDCap's."""
    for each in dictionary.fields:
        if each.condition is not None and each.condition.text and each.kind != "descriptive":
            text = f"not ({each.condition.text})"
            yield _formal("ConditionDef", f"{each.name}.hidden", {}, each.said(BRANCHING), text)


def _methods(dictionary: Dictionary) -> Iterator[Element]:
    for each in dictionary.fields:
        if each.calculation is not None and each.calculation.text:
            oid = f"{each.name}.calculated"
            yield _formal("MethodDef", oid, {"Type": "Computation"}, each.cells[CHOICES], each.calculation.text)


def _formal(tag: str, oid: str, attributes: dict[str, str], said: str, text: str) -> Element:
    description = element("Description", {}, element("TranslatedText", text=said))
    formal = element("FormalExpression", {"Context": CONTEXT}, text=text)
    return element(tag, {"OID": oid, "Name": oid, **attributes}, description, formal)
