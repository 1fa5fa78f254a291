"""The catalogue of instruments, docs/instruments.md, written from the files so that it cannot differ from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from outcomes.scoring.consistency import references_of
from outcomes.scoring.instrument import Alert, Change, ImportantDifference, Instrument
from outcomes.scoring.items import Item
from outcomes.scoring.library import instrument_keys, load_instrument
from outcomes.scoring.score_rules import Cutoff, Decided, Lookup, ScoreRule, Total, ValueSet

_DIMENSIONS = {
    "S": "sensory-discriminative",
    "A": "affective-motivational",
    "C": "cognitive-evaluative",
    "M": "mood",
    "F": "function",
    "X": "safety and other",
}
_INTRODUCTION = """\
# Instruments

Written by `outcomes.scoring.catalogue.markdown()` from `outcomes/instruments/*.yaml`; do not edit.

No wording is shipped: items have a number and a neutral label. **Evidence** of a statement: *checked* in the source
named; *remembered* from the literature, to be verified before clinical use; *decision* of this system.
Answers needed: `ALL`; `P75` at least three quarters, rounded up; `7/9` so many of so many. With enough answers a sum
is prorated (mean of the answered x number of items, unrounded); bands and cut-offs look at it rounded half up.
Licence: PD public domain or free, FP free with permission or registration, CR copyrighted. **Language**: that of the
wording whose scores, bands and cut-offs these are; how wording is brought: [wording.md](wording.md). How a file is
written, checked, added and corrected: [instrument-files.md](instrument-files.md).
"""


def markdown() -> str:
    """The catalogue of all instruments of this installation as Markdown."""
    instruments = [load_instrument(key) for key in instrument_keys()]
    sections = ["\n".join(_section(instrument)) for instrument in instruments]
    return "\n".join([_INTRODUCTION, *_overview(instruments), "", *sections])


def _overview(instruments: Iterable[Instrument]) -> Iterator[str]:
    yield from _table_head("key", "name", "items", "dimension", "higher is", "recall", "licence", "alerts")
    for each in instruments:
        dimension = f"{each.dimension} {_DIMENSIONS[each.dimension]}"
        cells = (f"[`{each.key}`](#{each.key})", each.name, len(each.items), dimension, each.higher_is)
        yield _row(*cells, each.recall, each.licence.kind, "yes" if each.alerts else "")


def _section(instrument: Instrument) -> Iterator[str]:
    yield f"## {instrument.key}\n"
    yield f"{instrument.name}. Version {instrument.version}, scoring version {instrument.scoring_version}.\n"
    by, languages = instrument.completed_by.replace("_", " "), ", ".join(instrument.languages)
    yield f"- Completed by: {by}; recall: {instrument.recall}; language: {languages}."
    yield f"- Licence: {instrument.licence.kind}, {instrument.licence.source}."
    if instrument.arm_revealing:
        yield "- Tells the arm: for the infusion unit and the safety side only."
    yield from (f"- Alert `{alert.code}`: {_alert(alert)}." for alert in instrument.alerts)
    yield from (f"- {note[0].upper()}{note[1:]}." for note in instrument.interpretation)
    yield from (f"- Important difference: {_difference(each)}." for each in instrument.important_differences)
    yield ""
    yield from _table_head("item", "label", "codes", "dimension")
    for name, item in instrument.items.items():
        yield _row(name, item.label, _codes(item), instrument.dimension_of_item(name))
    yield ""
    yield from _table_head("score", "made of", "answers needed", "range", "higher is", "bands")
    for name, score in instrument.scores.items():
        yield _row(f"`{name}`", *_score(score, instrument))
    yield ""
    for kind, tables in (("Table", instrument.tables), ("Value set", instrument.value_sets)):
        yield from (f"- {kind} `{name}`: {table.source}." for name, table in tables.items())
    yield from (f"- {source.says}: {source.cite} ({source.evidence})." for source in instrument.sources)
    yield ""


def _alert(alert: Alert) -> str:
    parts = []
    if alert.any_missing:
        parts.append(f"item {', '.join(alert.any_missing)} was asked and is open")
    if alert.all_at_most:
        parts.append(" and ".join(f"item {name} at most {code:g}" for name, code in alert.all_at_most.items()))
    if alert.any_at_least:
        parts.append(" or ".join(f"item {name} at least {code:g}" for name, code in alert.any_at_least.items()))
    if alert.change:
        parts.append(_change(alert.change))
    return ", and ".join(parts)


def _change(change: Change) -> str:
    since = "the baseline" if change.since == "baseline" else "the form before"
    if change.reaches is not None:
        return f"`{change.of}` at least {change.reaches:g} and below it at {since}"
    by = change.by or 0.0
    return f"`{change.of}` {abs(by):g} or more {'above' if by > 0 else 'below'} {since}"


def _difference(each: ImportantDifference) -> str:
    size = f"{each.change:g}" if each.up_to is None else f"{each.change:g} to {each.up_to:g}"
    return f"`{each.score}` {size} {each.unit.replace('percent', 'per cent')}, {each.meaning} ({each.cite})"


def _codes(item: Item) -> str:
    if item.choices:
        codes = "; ".join(f"{code:g} {label}" for code, label in item.choices.items())
    else:
        steps = f", steps of {item.step}" if item.step > 1 else "" if item.integer else ", any number"
        codes = f"{item.min:g} to {item.max:g}{steps}"
    counts = ", ".join(f"{count:g}" for count in item.counts.values())
    codes += f"; count {counts}" if item.recode or item.reverse else ""
    return codes if item.required else f"{codes}; optional"


def _score(score: ScoreRule, instrument: Instrument) -> tuple[str, ...]:
    span = "" if score.range is None else f"{score.range[0]:g} to {score.range[1]:g}"
    bands = "" if score.bands is None else ", ".join(f"{word} from {low:g}" for word, low in score.bands.words.items())
    direction = score.higher_is or instrument.higher_is if score.range else ""
    needed = score.missing if isinstance(score, Total) else ""
    return _made_of(score), needed, span, direction, bands.replace("_", " ")


def _made_of(score: ScoreRule) -> str:
    parts = ", ".join(references_of(score))
    rule = score.rule.replace("_", " ")
    match score:
        case Cutoff():
            bounds = (("at least", score.at_least), ("above", score.above), ("at most", score.at_most))
            return f"{parts} " + "".join(f"{says} {bound:g}" for says, bound in bounds if bound is not None)
        case Decided():
            return f"sum of {parts} at least {score.at_least:g}, also when open items cannot change it"
        case Lookup():
            return f"table `{score.table}` of {parts}"
        case ValueSet():
            return f"value set `{score.value_set}` of {parts}"
    only = f", 0 while `{score.only_when.score}` is 0" if score.only_when else ""
    return parts if rule == "value" else f"{rule} of {parts}{only}"


def _table_head(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield _row(*("---" for _ in names))


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"
