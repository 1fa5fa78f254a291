"""A piece of XML as one value: what is kept of a file's metadata, whole and comparable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Element:
    """One element. Names of ODM's own namespace are bare, others are written {namespace}name, xml:lang stays so.

    `text` is the text of an element that holds text, empty for one that holds elements.
    """

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()
    text: str = ""
    children: tuple[Element, ...] = ()

    def get(self, name: str, default: str = "") -> str:
        """The value of an attribute."""
        for key, value in self.attributes:
            if key == name:
                return value
        return default

    def all(self, tag: str) -> Iterator[Element]:
        """The children of this name."""
        return (child for child in self.children if child.tag == tag)

    def first(self, tag: str) -> Element | None:
        """The first child of this name."""
        return next(self.all(tag), None)

    def walk(self) -> Iterator[Element]:
        """This element and all below it, in the order of the document."""
        yield self
        for child in self.children:
            yield from child.walk()

    def without(self, *names: str) -> Element:
        """The same without some attributes."""
        return replace(self, attributes=tuple(pair for pair in self.attributes if pair[0] not in names))

    def as_json(self) -> list[Any]:
        """For storing: [tag, attributes, text, children]."""
        return [self.tag, dict(self.attributes), self.text, [child.as_json() for child in self.children]]

    @classmethod
    def from_json(cls, stored: list[Any]) -> Element:
        """What `as_json` gave."""
        tag, attributes, text, children = stored
        # jsonb does not keep the order of attributes, which has no meaning in XML: by name it is always the same.
        return cls(tag, tuple(sorted(attributes.items())), text, tuple(cls.from_json(child) for child in children))


def element(tag: str, attributes: dict[str, str] | None = None, *children: Element, text: str = "") -> Element:
    """An element with its attributes in the order of their names, as every reader here makes them."""
    return Element(tag, tuple(sorted((attributes or {}).items())), text, children)


def is_foreign(name: str) -> bool:
    """Whether a tag or attribute belongs to another namespace than ODM's."""
    return name.startswith("{")
