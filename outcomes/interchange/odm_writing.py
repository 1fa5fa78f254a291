"""Writing ODM 1.3.2 that its schema accepts: definitions and cells, whatever format they came in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

from outcomes.interchange import odm_kept
from outcomes.interchange.cells import Address, Cell
from outcomes.interchange.element import Element, element
from outcomes.interchange.odm_attributes import is_known
from outcomes.interchange.odm_schema import ADDRESSES, NAMESPACE, TYPED_ITEM, place

_VERSION = "1.3.2"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What goes out: a study's definitions, its cells in order, and what the file says of itself."""

    study_oid: str
    version_oid: str
    study: Element | None
    cells: tuple[Cell, ...]
    beside: tuple[Element, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)


def write_odm(out: TextIO, outgoing: Outgoing, *, created_at: str) -> None:
    """Write a snapshot. created_at: ISO 8601, when it is made. Text goes out as UTF-8 by whoever opened `out`."""
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    about = {**outgoing.about, "FileType": "Snapshot", "ODMVersion": _VERSION, "CreationDateTime": created_at}
    about.setdefault("FileOID", f"{outgoing.study_oid}.{created_at}")
    _begin(out, element("ODM", {"xmlns": NAMESPACE, **about}), 0)
    if outgoing.study is not None:
        without_event = any(not cell.address.event and cell.address.form for cell in outgoing.cells)
        _write(out, odm_kept.valid_study(outgoing.study, without_event=without_event), 1)
    for each in outgoing.beside:
        if each.tag in {"AdminData", "ReferenceData"}:
            _write(out, each, 1)
    if outgoing.cells:
        _clinical(out, outgoing)
    for each in outgoing.beside:
        if each.tag == "Association":
            _write(out, each, 1)
    out.write("</ODM>\n")


def _clinical(out: TextIO, outgoing: Outgoing) -> None:
    about = {"StudyOID": outgoing.study_oid, "MetaDataVersionOID": outgoing.version_oid}
    _begin(out, element("ClinicalData", about), 1)
    for node in _nested(outgoing.cells).children.values():
        _container(out, node, 2)
    _line(out, "</ClinicalData>", 1)


@dataclass(slots=True)
class _Node:
    """A container with what stands in it, in the order in which it was first named."""

    tag: str
    attributes: dict[str, str]
    note: Element | None = None
    children: dict[tuple[str, str], _Node] = field(default_factory=dict)
    items: list[Cell] = field(default_factory=list)


def _nested(cells: Iterable[Cell]) -> _Node:
    root = _Node("ClinicalData", {})
    for cell in cells:
        node = root
        for tag, keys in _levels(cell.address):
            node = node.children.setdefault(keys, _Node(tag, _attributes(tag, keys)))
        if cell.is_value:
            node.items.append(cell)
        else:
            node.note = cell.beside
    return root


def _levels(address: Address) -> Iterator[tuple[str, tuple[str, str]]]:
    """The containers of an address, outermost first. Forms of no event get one that says so."""
    event = address.event or (odm_kept.NO_EVENT if address.form else "")
    keys = (
        (address.subject, ""),
        (event, address.event_repeat),
        (address.form, address.form_repeat),
        (address.group, address.group_repeat),
    )
    for tag, key in zip(ADDRESSES, keys, strict=True):
        if key[0]:
            yield tag, key


def _attributes(tag: str, keys: tuple[str, str]) -> dict[str, str]:
    return {name: key for name, key in zip(ADDRESSES[tag], keys, strict=False) if key}


def _container(out: TextIO, node: _Node, depth: int) -> None:
    beside = odm_kept.valid_beside(node.note or element(node.tag), _foreign_attributes(node.items))
    _begin(out, element(node.tag, dict(beside.attributes) | node.attributes), depth)
    for child in beside.children:
        _write(out, child, depth + 1)
    for cell in node.items:
        _write(out, _item(cell), depth + 1)
    for inner in node.children.values():
        _container(out, inner, depth + 1)
    _line(out, f"</{node.tag}>", depth)


def _foreign_attributes(items: Iterable[Cell]) -> dict[str, dict[str, str]]:
    """Of typed values, which the schema does not let have annotations of their own."""
    typed = (cell for cell in items if cell.tag != TYPED_ITEM and cell.beside)
    found = {
        cell.address.item: {name: value for name, value in cell.beside.attributes if not is_known(cell.tag, name)}
        for cell in typed
        if cell.beside
    }
    return {item: attributes for item, attributes in found.items() if attributes}


def _item(cell: Cell) -> Element:
    """A value as ODM has it: in an attribute, or (typed) as text."""
    given = cell.beside or element(cell.tag)
    beside = given if cell.tag != TYPED_ITEM else odm_kept.valid_beside(given)
    own = {name: value for name, value in beside.attributes if is_known(cell.tag, name)}
    attributes = own | {"ItemOID": cell.address.item}
    children = tuple(sorted(beside.children, key=lambda child: place(child.tag, TYPED_ITEM)))
    if cell.value is None:
        return replace(element(TYPED_ITEM, attributes | {"IsNull": "Yes"}), children=children)
    if cell.tag == TYPED_ITEM:
        return replace(element(TYPED_ITEM, attributes | {"Value": cell.value}), children=children)
    return element(cell.tag, attributes, text=cell.value)


def _write(out: TextIO, each: Element, depth: int) -> None:
    if each.children:
        _begin(out, each, depth)
        for child in each.children:
            _write(out, child, depth + 1)
        _line(out, f"</{each.tag}>", depth)
    elif each.text:
        # A carriage return would be read as a line feed.
        text = escape(each.text, {"\r": "&#13;"})
        _line(out, f"<{each.tag}{_written(each)}>{text}</{each.tag}>", depth)
    else:
        _line(out, f"<{each.tag}{_written(each)}/>", depth)


def _begin(out: TextIO, each: Element, depth: int) -> None:
    _line(out, f"<{each.tag}{_written(each)}>", depth)


def _written(each: Element) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in each.attributes)


def _line(out: TextIO, text: str, depth: int) -> None:
    out.write(f"{'  ' * depth}{text}\n")
