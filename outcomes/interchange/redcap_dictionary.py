"""A REDCap data dictionary (CSV): forms, fields, choices, ranges, and what of its logic can be said here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.interchange import limits
from outcomes.interchange.redcap_logic import Translated, translate
from outcomes.interchange.tables import Rows, open_table

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
UNUSED_HERE = ("Custom Alignment", "Question Number (surveys only)", "Matrix Group Name", "Matrix Ranking?")
ANNOTATION = "Field Annotation"
_NAMED = re.compile(r"\[([a-z][a-z0-9_]*)\]")
# What the API calls the columns that the data dictionary has in words.
API_NAMES = {
    "field_name": FIELD,
    "form_name": FORM,
    "section_header": SECTION,
    "field_type": TYPE,
    "field_label": LABEL,
    "select_choices_or_calculations": CHOICES,
    "field_note": NOTE,
    "text_validation_type_or_show_slider_number": VALIDATION,
    "text_validation_min": LEAST,
    "text_validation_max": MOST,
    "identifier": IDENTIFIER,
    "branching_logic": BRANCHING,
    "required_field": REQUIRED,
    "custom_alignment": UNUSED_HERE[0],
    "question_number": UNUSED_HERE[1],
    "matrix_group_name": UNUSED_HERE[2],
    "matrix_ranking": UNUSED_HERE[3],
    "field_annotation": ANNOTATION,
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
CHOICE_TYPES = frozenset(("radio", "dropdown", "checkbox"))
_TYPES = CHOICE_TYPES | {
    "text",
    "notes",
    "calc",
    "yesno",
    "truefalse",
    "file",
    "slider",
    "descriptive",
    "sql",
    "signature",
}
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

    file: Rows
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
    file = open_table(content, name=name, encoding=encoding)
    header = tuple(API_NAMES.get(column, column) for column in file.header)
    if missing := [column for column in NEEDED if column not in header]:
        raise ImportRefused(name, [Refusal(1, column, "", "A data dictionary has this column.") for column in missing])
    refusals: list[Refusal] = []
    fields: dict[str, Field] = {}
    for row, cells in file.rows():
        each = _field(row, dict(zip(header, (cell.strip() for cell in cells), strict=True)), refusals)
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
    return Dictionary(file, tuple(translated), (*_remarks(translated), *_cycles(fields)))


def _field(row: int, cells: dict[str, str], refusals: list[Refusal]) -> Field:
    name, form, kind = cells[FIELD], cells[FORM], cells[TYPE].lower()
    for column, text, shape in ((FIELD, name, _NAME), (FORM, form, _NAME)):
        if not shape.fullmatch(text):
            why = "A name is small letters, digits and _, and begins with a letter."
            refusals.append(Refusal(row, column, text, why))
    if kind not in _TYPES:
        refusals.append(Refusal(row, TYPE, cells[TYPE], f"Known types are {', '.join(sorted(_TYPES))}."))
    choices: tuple[tuple[str, str], ...] = _FIXED.get(kind, ())
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
    numbers: dict[str, bool] = {}
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


def _cycles(fields: dict[str, Field]) -> Iterator[Refusal]:
    """Calculations that need their own result: no order of working them out exists."""
    computed = {name: each for name, each in fields.items() if each.kind == "calc"}
    needs = {name: set(_NAMED.findall(each.cells[CHOICES])) & computed.keys() for name, each in computed.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        cycle = error.args[1]
        why = f"These are computed from each other and can never be worked out: {', '.join(dict.fromkeys(cycle))}."
        yield Refusal(fields[cycle[0]].row, CHOICES, fields[cycle[0]].cells[CHOICES], why)


def status_field(form: str) -> str:
    """The name of the field that says how far a form is."""
    return f"{form}_complete"


def columns_of(each: Field) -> list[str]:
    """The columns of a field: one for each choice of a checkbox, else its own."""
    if each.kind == "checkbox":
        return [f"{each.name}___{checkbox_code(code)}" for code, _ in each.choices]
    return [each.name]
