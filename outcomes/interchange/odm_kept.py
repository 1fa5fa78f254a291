"""What ODM 1.3.2 has no place for, kept on the way out and found again on the way in.

REDCap, for one, writes attributes of its own, and leaves out what the schema asks for. Going out, each such thing
moves into an Alias (of definitions) or an Annotation (of clinical data) that says what it was; coming in, it goes back
to where it was. So the file is valid, other programs read it, and nothing is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from outcomes.interchange.cells import Address, Cell
from outcomes.interchange.element import Element, element, is_foreign
from outcomes.interchange.odm_attributes import is_known
from outcomes.interchange.odm_schema import ALIASED, CODE_LIST_TYPES, place

MARK = "trialsite:"
NO_EVENT = "trialsite.no-event"
_ATTRIBUTE, _CHILD, _ADDED, _AT = "attribute", "child", "added", "at"


# Going out -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Keeping:
    """What found no alias of its own element: it goes to the Protocol, with the path of where it was."""

    elsewhere: list[tuple[str, str, str, str]] = field(default_factory=list)


def valid_study(study: Element, *, without_event: bool) -> Element:
    """The Study element as the schema takes it. without_event: there are cells that belong to no event."""
    keeping = _Keeping()
    done = _valid(study, "Study", keeping)
    versions = [_with_protocol(each, keeping, without_event) for each in done.all("MetaDataVersion")]
    if not versions:
        return done
    # All that has no alias of its own goes to one place: the last version's protocol.
    versions[-1] = _kept_elsewhere(versions[-1], keeping)
    others = [child for child in done.children if child.tag != "MetaDataVersion"]
    return replace(done, children=(*others, *versions))


def _valid(each: Element, path: str, keeping: _Keeping) -> Element:
    kept: list[tuple[str, str, str]] = []
    attributes = dict(each.attributes)
    for name in [name for name in attributes if not is_known(each.tag, name)]:
        kept.append((_ATTRIBUTE, name, attributes.pop(name)))
    for name, valid in _repairs(each):
        kept.append((_ATTRIBUTE, name, attributes[name]))
        attributes[name] = valid
    children: list[Element] = []
    for number, child in enumerate(each.children):
        if is_foreign(child.tag):
            kept.append((_CHILD, str(number), json.dumps(child.as_json(), ensure_ascii=False)))
        else:
            children.append(_valid(child, f"{path}/{len(children)}", keeping))
    if each.tag in ALIASED:
        children += [_alias(what, name, value) for what, name, value in kept]
    else:
        keeping.elsewhere += [(path, *one) for one in kept]
    return element(each.tag, attributes, *children, text=each.text)


def _repairs(each: Element) -> Iterator[tuple[str, str]]:
    """Attributes that the schema does not take as they are, and what it takes instead."""
    if "Name" in dict(each.attributes) and not each.get("Name") and each.get("OID"):
        yield "Name", each.get("OID")
    if each.tag == "CodeList" and each.get("DataType", "text") not in CODE_LIST_TYPES:
        yield "DataType", "text"


def _alias(what: str, name: str, value: str) -> Element:
    return element("Alias", {"Context": f"{MARK}{what} {name}", "Name": value})


def _with_protocol(version: Element, keeping: _Keeping, without_event: bool) -> Element:
    """A version that has an event for the forms that belong to none."""
    if not without_event or any(event.get("OID") == NO_EVENT for event in version.all("StudyEventDef")):
        return version
    forms = [element("FormRef", {"FormOID": form.get("OID"), "Mandatory": "No"}) for form in version.all("FormDef")]
    attributes = {"OID": NO_EVENT, "Name": "No event", "Repeating": "No", "Type": "Common"}
    return _insert(version, element("StudyEventDef", attributes, *forms))


def _kept_elsewhere(version: Element, keeping: _Keeping) -> Element:
    if not keeping.elsewhere:
        return version
    protocol = version.first("Protocol")
    aliases = [
        _alias(f"{_AT} {number}", path, json.dumps([what, name, value], ensure_ascii=False))
        for number, (path, what, name, value) in enumerate(keeping.elsewhere)
    ]
    if protocol is None:
        return _insert(version, element("Protocol", {}, _alias(_ADDED, "Protocol", "yes"), *aliases))
    fuller = replace(protocol, children=(*protocol.children, *aliases))
    return replace(version, children=tuple(fuller if child is protocol else child for child in version.children))


def _insert(parent: Element, child: Element) -> Element:
    """A child among its siblings, where the schema wants it."""
    children = sorted((*parent.children, child), key=lambda each: place(each.tag, parent.tag))
    return replace(parent, children=tuple(children))


def valid_beside(beside: Element, items: Mapping[str, Mapping[str, str]] | None = None) -> Element:
    """What stands beside a value or in a container, with what is foreign in an annotation.

    items: foreign attributes of the container's typed values by item; those cannot be annotated themselves.
    """
    foreign = {name: value for name, value in beside.attributes if not is_known(beside.tag, name)}
    others = [child.as_json() for child in beside.children if is_foreign(child.tag)]
    if not foreign and not others and not items:
        return beside
    own = [child for child in beside.children if not is_foreign(child.tag)]
    number = 1 + max((int(child.get("SeqNum") or 0) for child in own if child.tag == "Annotation"), default=0)
    note = element(
        "Comment", text=MARK + json.dumps([foreign, others, items or {}], ensure_ascii=False, sort_keys=True)
    )
    annotated = element("Annotation", {"SeqNum": str(number)}, note)
    return _insert(replace(beside.without(*foreign), children=tuple(own)), annotated)


# Coming in -------------------------------------------------------------------------------------------------------


def restored(study: Element | None, cells: Iterable[Cell]) -> tuple[Element | None, list[Cell]]:
    """A study and its cells as they were before they went out from here; others come back as they are."""
    back = _restored_cells(list(cells))
    if study is None:
        return None, back
    elsewhere: dict[str, list[tuple[str, str, str]]] = {}
    for alias in (each for each in study.walk() if each.tag == "Alias"):
        context = alias.get("Context").removeprefix(MARK)
        if alias.get("Context").startswith(f"{MARK}{_AT} "):
            _, _, path = context.split(" ", 2)
            elsewhere.setdefault(path, []).append(tuple(json.loads(alias.get("Name"))))
    return _restored(study, "Study", elsewhere), back


def _restored(each: Element, path: str, elsewhere: dict[str, list[tuple[str, str, str]]]) -> Element:
    kept = list(elsewhere.get(path, ()))
    children: list[Element] = []
    for child in each.children:
        context = child.get("Context")
        if child.tag == "Alias" and context.startswith(MARK):
            what, name = context.removeprefix(MARK).split(" ", 1)
            if what in {_ATTRIBUTE, _CHILD}:
                kept.append((what, name, child.get("Name")))
        elif child.tag == "StudyEventDef" and child.get("OID") == NO_EVENT:
            continue
        elif not _was_added(child):
            children.append(_restored(child, f"{path}/{len(children)}", elsewhere))
    attributes = dict(each.attributes) | {name: value for what, name, value in kept if what == _ATTRIBUTE}
    for number, value in sorted((int(name), value) for what, name, value in kept if what == _CHILD):
        children.insert(number, Element.from_json(json.loads(value)))
    return element(each.tag, attributes, *children, text=each.text)


def _was_added(child: Element) -> bool:
    added = f"{MARK}{_ADDED} Protocol"
    return child.tag == "Protocol" and any(each.get("Context") == added for each in child.all("Alias"))


def _restored_cells(cells: list[Cell]) -> list[Cell]:
    back: list[Cell] = []
    of_items: dict[Address, Mapping[str, str]] = {}
    for cell in cells:
        event = "" if cell.address.event == NO_EVENT else cell.address.event
        address = cell.address._replace(event=event, event_repeat=cell.address.event_repeat if event else "")
        foreign, others, items = _payload(cell.beside)
        of_items |= {address._replace(item=item): attributes for item, attributes in items.items()}
        beside = _restored_beside(cell.beside, foreign, others) if foreign or others or items else cell.beside
        # A note that was only made to hold this has nothing left to say.
        if not cell.is_value and items and beside is None:
            continue
        back.append(replace(cell, address=address, beside=beside))
    return [_with_attributes(cell, of_items[cell.address]) if cell.address in of_items else cell for cell in back]


def _payload(beside: Element | None) -> tuple[dict[str, str], list[list[Any]], dict[str, dict[str, str]]]:
    for child in beside.all("Annotation") if beside else ():
        comment = child.first("Comment")
        if comment is not None and comment.text.startswith(MARK):
            foreign, others, items = json.loads(comment.text.removeprefix(MARK))
            return foreign, others, items
    return {}, [], {}


def _restored_beside(beside: Element | None, foreign: dict[str, str], others: list[list[Any]]) -> Element | None:
    assert beside is not None  # noqa: S101 - it held the annotation
    own = [child for child in beside.children if not _is_ours(child)]
    children = (*own, *(Element.from_json(other) for other in others))
    attributes = dict(beside.attributes) | foreign
    return element(beside.tag, attributes, *children) if attributes or children else None


def _is_ours(child: Element) -> bool:
    comment = child.first("Comment") if child.tag == "Annotation" else None
    return comment is not None and comment.text.startswith(MARK)


def _with_attributes(cell: Cell, attributes: Mapping[str, str]) -> Cell:
    beside = cell.beside or element(cell.tag)
    return replace(cell, beside=element(cell.tag, dict(beside.attributes) | dict(attributes), *beside.children))
