"""What a form says: the licence-holder's wording where it was loaded, numbers and neutral labels otherwise.

    wording_for(instrument_version, "de-CH")

The text is shown on forms only. It is in no cut, export, API answer or audit event (docs/wording.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from outcomes import instrument_versions
from outcomes.models import InstrumentVersion, InstrumentWording, WordingText
from outcomes.scoring import Instrument, load_instrument
from outcomes.scoring.wording_file import WordingFile, check_wording, read_wording
from studies.acting import Actor, verb
from studies.errors import ProtocolConflict


@dataclass(frozen=True, slots=True)
class ItemWording:
    """One item as shown: its text, and words at codes; a code without words is shown as its number."""

    text: str
    choices: Mapping[float, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wording:
    """A form as shown. `version` is empty, and `language` that of the labels, where no wording was loaded."""

    language: str
    version: str
    title: str
    instructions: str
    items: Mapping[str, ItemWording]

    @property
    def licensed(self) -> bool:
        """Whether this is the licence-holder's text, not neutral labels."""
        return bool(self.version)


@verb(because="licensed wording loaded")
def load_wording(user: Actor, *, text: str, source: str) -> InstrumentWording:
    """Load a wording file. Safe to repeat; a changed file needs a new version number.

    text: the file's content (docs/wording.md); source: its name, for messages and the trail.
    Raises DocumentInvalid with every mistake and its line; InvalidEntry for an instrument that is not here;
    ProtocolConflict for a text that changed under its old version.
    """
    given = read_wording(text, source=source)
    version = instrument_versions.current([given.instrument])[given.instrument]
    check_wording(text, given, load_instrument(given.instrument), source=source)
    place = {"instrument": version, "language": given.language, "version": given.version}
    known = InstrumentWording.objects.filter(**place).first()
    if known is None:
        known = InstrumentWording.objects.create(
            **place, permission=given.permission, source_name=source, sha256=given.sha256
        )
        WordingText.objects.create(wording=known, content=given.model_dump(mode="json"))
    elif known.sha256 != given.sha256:
        raise ProtocolConflict(f"The wording {known} has changed but still says version {given.version}: raise it.")
    return known


def wording_for(instrument_version: InstrumentVersion, language: str) -> Wording:
    """How a form reads in a language: the last wording loaded for it or its base language, else neutral labels.

    language: a tag such as de-CH; a wording in de serves where there is none in de-CH. One query.
    """
    instrument = load_instrument(instrument_version.key)
    wanted = _tags(language)
    rows = WordingText.objects.filter(wording__instrument=instrument_version, wording__language__in=wanted)
    found = {row.wording.language: row for row in rows.select_related("wording").order_by("wording_id")}
    for tag in wanted:
        if tag in found:
            return _licensed(WordingFile.model_validate(found[tag].content), instrument)
    return neutral(instrument)


def languages_of(instrument_version: InstrumentVersion) -> list[str]:
    """The languages in which a form's wording was loaded, in alphabetical order."""
    rows = InstrumentWording.objects.filter(instrument=instrument_version)
    return sorted(set(rows.values_list("language", flat=True)))


def neutral(instrument: Instrument) -> Wording:
    """A form by its numbers and neutral labels, as the instrument's file has them."""
    items = {name: ItemWording(item.label, item.choices) for name, item in instrument.items.items()}
    return Wording("en", "", instrument.name, "", items)


def _licensed(given: WordingFile, instrument: Instrument) -> Wording:
    items = {
        name: ItemWording(given.items[name].text, given.choices_of(name, item))
        for name, item in instrument.items.items()
    }
    return Wording(given.language, given.version, given.title, given.instructions, items)


def _tags(language: str) -> list[str]:
    """A tag and, from right to left, what is left without its last part: de-CH, de."""
    parts = language.split("-")
    return ["-".join(parts[:end]) for end in range(len(parts), 0, -1)]
