"""A REDCap data dictionary (CSV), put in ODM's terms as REDCap itself does it: forms, groups, fields, choices, ranges.

Names of forms, groups and items are those of REDCap's own ODM export, so that a project brought by its dictionary and
records and the same project brought as ODM have the same addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.interchange import limits
from outcomes.interchange.document import Document
from outcomes.interchange.element import Element, element
from outcomes.interchange.redcap_logic import Translated, translate
from outcomes.interchange.tables import CsvFile, open_csv

NAMESPACE = "https://projectredcap.org"
CONTEXT = "expression"
FIELD, FORM, SECTION, TYPE, LABEL, CHOICES, NOTE, VALIDATION, LEAST, MOST, IDENTIFIER, BRANCHING, REQUIRED = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
)
NEEDED = (FIELD, FORM, TYPE, LABEL, CHOICES)
_REST = ("Custom Alignment", "Question Number (surveys only)", "Matrix Group Name", "Matrix Ranking?")
_ANNOTATION = "Field Annotation"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_FORM_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
CHOICE_TYPES = frozenset(("radio", "dropdown", "checkbox"))
_TYPES = CHOICE_TYPES | {
    "text", "notes", "calc", "yesno", "truefalse", "file", "slider", "descriptive", "sql", "signature"
}
_STATUS = (("0", "Incomplete"), ("1", "Unverified"), ("2", "Complete"))
_FIXED = {"yesno": (("1", "Yes"), ("0", "No")), "truefalse": (("1", "True"), ("0", "False"))}
_DATA_TYPES = {"yesno": "boolean", "truefalse": "boolean", "calc": "float", "slider": "integer", "checkbox": "boolean"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the dictionary. choices: code and label; `row` as a spreadsheet shows it."""

    row: int
    name: str
    form: str
    kind: str
    label: str
    choices: tuple[tuple[str, str], ...]
    cells: dict[str, str]
    condition: Translated | None = None
    calculation: Translated | None = None

    def said(self, column: str) -> str:
        return self.cells.get(column, "")

    @property
    def validation(self) -> str:
        return self.said(VALIDATION)

    @property
    def is_coded(self) -> bool:
        return bool(self.choices)

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers: measured, or codes that are."""
        if self.is_coded:
            return all(re.fullmatch(r"-?[0-9]+", code) for code, _ in self.choices)
        return self.kind in {"calc", "slider"} or self.validation.startswith(("number", "integer", "int"))

    @property
    def data_type(self) -> str:
        """ODM's name for the type of its values."""
        if self.kind in _DATA_TYPES:
            return _DATA_TYPES[self.kind]
        kind = self.validation
        if kind in {"integer", "int"}:
            return "integer"
        if kind.startswith("number") or kind == "float":
            # With a decimal comma it is no number to any other program.
            return "text" if kind.endswith("comma_decimal") else "float"
        if kind.startswith("datetime"):
            return "partialDatetime"
        return "date" if kind.startswith("date") else "text"


@dataclass(frozen=True, slots=True)
class Dictionary:
    """A dictionary that was found right. fields in the order of the file; forms likewise."""

    file: CsvFile
    fields: tuple[Field, ...]
    remarks: tuple[Refusal, ...] = field(default=())

    @property
    def record_id(self) -> str:
        return self.fields[0].name

    @property
    def forms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.form for each in self.fields))


def read_dictionary(content: bytes, *, name: str, encoding: str = "utf-8") -> Dictionary:
    """Read a data dictionary. Raises ImportRefused naming every row that cannot be taken, and why."""
    file = open_csv(content, name=name, encoding=encoding)
    if missing := [column for column in NEEDED if column not in file.header]:
        raise ImportRefused(name, [Refusal(1, column, "", "A data dictionary has this column.") for column in missing])
    refusals: list[Refusal] = []
    fields: dict[str, Field] = {}
    for row, cells in file.rows():
        each = _field(row, dict(zip(file.header, (cell.strip() for cell in cells), strict=True)), refusals)
        if each.name in fields:
            why = f"Row {fields[each.name].row} defines this field already."
            refusals.append(Refusal(row, FIELD, each.name, why))
        fields[each.name] = each
        if len(refusals) >= limits.MOST_REFUSALS:
            break
    if not fields:
        refusals.append(Refusal(0, "", "", "The dictionary has no fields."))
    if refusals:
        raise ImportRefused(name, refusals)
    translated = [_translated(each, _numbers(fields)) for each in fields.values()]
    return Dictionary(file, tuple(translated), tuple(_remarks(translated)))


