"""What a file says otherwise than what is stored, before anything of it is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from outcomes.interchange.cells import Address, Cell
from outcomes.interchange.element import Element
from outcomes.interchange.odm_schema import place


@dataclass(frozen=True, slots=True)
class Stored:
    """A value as it is stored now. key: its row."""

    key: int
    value: str | None
    beside: Element | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A value that is stored otherwise than the file says."""

    cell: Cell
    stored: Stored


@dataclass(frozen=True, slots=True)
class Difference:
    """Every cell of a file as new, changed or equal, and what is stored and not in it (absent).

    Notes on containers are compared like values; `values` counts without them.
    """

    new: tuple[Cell, ...]
    changed: tuple[Change, ...]
    equal: tuple[Cell, ...]
    absent: int

    @property
    def is_nothing(self) -> bool:
        """Whether the file says what is stored, and nothing else."""
        return not self.new and not self.changed


def compare(cells: Iterable[Cell], stored: Mapping[Address, Stored]) -> Difference:
    """Compare the cells of a file with what is stored at the same addresses."""
    new: list[Cell] = []
    equal: list[Cell] = []
    changed: list[Change] = []
    seen = set()
    for cell in cells:
        seen.add(cell.address)
        known = stored.get(cell.address)
        if known is None:
            # Taking back what was never here changes nothing.
            (equal if cell.removed else new).append(cell)
        elif _same(cell, known):
            equal.append(cell)
        else:
            changed.append(Change(cell, known))
    absent = sum(bool(address.item) for address in stored.keys() - seen)
    return Difference(tuple(new), tuple(changed), tuple(equal), absent)


def _same(cell: Cell, known: Stored) -> bool:
    if cell.removed or known.removed:
        return cell.removed == known.removed
    return (cell.value, cell.beside) == (known.value, known.beside)


def values(cells: Iterable[Cell]) -> int:
    """How many of the cells hold a value."""
    return sum(cell.is_value for cell in cells)


@dataclass(frozen=True, slots=True)
class Definition:
    """One thing that a study defines: its kind (ODM's element), OID and name."""

    kind: str
    oid: str
    name: str


@dataclass(frozen=True, slots=True)
class DefinitionsDifference:
    """What a file defines anew, otherwise, and the same; and what is stored and not in it (absent): that stays."""

    new: tuple[Definition, ...]
    changed: tuple[Definition, ...]
    equal: tuple[Definition, ...]
    absent: tuple[Definition, ...]

    @property
    def is_nothing(self) -> bool:
        """Whether the definitions are those that are stored."""
        return not (self.new or self.changed)


def compare_definitions(study: Element | None, stored: Element | None) -> DefinitionsDifference:
    """Compare two Study elements, definition by definition. A file without any differs in nothing."""
    if study is None:
        return DefinitionsDifference((), (), (), ())
    given, known = _defined(study), _defined(stored) if stored else {}
    new = [_definition(each) for key, each in given.items() if key not in known]
    changed = [_definition(each) for key, each in given.items() if key in known and known[key] != each]
    equal = [_definition(each) for key, each in given.items() if known.get(key) == each]
    absent = [_definition(each) for key, each in known.items() if key not in given]
    return DefinitionsDifference(tuple(new), tuple(changed), tuple(equal), tuple(absent))


def _defined(study: Element) -> dict[tuple[str, str], Element]:
    holders = [*study.all("BasicDefinitions"), *study.all("MetaDataVersion")]
    return {(each.tag, each.get("OID")): each for holder in holders for each in holder.children if each.get("OID")}


def _definition(each: Element) -> Definition:
    return Definition(each.tag, each.get("OID"), each.get("Name"))


def merged(stored: Element | None, given: Element) -> Element:
    """Definitions as they are after a file was taken: what it gives, and what it leaves out stays.

    Of several versions the last ones are merged: a file holds its older versions itself.
    """
    if stored is None:
        return given
    kept = {tag: _last(stored, tag) for tag in ("BasicDefinitions", "MetaDataVersion")}
    children = []
    for child in given.children:
        known = kept.get(child.tag)
        if known is not None and child is _last(given, child.tag):
            child = _with_absent(child, known)  # noqa: PLW2901
            kept[child.tag] = None
        children.append(child)
    children += [each for each in kept.values() if each is not None]
    return replace(given, children=tuple(sorted(children, key=lambda child: place(child.tag, "Study"))))


def _last(study: Element, tag: str) -> Element | None:
    return next(reversed(list(study.all(tag))), None)


def _with_absent(given: Element, known: Element) -> Element:
    there = {(child.tag, child.get("OID")) for child in given.children}
    absent = [child for child in known.children if (child.tag, child.get("OID")) not in there]
    children = sorted((*given.children, *absent), key=lambda child: place(child.tag, given.tag))
    return replace(given, children=tuple(children))
