"""What a mapping may get wrong about its protocol and the instruments: names that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from outcomes.imports.mapping import LoadedMapping, MappedValue, TrialMapping
from outcomes.scoring import UnknownInstrument, load_instrument
from studies.protocol import DocumentInvalid, ProtocolDefinition
from studies.protocol.yaml_document import Mistake, locate


def refuse_contradictions(loaded: LoadedMapping, protocol: ProtocolDefinition) -> None:
    """Raises DocumentInvalid naming everything that the mapping names and the protocol or an instrument lacks."""
    if mistakes := list(_mistakes(loaded.mapping, protocol)):
        raise DocumentInvalid(loaded.name, locate(loaded.text, mistakes, source=loaded.name))


def _mistakes(mapping: TrialMapping, protocol: ProtocolDefinition) -> Iterator[Mistake]:
    yield from _study(mapping, protocol)
    yield from _codes(mapping, protocol)
    visits = mapping.visits.codes.values() if mapping.visits else None
    for index, value in enumerate(mapping.values):
        yield from _value(value, index, protocol, visits)


def _study(mapping: TrialMapping, protocol: ProtocolDefinition) -> Iterator[Mistake]:
    about = protocol.study
    if about.code != mapping.study:
        yield Mistake(("study",), f"The protocol is that of {about.code}.")
    if about.version != mapping.protocol:
        yield Mistake(("protocol",), f"The protocol of {about.code} is version {about.version}.")
    if about.origin != "imported":
        yield Mistake(("study",), f"{about.code} is conducted here: its protocol does not say origin: imported.")
    if mapping.participant.site is None and len(protocol.sites) != 1:
        yield Mistake(("participant",), f"The protocol has {len(protocol.sites)} sites: say which column holds it.")


def _codes(mapping: TrialMapping, protocol: ProtocolDefinition) -> Iterator[Mistake]:
    arms, sites = set(protocol.arm_codes), {site.code for site in protocol.sites}
    person = mapping.participant
    yield from _unknown(("participant", "arm", "codes"), person.arm.codes.items(), arms, "an arm")
    if person.site:
        yield from _unknown(("participant", "site", "codes"), person.site.codes.items(), sites, "a site")
    if mapping.visits:
        visits = {visit.id for visit in protocol.visits if visit.kind == "planned"}
        yield from _unknown(("visits", "codes"), mapping.visits.codes.items(), visits, "a planned visit")


def _unknown(place: tuple[str, ...], codes: Iterable[tuple[str, str]], there: set[str], what: str) -> Iterator[Mistake]:
    for cell, code in codes:
        if code not in there:
            yield Mistake((*place, cell), f"'{code}' is not {what} of the protocol; there is {_list(there)}.")


def _value(
    value: MappedValue, index: int, protocol: ProtocolDefinition, visits: Iterable[str] | None
) -> Iterator[Mistake]:
    place = ("values", index)
    try:
        instrument = load_instrument(value.instrument)
    except UnknownInstrument as error:
        yield Mistake((*place, "instrument"), str(error))
        return
    if value.item is not None and value.item not in instrument.items:
        yield Mistake((*place, "item"), f"{instrument.name} has no item '{value.item}'.")
    ranged = {name for name, rule in instrument.reported_scores().items() if rule.range is not None}
    if value.score is not None and value.score not in ranged:
        yield Mistake((*place, "score"), f"'{value.score}' is no number that {instrument.name} gives: {_list(ranged)}.")
    named = [value.visit] if value.visit else [*(value.visits or visits or ())]
    collecting = {v.id for v in protocol.visits if value.instrument in {a.key for a in v.assessments}}
    for visit in dict.fromkeys(named):
        if visit not in collecting:
            yield Mistake(place, f"The protocol does not collect {value.instrument} at {visit}.")


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