def _field(row: int, cells: dict[str, str], refusals: list[Refusal]) -> Field:
    name, form, kind = cells[FIELD], cells[FORM], cells[TYPE].lower()
    for column, text, shape in ((FIELD, name, _NAME), (FORM, form, _FORM_NAME)):
        if not shape.fullmatch(text):
            why = "A name is small letters, digits and _, and begins with a letter."
            refusals.append(Refusal(row, column, text, why))
    if kind not in _TYPES:
        refusals.append(Refusal(row, TYPE, cells[TYPE], f"Known types are {', '.join(sorted(_TYPES))}."))
    choices = _FIXED.get(kind, ())
    if kind in CHOICE_TYPES:
        choices = tuple(_choices(row, cells[CHOICES], refusals))
    return Field(row, name, form, kind, cells[LABEL], choices, cells)


def _choices(row: int, text: str, refusals: list[Refusal]) -> Iterator[tuple[str, str]]:
    """Codes and labels: 1, Mild | 2, Severe. A label may hold commas."""
    seen: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in text.replace("\n", "|").split("|"))):
        code, comma, label = (piece.strip() for piece in part.partition(","))
        if not comma or not code:
            refusals.append(Refusal(row, CHOICES, part, "A choice is a code, a comma and a label: 1, Mild."))
        elif code in seen:
            refusals.append(Refusal(row, CHOICES, part, f"Code {code} is given twice ({seen[code]}, {label})."))
        else:
            seen[code] = label
            yield code, label
    if not seen:
        refusals.append(Refusal(row, CHOICES, text, "The field has no choices. Write them as 1, Mild | 2, Severe."))


def _numbers(fields: dict[str, Field]) -> dict[str, bool]:
    numbers = {}
    for each in fields.values():
        if each.kind == "checkbox":
            numbers |= {f"{each.name}___{checkbox_code(code)}": True for code, _ in each.choices}
        else:
            numbers[each.name] = each.is_number
    return numbers


def checkbox_code(code: str) -> str:
    """A choice's code as it stands in the name of its column: small letters, and _ for a minus."""
    return code.lower().replace("-", "_")


def _translated(each: Field, numbers: dict[str, bool]) -> Field:
    condition = translate(each.said(BRANCHING), numbers) if each.said(BRANCHING) else None
    calculation = translate(each.cells[CHOICES], numbers) if each.kind == "calc" else None
    return Field(
        each.row, each.name, each.form, each.kind, each.label, each.choices, each.cells, condition, calculation
    )


def _remarks(fields: list[Field]) -> Iterator[Refusal]:
    for each in fields:
        for column, translated in ((BRANCHING, each.condition), (CHOICES, each.calculation)):
            if translated is not None and translated.why_not:
                why = f"Kept as REDCap wrote it, and not worked out here: {translated.why_not}"
                yield Refusal(each.row, column, each.cells[column], why)


# In ODM's terms --------------------------------------------------------------------------------------------------


def as_document(dictionary: Dictionary, *, project: str, events: tuple[Element, ...] = ()) -> Document:
    """The dictionary as a document. project: its name, for the study; events: StudyEventDef elements, if known."""
    study = as_study(dictionary, project=project, events=events)
    version = study.first("MetaDataVersion")
    return Document(
        name=dictionary.file.name,
        format="redcap_dictionary",
        sha256=dictionary.file.sha256,
        bytes=dictionary.file.bytes,
        study_oid=study.get("OID"),
        version_oid=version.get("OID") if version else "",
        study=study,
        remarks=dictionary.remarks,
    )


