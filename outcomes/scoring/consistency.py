"""What has to agree within an instrument file: names, counts of items, ranges that answers can reach."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from outcomes.scoring.items import Item, spelled_out
from outcomes.scoring.score_rules import (
    Cutoff,
    Decided,
    HighestYes,
    Listing,
    Lookup,
    Profile,
    ScoreRule,
    Table,
    Total,
    Value,
    ValueSet,
    ValueSetTable,
    answers_needed,
)
from studies.protocol.yaml_document import Mistake

Extremes = tuple[float, float] | None  # None: not a number


def references_of(score: ScoreRule) -> list[str]:
    """The items and scores that a score is made of, in order, runs written out."""
    return list(spelled_out([score.of] if isinstance(score.of, str) else score.of))


def mistakes_in_scores(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    """Unknown names, rules that do not fit, and ranges that are not those the answers can reach."""
    if "items" not in sections or "scores" not in sections:
        return
    items: Mapping[str, Item] = sections["items"]
    yield from _mistakes_in_items(items)
    known: dict[str, Extremes] = {}
    for name, score in sections["scores"].items():
        place = ("scores", name)
        wrong = list(_wrong_references(score, items, known, place)) or list(_wrong_rule(score, sections, place))
        if wrong:
            yield from wrong
            known[name] = score.range
            continue
        extremes = {n: item.extremes() for n, item in items.items()}
        reach = _reach(score, sections, extremes, known)
        yield from _wrong_range(score, reach, place)
        yield from _wrong_prorating(score, [extremes.get(n, known.get(n)) for n in references_of(score)], place)
        known[name] = reach


def _mistakes_in_items(items: Mapping[str, Item]) -> Iterator[Mistake]:
    for name, item in items.items():
        if item.alternative_to is not None and item.alternative_to not in items:
            yield _unknown(("items", name, "alternative_to"), item.alternative_to, items)
        for other in item.asked_when.any_of if item.asked_when else ():
            if other not in items:
                yield _unknown(("items", name, "asked_when"), other, items)


def _wrong_references(
    score: ScoreRule, items: Mapping[str, Item], known: Mapping[str, Any], place: tuple[str, ...]
) -> Iterator[Mistake]:
    named = references_of(score)
    for reference in named:
        if reference not in items and reference not in known:
            yield _unknown((*place, "of"), reference, [*items, *known])
    for reference in {each for each in named if named.count(each) > 1}:
        yield Mistake((*place, "of"), f"'{reference}' is named twice.")
    if score.only_when and score.only_when.score not in known:
        yield _unknown((*place, "only_when", "score"), score.only_when.score, known)


def _wrong_rule(score: ScoreRule, sections: Mapping[str, Any], place: tuple[str, ...]) -> Iterator[Mistake]:
    if isinstance(score, Total):
        try:
            answers_needed(score.missing, len(references_of(score)))
        except ValueError as error:
            yield Mistake((*place, "missing"), str(error))
    for field, section in (("table", "tables"), ("value_set", "value_sets")):
        wanted = getattr(score, field, None)
        if wanted is not None and wanted not in sections.get(section, {}):
            yield _unknown((*place, field), wanted, sections.get(section, {}))
            return
    if score.bands and isinstance(score, Profile | Listing | Cutoff | Decided):
        yield Mistake((*place, "bands"), "Bands belong to a score that is a number.")
    says = _wrong_parts(score, sections)
    if says:
        yield Mistake((*place, "of"), says)


def _wrong_parts(score: ScoreRule, sections: Mapping[str, Any]) -> str | None:
    """What is wrong with the parts of a rule that cannot work on any number."""
    named = references_of(score)
    items = [sections["items"].get(name) for name in named]
    match score:
        case Lookup():
            return _wrong_lookup(named[0], items[0], score, sections)
        case Profile() if not all(item and item.integer and item.min >= 0 and item.max <= 9 for item in items):
            return "A profile is made of items with codes of one digit."
        case HighestYes() if not all(item and item.counts.keys() == {0.0, 1.0} for item in items):
            return "highest_yes is for items that are answered 0 or 1."
        case Decided() if None in items:
            return "decided is for items, since the extremes of each must be known."
        case ValueSet():
            table: ValueSetTable = sections["value_sets"][score.value_set]
            wrong = [
                name for name, item in zip(named, items, strict=True) if not _fits(table.decrements.get(name), item)
            ]
            if wrong:
                return f"The value set does not hold the levels of {', '.join(wrong)}, each from 1 on."
            if table.n45_terms and len(table.n45_terms) != len(named) + 1:
                return f"n45_terms needs {len(named) + 1} terms, for 0 to {len(named)} severe dimensions."
    return None


def _wrong_lookup(name: str, item: Item | None, score: Lookup, sections: Mapping[str, Any]) -> str | None:
    """A table is for whole numbers, and must hold each that can come."""
    table: Table = sections["tables"][score.table]
    if item is not None:
        low, high, whole = *item.extremes(), item.integer
    else:
        source = sections["scores"][name]
        low, high = source.range or (table.first, table.first)
        whole = isinstance(source, Total) and (source.rule == "max" or (source.rule, source.missing) == ("sum", "ALL"))
    if not whole:
        return f"A table is for whole numbers; {name} may be prorated or a fraction."
    last = table.first + len(table.values) - 1
    if not (table.first <= low and high <= last):
        return f"The table holds {table.first} to {last}; it is asked for {low:g} to {high:g}."
    return None


def _fits(decrements: tuple[float, ...] | None, item: Item | None) -> bool:
    return bool(decrements and item and item.integer and item.min == 1 and item.max <= len(decrements))


def _wrong_range(score: ScoreRule, reach: Extremes, place: tuple[str, ...]) -> Iterator[Mistake]:
    if reach is None:
        if score.range is not None:
            yield Mistake((*place, "range"), "A range belongs to a score that is a number.")
        return
    said = f"{reach[0]:g} to {reach[1]:g}"
    if score.range is None:
        if score.reported:
            yield Mistake(place, f"'range' is missing; the answers can reach {said}.")
    elif not all(math.isclose(a, b, abs_tol=1e-9) for a, b in zip(score.range, reach, strict=True)):
        yield Mistake((*place, "range"), f"The answers can reach {said}, not {score.range[0]:g} to {score.range[1]:g}.")
    if score.bands and next(iter(score.bands.words.values())) != reach[0]:
        yield Mistake((*place, "bands"), f"The first band must start at {reach[0]:g}, the lowest value.")


def _wrong_prorating(score: ScoreRule, parts: list[Extremes], place: tuple[str, ...]) -> Iterator[Mistake]:
    """Answers of a wide item must not stand for those of a narrow one: the score could leave its range."""
    if isinstance(score, Total) and score.rule != "max" and score.missing != "ALL" and len(set(parts)) > 1:
        said = "These items have different ranges, so that a prorated score could leave its own. Write ALL."
        yield Mistake((*place, "missing"), said)


def _reach(
    score: ScoreRule,
    sections: Mapping[str, Any],
    items: Mapping[str, Extremes],
    known: Mapping[str, Extremes],
) -> Extremes:
    """The least and the most a score can be."""
    of = [items.get(name, known.get(name)) for name in references_of(score)]
    parts = [part for part in of if part is not None]
    match score:
        case Cutoff() | Decided() | Profile() | Listing():
            return None
        case HighestYes():
            reach = (0.0, float(len(of)))
        case Lookup():
            reach = _extremes(sections["tables"][score.table].values)
        case ValueSet():
            reach = _reach_of_value_set(sections["value_sets"][score.value_set])
        case Value():
            if not parts:
                return None
            reach = parts[0]
        case Total():
            reach = _reach_of_total(score, parts)
    if score.only_when:
        reach = _extremes([*reach, score.only_when.otherwise])
    return reach


def _reach_of_total(score: Total, parts: list[tuple[float, float]]) -> tuple[float, float]:
    low, high = [part[0] for part in parts], [part[1] for part in parts]
    if score.rule == "sum":
        return sum(low), sum(high)
    if score.rule == "mean":
        return sum(low) / len(low), sum(high) / len(high)
    return max(low), max(high)


def _reach_of_value_set(table: ValueSetTable) -> tuple[float, float]:
    worst = table.start - table.intercept_if_any_gt1 - max(table.n45_terms, default=0.0)
    return worst - sum(max(steps) for steps in table.decrements.values()), table.start


def _extremes(values: Iterable[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return ordered[0], ordered[-1]


def mistakes_in_alerts(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    """Alerts on items that are not there."""
    if "items" not in sections:
        return
    for index, alert in enumerate(sections.get("alerts", ())):
        for field in ("any_at_least", "all_at_most", "any_missing"):
            for name in getattr(alert, field):
                if name not in sections["items"]:
                    yield _unknown(("alerts", index, field), name, sections["items"])
        if alert.change and "scores" in sections:
            yield from _mistakes_in_change(("alerts", index, "change", "of"), alert.change.of, sections)


def _mistakes_in_change(place: tuple[str | int, ...], name: str, sections: Mapping[str, Any]) -> Iterator[Mistake]:
    """A change is one of a number that more answers can only move one way."""
    if name in sections["items"]:
        return
    score = sections["scores"].get(name)
    if score is None or not score.reported:
        yield _unknown(place, name, [*sections["items"], *score_names(sections["scores"])])
    elif not isinstance(score, Total | Value) or score.only_when:
        yield Mistake(place, f"'{name}' is no item, sum, mean, max or value: its change is not one of more or less.")


def mistakes_in_examples(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    """Examples that name items or scores which are not there, or answers that may not be given."""
    if "items" not in sections or "scores" not in sections:
        return
    scores = score_names(sections["scores"])
    for index, example in enumerate(sections.get("examples", ())):
        for name, value in example.items.items():
            place = ("examples", index, "items", name)
            if name not in sections["items"]:
                yield _unknown(place, name, sections["items"])
            elif value is not None and (problem := sections["items"][name].problem(value)):
                yield Mistake(place, problem)
        for name in example.scores:
            if name not in scores:
                yield _unknown(("examples", index, "scores", name), name, scores)
        for moment, values in example.earlier.items():
            for name in values:
                if name not in scores and name not in sections["items"]:
                    yield _unknown(("examples", index, "earlier", moment, name), name, [*sections["items"], *scores])
    for index, difference in enumerate(sections.get("important_differences", ())):
        if difference.score not in scores:
            yield _unknown(("important_differences", index, "score"), difference.score, scores)


def score_names(scores: Mapping[str, ScoreRule]) -> list[str]:
    """The names of all scores that are stored, each followed by that of its band."""
    names: list[str] = []
    for name, score in scores.items():
        if score.reported:
            names.append(name)
        if score.bands:
            names.append(score.bands.store_as)
    return names


def _unknown(place: tuple[str | int, ...], name: str, there: Iterable[str]) -> Mistake:
    return Mistake(place, f"'{name}' is not known here; there is {', '.join(there) or 'nothing'}.")
