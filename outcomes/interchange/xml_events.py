"""Reading XML that somebody else wrote: in pieces, without document types or entities, and within limits.

Not a tree builder: elements go to a handler as they come, so a file of any size needs no more memory than what the
handler keeps. Document types are refused as a whole, so no entity can be declared, expanded or fetched.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import BinaryIO, NoReturn, Protocol
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler, feature_namespaces

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from outcomes.interchange import limits
from outcomes.interchange.odm_schema import NAMESPACE, XML_NAMESPACE
from outcomes.interchange.refused import refuse_file

_CHUNK = 64 * 1024
_SHORT, _MOST_KEPT = 20, 20_000
_UNBOUND_PREFIX = "unbound prefix"
_NOT_IN_ENCODING = "not well-formed (invalid token)"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a file is known by."""

    sha256: str
    bytes: int


class Handler(Protocol):
    """Takes elements as they come; names as in `Element`."""

    def begin(self, tag: str, attributes: dict[str, str], line: int) -> None: ...
    def end(self, text: str) -> None: ...


def read_xml(source: BinaryIO, handler: Handler, *, name: str) -> Measured:
    """Send every element of a file to `handler`.

    Raises ImportRefused: not well-formed, a document type, or more than the limits allow; also what `handler` raises.
    """
    events = _Events(handler, name)
    parser = DefusedExpatParser(forbid_dtd=True)
    parser.setFeature(feature_namespaces, True)
    parser.setContentHandler(events)
    # The parser is its own locator: only its parse() would say so.
    events.setDocumentLocator(parser)
    measure, size, head = hashlib.sha256(), 0, b""
    try:
        while chunk := source.read(_CHUNK):
            measure.update(chunk)
            size += len(chunk)
            head = head or chunk
            events.fed(len(chunk), size)
            parser.feed(chunk)
        parser.close()
    except SAXParseException as error:
        _refuse_malformed(error, name, head)
    except DefusedXmlException:
        raise refuse_file(
            name,
            "The file declares a document type (DOCTYPE). ODM needs none, and one can make a small file grow without"
            " bound or read other files. Take it out, and bring the file again.",
        ) from None
    except (LookupError, ValueError) as error:
        # Of the parser: an encoding that this machine does not know, or whose letters have several lengths.
        raise refuse_file(name, f"The file declares an encoding that is not read: {error}. Save it as UTF-8.") from None
    return Measured(measure.hexdigest(), size)


def _refuse_malformed(error: SAXParseException, name: str, head: bytes) -> NoReturn:
    line = error.getLineNumber() or 0
    message = error.getMessage()
    if message == _UNBOUND_PREFIX:
        prefix = _undeclared_prefix(head)
        raise refuse_file(name, f"The prefix {prefix} is used and not declared (xmlns:{prefix} is missing).", line=line)
    if message == _NOT_IN_ENCODING:
        message = "a character that may not stand here, or bytes that are not in the encoding the file declares"
    raise refuse_file(name, f"This is not well-formed XML: {message}.", line=line)


def _undeclared_prefix(head: bytes) -> str:
    """The first prefix of a file's beginning that is used and nowhere declared."""
    text = head.decode("utf-8", "replace")
    declared = set(re.findall(r"xmlns:([\w.-]+)\s*=", text)) | {"xml", "xmlns"}
    used = re.findall(r"[<\s/]([A-Za-z_][\w.-]*):[A-Za-z_]", re.sub(r"\"[^\"]*\"|'[^']*'", '""', text))
    return next((prefix for prefix in used if prefix not in declared), "of an element")


class _Events(ContentHandler):
    """Counts what comes in, and hands it on with names as `Element` has them."""

    def __init__(self, handler: Handler, name: str) -> None:
        super().__init__()
        self._handler, self._name = handler, name
        self._texts: list[list[str]] = []
        self._length = self._quiet = 0
        # Names and short values come anew with each element: kept once, they need a part of the memory.
        self._names: dict[tuple[str | None, str], str] = {}
        self._values: dict[str, str] = {}

    def fed(self, more: int, size: int) -> None:
        if size > limits.LARGEST_XML:
            raise refuse_file(
                self._name,
                f"The file has more than {limits.LARGEST_XML // limits.MEGABYTE} MB. Export it in parts, a site or some"
                " subjects at a time.",
            )
        self._quiet += more
        if self._quiet > limits.LONGEST_PIECE:
            raise self._too_long()

    def startElementNS(self, name: tuple[str | None, str], qname: str | None, attrs: object) -> None:  # noqa: N802 - SAX
        self._quiet = self._length = 0
        if len(self._texts) >= limits.DEEPEST:
            raise refuse_file(self._name, f"Elements are nested more than {limits.DEEPEST} deep.", line=self._at())
        self._texts.append([])
        given = attrs.items()  # type: ignore[attr-defined]
        attributes = {self._plain(key): self._kept_once(value) for key, value in given}
        self._handler.begin(self._plain(name), attributes, self._at())

    def characters(self, content: str) -> None:
        self._quiet = 0
        self._length += len(content)
        if self._length > limits.LONGEST_VALUE:
            raise self._too_long()
        self._texts[-1].append(content)

    def endElementNS(self, name: tuple[str | None, str], qname: str | None) -> None:  # noqa: N802 - SAX
        self._quiet = self._length = 0
        self._handler.end("".join(self._texts.pop()))

    def _plain(self, name: tuple[str | None, str]) -> str:
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = _plain(name)
        return known

    def _kept_once(self, value: str) -> str:
        if len(value) > _SHORT or len(self._values) >= _MOST_KEPT:
            return self._values.get(value, value)
        return self._values.setdefault(value, value)

    def _at(self) -> int:
        return self._locator.getLineNumber() or 0 if self._locator else 0  # type: ignore[attr-defined]

    def _too_long(self) -> Exception:
        return refuse_file(
            self._name,
            f"A single value, tag or comment has more than {limits.LONGEST_VALUE // limits.MEGABYTE} MB.",
            line=self._at(),
        )


def _plain(name: tuple[str | None, str]) -> str:
    namespace, local = name
    if namespace in {None, "", NAMESPACE}:
        return local
    return f"xml:{local}" if namespace == XML_NAMESPACE else f"{{{namespace}}}{local}"