def as_study(dictionary: Dictionary, *, project: str, events: tuple[Element, ...] = ()) -> Element:
    """The Study element. Its OIDs are made of the project's name, as REDCap makes them."""
    name = re.sub(r"[^A-Za-z0-9]", "", project) or "project"
    about = (
        element("StudyName", text=project),
        element("StudyDescription", text=f"REDCap data dictionary {dictionary.file.name}"),
        element("ProtocolName", text=project),
    )
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
        *_forms(dictionary),
        *_groups(dictionary),
        *_items(dictionary),
        *_code_lists(dictionary),
        *_conditions(dictionary),
        *_methods(dictionary),
    )
    return element("Study", {"OID": f"Project.{name}"}, element("GlobalVariables", {}, *about), version)


def _own(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def form_oid(form: str) -> str:
    return f"Form.{form}"


def status_field(form: str) -> str:
    """The name of the field that says how far a form is."""
    return f"{form}_complete"


def groups_of(dictionary: Dictionary, form: str) -> list[tuple[str, str, list[Field]]]:
    """The groups of a form: OID, name and fields. One begins with the form and with each section header."""
    groups: list[tuple[str, str, list[Field]]] = []
    for each in (each for each in dictionary.fields if each.form == form and each.kind != "descriptive"):
        if not groups or each.said(SECTION):
            groups.append((f"{form}.{columns_of(each)[0]}", each.said(SECTION) or _title(form), []))
        groups[-1][2].append(each)
    return groups


def columns_of(each: Field) -> list[str]:
    """The columns of a field: one for each choice of a checkbox, else its own."""
    if each.kind == "checkbox":
        return [f"{each.name}___{checkbox_code(code)}" for code, _ in each.choices]
    return [each.name]


def _title(form: str) -> str:
    return form.replace("_", " ").title()


def _forms(dictionary: Dictionary) -> Iterator[Element]:
    for form in dictionary.forms:
        status = f"{form}.{status_field(form)}"
        oids = [*(oid for oid, _, _ in groups_of(dictionary, form)), status]
        references = [element("ItemGroupRef", {"ItemGroupOID": oid, "Mandatory": "No"}) for oid in oids]
        attributes = {"OID": form_oid(form), "Name": _title(form), "Repeating": "No", _own("FormName"): form}
        yield element("FormDef", attributes, *references)


def _groups(dictionary: Dictionary) -> Iterator[Element]:
    for form in dictionary.forms:
        for oid, title, fields in groups_of(dictionary, form):
            references = [_reference(each, column) for each in fields for column in columns_of(each)]
            yield element("ItemGroupDef", {"OID": oid, "Name": title, "Repeating": "No"}, *references)
        status = status_field(form)
        reference = element("ItemRef", {"ItemOID": status, "Mandatory": "No", _own("Variable"): status})
        attributes = {"OID": f"{form}.{status}", "Name": "Form Status", "Repeating": "No"}
        yield element("ItemGroupDef", attributes, reference)


def _reference(each: Field, column: str) -> Element:
    attributes = {"ItemOID": column, "Mandatory": "Yes" if each.said(REQUIRED) else "No", _own("Variable"): each.name}
    if each.condition is not None and each.condition.text:
        attributes["CollectionExceptionConditionOID"] = f"{each.name}.hidden"
    if each.calculation is not None and each.calculation.text:
        attributes["MethodOID"] = f"{each.name}.calculated"
    return element("ItemRef", attributes)


def _items(dictionary: Dictionary) -> Iterator[Element]:
    for each in dictionary.fields:
        if each.kind != "descriptive":
            yield from (_item(each, column) for column in columns_of(each))
    for form in dictionary.forms:
        status = status_field(form)
        attributes = {"OID": status, "Name": status, "DataType": "text", "Length": "1"}
        own = {_own("Variable"): status, _own("FieldType"): "select", _own("SectionHeader"): "Form Status"}
        listed = element("CodeListRef", {"CodeListOID": f"{status}.choices"})
        yield element("ItemDef", attributes | own, _question("Complete?"), listed)


_KEPT = {
    _own("SectionHeader"): SECTION,
    _own("FieldNote"): NOTE,
    _own("TextValidationType"): VALIDATION,
    _own("Identifier"): IDENTIFIER,
    _own("BranchingLogic"): BRANCHING,
    _own("FieldAnnotation"): _ANNOTATION,
    _own("CustomAlignment"): _REST[0],
    _own("QuestionNumber"): _REST[1],
    _own("MatrixGroupName"): _REST[2],
    _own("MatrixRanking"): _REST[3],
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
