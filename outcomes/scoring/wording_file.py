"""The wording of an instrument as its licence-holder brings it: a file beside the instrument's, by language."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated

from pydantic import Field

from outcomes.scoring.instrument import Instrument
from outcomes.scoring.items import Item, ItemId
from studies.protocol.section import Key, Section, Text, Version, spelled
from studies.protocol.yaml_document import DocumentInvalid, Mistake, load_document, locate

# BCP 47 as far as forms need it: a language, and where it is spoken or how it is written.
Language = Annotated[str, *spelled(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", "a language tag such as de, de-CH or pt-BR")]


class WordedItem(Section):
    """One item as it is printed: its text, and the words printed at its codes (all of them, or the ends only)."""

    text: Text
    choices: dict[float, Text] = {}


class WordingFile(Section):
    """A form's wording in one language. `permission` says who allowed its use here, and until when.

    `choices` are the words at the codes of every item that has none of its own.
    """

    instrument: Key
    instrument_version: Version
    language: Language
    version: Version
    permission: Text
    title: Text
    instructions: str = ""
    choices: dict[float, Text] = {}
    items: Annotated[dict[ItemId, WordedItem], Field(min_length=1)]

    @cached_property
    def sha256(self) -> str:
        """The hash of the content without comments and layout, 64 hexadecimal digits."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()

    def choices_of(self, name: str, item: Item) -> dict[float, str]:
        """The words at the codes of an item: its own, else the form's at those codes that it has."""
        own = self.items[name].choices
        return dict(own) if own else {code: word for code, word in self.choices.items() if not item.problem(code)}


def read_wording(text: str, *, source: str) -> WordingFile:
    """Read a wording file. Raises DocumentInvalid with the path and line of every mistake."""
    return load_document(text, WordingFile, source=source)


def check_wording(text: str, wording: WordingFile, instrument: Instrument, *, source: str) -> None:
    """Hold a wording against its instrument. Raises DocumentInvalid: every item once, no code that is not printed."""
    mistakes = list(_mistakes(wording, instrument))
    if mistakes:
        raise DocumentInvalid(source, locate(text, mistakes, source=source))


def _mistakes(wording: WordingFile, instrument: Instrument) -> Iterator[Mistake]:
    if wording.instrument_version != instrument.version:
        said = f"{instrument.key} is at version {instrument.version} here, not {wording.instrument_version}."
        yield Mistake(("instrument_version",), said)
    lacking = [name for name in instrument.items if name not in wording.items]
    if lacking:
        yield Mistake(("items",), f"The wording of item {', '.join(lacking)} is missing: a form is worded whole.")
    for name, worded in wording.items.items():
        if name not in instrument.items:
            yield Mistake(("items", name), f"{instrument.key} has no item {name}.")
            continue
        for code in worded.choices:
            if instrument.items[name].problem(code):
                yield Mistake(("items", name, "choices", _written(code)), f"Item {name} has no code {code:g}.")
    for code in wording.choices:
        if all(item.problem(code) for item in instrument.items.values()):
            yield Mistake(("choices", _written(code)), f"No item of {instrument.key} has a code {code:g}.")


def _written(code: float) -> str:
    return f"{code:g}"
