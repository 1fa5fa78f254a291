"""What a file defines, ready to use: events, forms with their items, and the rules that a value has to keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from outcomes.interchange.element import Element, is_foreign

_REDCAP = "{https://projectredcap.org}"
# Languages of conditions and calculations: REDCap's, and that of protocols (studies/protocol/expression).
REDCAP, EXPRESSION = "REDCap", "expression"
Formal = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Range:
    """One bound of an item's values. hard: a value beyond it is wrong, not only unusual."""

    comparator: str
    values: tuple[str, ...]
    hard: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its type and codes, and its wording, which belongs to whoever holds the licence.

    language: what its condition (when it is left out, in ODM; when it is asked, in REDCap) and calculation are in.
    """

    oid: str
    name: str
    data_type: str
    wording: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, str] | None = None
    ranges: tuple[Range, ...] = ()
    length: int | None = None
    identifying: bool = False
    condition: str = ""
    calculation: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """One form with its items in order."""

    oid: str
    name: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Definitions:
    """One version of a study's definitions. missing_codes: values that say why there is none, in any item."""

    study_oid: str
    study_name: str
    version_oid: str
    events: Mapping[str, str]
    forms: Mapping[str, Form]
    groups: frozenset[str]
    items: Mapping[str, Item]
    missing_codes: Mapping[str, str]


def read_definitions(study: Element, version_oid: str = "") -> Definitions:
    """The definitions of a study element. version_oid: which version; the last one where it is not there."""
    versions = list(study.all("MetaDataVersion"))
    chosen = next((each for each in versions if each.get("OID") == version_oid), versions[-1] if versions else None)
    about = study.first("GlobalVariables") or Element("GlobalVariables")
    name = about.first("StudyName")
    version = chosen or Element("MetaDataVersion")
    groups = {group.get("OID"): group for group in version.all("ItemGroupDef")}
    return Definitions(
        study_oid=study.get("OID"),
        study_name=name.text.strip() if name else study.get("OID"),
        version_oid=version.get("OID"),
        events={event.get("OID"): event.get("Name") for event in version.all("StudyEventDef")},
        forms={form.get("OID"): _form(form, groups) for form in version.all("FormDef")},
        groups=frozenset(groups),
        items=_items(version),
        missing_codes=_missing_codes(about),
    )


def _form(form: Element, groups: Mapping[str, Element]) -> Form:
    items = [
        item.get("ItemOID")
        for reference in form.all("ItemGroupRef")
        if (group := groups.get(reference.get("ItemGroupOID")))
        for item in group.all("ItemRef")
    ]
    return Form(form.get("OID"), form.get("Name"), tuple(dict.fromkeys(items)))


def _items(version: Element) -> dict[str, Item]:
    codes = {listed.get("OID"): _codes(listed) for listed in version.all("CodeList")}
    formal = {
        each.get("OID"): (expression.text, expression.get("Context"))
        for tag in ("ConditionDef", "MethodDef")
        for each in version.all(tag)
        if (expression := each.first("FormalExpression"))
    }
    references = {ref.get("ItemOID"): ref for group in version.all("ItemGroupDef") for ref in group.all("ItemRef")}
    return {
        each.get("OID"): _item(each, references.get(each.get("OID")) or Element("ItemRef"), codes, formal)
        for each in version.all("ItemDef")
    }


def _item(
    each: Element, reference: Element, codes: Mapping[str, Mapping[str, str] | None], formal: Mapping[str, Formal]
) -> Item:
    listed = each.first("CodeListRef")
    length = each.get("Length")
    return Item(
        oid=each.get("OID"),
        name=each.get("Name"),
        data_type=each.get("DataType"),
        wording=_translations(each.first("Question") or each.first("Description")),
        codes=codes.get(listed.get("CodeListOID")) if listed else None,
        ranges=tuple(_ranges(each)),
        length=int(length) if length.isdecimal() else None,
        identifying=each.get(f"{_REDCAP}Identifier").lower() == "y",
        **_logic(each, reference, formal),
    )


def _logic(each: Element, reference: Element, formal: Mapping[str, Formal]) -> dict[str, str]:
    """Condition, calculation and their language: REDCap's own where they are there, else ODM's."""
    condition, calculation = each.get(f"{_REDCAP}BranchingLogic"), each.get(f"{_REDCAP}Calculation")
    if condition or calculation:
        return {"condition": condition, "calculation": calculation, "language": REDCAP}
    hidden = formal.get(reference.get("CollectionExceptionConditionOID"), ("", ""))
    method = formal.get(reference.get("MethodOID"), ("", ""))
    return {"condition": hidden[0], "calculation": method[0], "language": hidden[1] or method[1]}


def _translations(holder: Element | None) -> dict[str, str]:
    """Texts by language; a text that names none is under the empty name."""
    if holder is None:
        return {}
    return {text.get("xml:lang"): text.text.strip() for text in holder.all("TranslatedText")}


def _codes(listed: Element) -> Mapping[str, str] | None:
    """Codes and their labels; None for a list that stands elsewhere (a dictionary)."""
    if listed.first("ExternalCodeList"):
        return None
    found = {}
    for each in (*listed.all("CodeListItem"), *listed.all("EnumeratedItem")):
        labels = _translations(each.first("Decode"))
        found[each.get("CodedValue")] = next(iter(labels.values()), "")
    return found


def _ranges(each: Element) -> Iterator[Range]:
    for check in each.all("RangeCheck"):
        values = tuple(value.text.strip() for value in check.all("CheckValue"))
        if values and check.get("Comparator"):
            yield Range(check.get("Comparator"), values, check.get("SoftHard", "Soft") == "Hard")


def _missing_codes(about: Element) -> dict[str, str]:
    """REDCap's codes for why a value is missing: NI, No information | UNK, Unknown."""
    for child in about.children:
        if is_foreign(child.tag) and child.tag.endswith("}MissingDataCodes"):
            pairs = (part.partition(",") for part in child.text.replace("\n", "|").split("|") if part.strip())
            return {code.strip(): label.strip() for code, _, label in pairs}
    return {}
