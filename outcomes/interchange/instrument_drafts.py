"""Forms of another system as drafts of instrument files: what an instrument can hold, and the rest with its reason.

A draft has numbers and neutral labels. The wording goes into a file of its own, for whoever holds its licence
(docs/wording.md). Nothing is guessed: without a rule of scoring the draft lists its answers and scores nothing.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from outcomes.interchange.definitions import EXPRESSION, REDCAP, Definitions, Form, Item
from outcomes.interchange.redcap_logic import Translated, translate

_LONGEST_ID, _LONGEST_KEY, _LABEL_WORDS = 30, 60, 3
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_CODE = re.compile(r"-?[0-9]+")
_STATUS = re.compile(r".+_complete")
_BELOW = {"GE": 0, "LE": 1}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A field that the draft does not hold, or a rule of it that could not be said, and why."""

    item: str
    why: str


@dataclass(frozen=True, slots=True)
class DraftItem:
    """One item of a draft."""

    id: str
    source: str
    label: str
    least: float
    most: float
    integer: bool = True
    step: int = 1
    kind: str = "scale"
    asked_when: tuple[str, float] | None = None


@dataclass(frozen=True)
class Draft:
    """A form as an instrument. scores: name to the items that are added (sum) or averaged (mean)."""

    key: str
    name: str
    items: tuple[DraftItem, ...]
    scores: Mapping[str, tuple[str, tuple[str, ...]]]
    left_out: tuple[LeftOut, ...]
    wording: Mapping[str, Item] = field(repr=False)


def drafts(definitions: Definitions) -> list[Draft]:
    """A draft of every form; one that has no item an instrument can hold says so in `left_out`."""
    return [_draft(form, definitions) for form in definitions.forms.values()]


def _draft(form: Form, definitions: Definitions) -> Draft:
    left_out: list[LeftOut] = []
    items: dict[str, DraftItem] = {}
    sources: dict[str, Item] = {}
    for oid in form.items:
        item = definitions.items.get(oid)
        if item is None or _STATUS.fullmatch(item.name):
            continue
        try:
            made = _item(item, taken=items)
        except ValueError as error:
            if not item.calculation:
                left_out.append(LeftOut(item.name, str(error)))
            continue
        items[made.id], sources[made.id] = made, item
    ids = {item.source: item.id for item in items.values()}
    asked = [_with_condition(item, sources[item.id], items, ids, left_out) for item in items.values()]
    scores = dict(_scores(form, definitions, ids, left_out))
    return Draft(_key(form), form.name or form.oid, tuple(asked), scores, tuple(left_out), sources)


def _key(form: Form) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", form.oid.removeprefix("Form.").rpartition("/")[2].lower()).strip("_")
    return (plain if plain[:1].isalpha() else f"form_{plain}")[:_LONGEST_KEY]


def _item(item: Item, *, taken: Mapping[str, DraftItem]) -> DraftItem:
    """The item. Raises ValueError saying why an instrument cannot hold it."""
    if item.identifying:
        raise ValueError("It says who somebody is: an instrument holds answers.")
    if item.calculation:
        raise ValueError("It is calculated: a score, not an item.")
    number = len(taken) + 1
    name = re.sub(r"[^A-Za-z0-9_]+", "_", item.name).strip("_")[:_LONGEST_ID]
    usable = bool(name) and name[0] != "_" and name not in taken
    words = [word for word in re.split(r"[_\s]+", item.name) if word][:_LABEL_WORDS]
    label = " ".join(words) if usable and len(item.name) <= _LONGEST_ID else f"Item {number}"
    least, most, integer, step = _range(item)
    kind = "yes_no" if (least, most) == (0, 1) else "choice" if item.codes else "scale"
    return DraftItem(name if usable else f"item_{number}", item.oid, label, least, most, integer, step, kind)


def _range(item: Item) -> tuple[float, float, bool, int]:
    """Least, most, whether whole, and the step between codes."""
    if item.codes is not None:
        return _range_of_codes(tuple(item.codes))
    if item.data_type == "boolean":
        return 0, 1, True, 1
    if item.data_type not in {"integer", "float", "double"}:
        raise ValueError("An instrument holds coded numbers; this is a text, a date or a file. It is kept as a value.")
    bounds: dict[int, float] = {}
    for bound in item.ranges:
        if bound.comparator in _BELOW and _NUMBER.fullmatch(bound.values[0]):
            bounds[_BELOW[bound.comparator]] = float(bound.values[0])
    if len(bounds) < 2 or bounds[0] >= bounds[1]:
        raise ValueError("Its least and greatest value are not defined, and none is invented.")
    return bounds[0], bounds[1], item.data_type == "integer", 1


def _range_of_codes(codes: tuple[str, ...]) -> tuple[float, float, bool, int]:
    if not all(_CODE.fullmatch(code) for code in codes):
        raise ValueError(f"Its codes are not whole numbers: {', '.join(codes[:6])}.")
    numbers = sorted(int(code) for code in codes)
    if len(numbers) < 2:
        raise ValueError("It has one code only.")
    steps = {after - before for before, after in pairwise(numbers)}
    if len(steps) > 1:
        raise ValueError(
            f"Its codes leave gaps ({', '.join(map(str, numbers))}): say which of them mean that there is no answer,"
            " and define the item by the others."
        )
    return numbers[0], numbers[-1], True, steps.pop()


def _with_condition(
    item: DraftItem,
    source: Item,
    items: Mapping[str, DraftItem],
    ids: Mapping[str, str],
    left_out: list[LeftOut],
) -> DraftItem:
    if not source.condition:
        return item
    said = _translated(source.condition, source.language, ids)
    asked = _asked_when(said.text, items, ids) if said.text else None
    if asked is None:
        why = said.why_not or "An item here is asked when another one has at least a code; this says something else."
        left_out.append(LeftOut(source.name, f"Its condition is not in the draft ({source.condition}). {why}"))
        return item
    return replace(item, asked_when=asked)


def _translated(text: str, language: str, names: Iterable[str]) -> Translated:
    """A condition or calculation in the expression language, from REDCap's or its own."""
    if language == REDCAP:
        return translate(text, dict.fromkeys(names, True))
    if language == EXPRESSION:
        return Translated(text)
    return Translated("", f"It is written in {language or 'a language that the file does not name'}.")


def _asked_when(text: str, items: Mapping[str, DraftItem], ids: Mapping[str, str]) -> tuple[str, float] | None:
    """`other >= code`, or `other == code` where that is the greatest; also as ODM says it: not left out when."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
        tree = tree.operand
    if not isinstance(tree, ast.Compare) or len(tree.ops) != 1 or not isinstance(tree.left, ast.Name):
        return None
    other, code = items.get(ids.get(tree.left.id, "")), tree.comparators[0]
    if other is None or not isinstance(code, ast.Constant) or not _NUMBER.fullmatch(str(code.value)):
        return None
    value = float(code.value)  # type: ignore[arg-type]  # it is spelled as a number
    is_greatest = isinstance(tree.ops[0], ast.Eq) and value == other.most
    return (other.id, value) if isinstance(tree.ops[0], ast.GtE) or is_greatest else None


def _scores(
    form: Form, definitions: Definitions, ids: Mapping[str, str], left_out: list[LeftOut]
) -> Iterator[tuple[str, tuple[str, tuple[str, ...]]]]:
    for oid in form.items:
        item = definitions.items.get(oid)
        if item is None or not item.calculation:
            continue
        said = _translated(item.calculation, item.language, definitions.items)
        rule = _rule(said.text, ids) if said.text else None
        if rule is None:
            why = (
                said.why_not
                or "A score here is a sum or a mean of items; a lookup table or formula is written by hand."
            )
            left_out.append(LeftOut(item.name, f"Its calculation is not in the draft ({item.calculation}). {why}"))
        else:
            yield re.sub(r"[^a-z0-9_]+", "_", item.name.lower()).strip("_") or "score", rule


def _rule(text: str, ids: Mapping[str, str]) -> tuple[str, tuple[str, ...]] | None:
    """A sum of items, or their sum divided by how many they are."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Div) and isinstance(tree.right, ast.Constant):
        names = _added(tree.left)
        return ("mean", _ids(names, ids)) if names and tree.right.value == len(names) and _ids(names, ids) else None
    names = _added(tree)
    return ("sum", _ids(names, ids)) if len(names) > 1 and _ids(names, ids) else None


def _added(tree: ast.expr) -> tuple[str, ...]:
    """The names of a sum; none if it is another expression."""
    if isinstance(tree, ast.Name):
        return (tree.id,)
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        left, right = _added(tree.left), _added(tree.right)
        return left + right if left and right else ()
    return ()


def _ids(names: tuple[str, ...], ids: Mapping[str, str]) -> tuple[str, ...]:
    found = tuple(ids[name] for name in names if name in ids)
    return found if len(found) == len(names) else ()


# As files --------------------------------------------------------------------------------------------------------


def as_yaml(draft: Draft, *, source: str, sha256: str) -> str:
    """The draft as an instrument file, with what it does not hold as comments. Only for a draft that has items."""
    lines = [
        f"# Draft of the form {draft.key} in {source} (SHA-256 {sha256}). Not for use before somebody has read it:",
        "# dimension, direction, recall, licence, scoring and examples are to be given by who knows the instrument.",
        *(f"# Not in the draft: {each.item}: {' '.join(each.why.split())}" for each in draft.left_out),
        f"key: {draft.key}",
        'version: "0.1"',
        'scoring_version: "0"',
        f"name: {_quoted(draft.name)}",
        "dimension: X",
        "higher_is: neither",
        "recall: not stated in the source",
        "licence: {class: CR, source: whoever brought the file}",
        "",
        "items:",
        *(_item_line(item) for item in draft.items),
        "",
        "scores:",
        *_score_lines(draft),
        "",
        "sources:",
        f"  - {{says: items and codes, cite: {_quoted(source)}, evidence: checked}}",
        "",
        "examples:",
        *_example_lines(draft),
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text as YAML takes it; JSON is YAML."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)


def _item_line(item: DraftItem) -> str:
    parts = [f"label: {_quoted(item.label)}", f"min: {item.least:g}", f"max: {item.most:g}"]
    if not item.integer:
        parts.append("integer: false")
    if item.step != 1:
        parts.append(f"step: {item.step}")
    if item.kind != "scale":
        parts.append(f"kind: {item.kind}")
    if item.asked_when:
        parts.append(f"asked_when: {{any_of: [{item.asked_when[0]}], at_least: {item.asked_when[1]:g}}}")
    return f"  {item.id}: {{{', '.join(parts)}}}"


def _score_lines(draft: Draft) -> Iterator[str]:
    items = {item.id: item for item in draft.items}
    for name, (rule, of) in draft.scores.items():
        count = len(of) if rule == "mean" else 1
        least, most = sum(items[each].least for each in of) / count, sum(items[each].most for each in of) / count
        listed = ", ".join(of)
        yield f"  {name}: {{rule: {rule}, of: [{listed}], missing: ALL, range: [{least:g}, {most:g}]}}"
    if not draft.scores:
        yield "  # No rule of scoring is known: the answers as they are."
        yield f"  answers: {_answers_as_they_are(draft.items)}"


def _answers_as_they_are(items: tuple[DraftItem, ...]) -> str:
    if len(items) > 1:
        return f"{{rule: list, of: [{', '.join(item.id for item in items)}]}}"
    only = items[0]
    return f"{{rule: value, of: {only.id}, range: [{only.least:g}, {only.most:g}]}}"


def _example_lines(draft: Draft) -> Iterator[str]:
    """The least answer to every item, and what that gives: worked out here, not published."""
    least = {item.id: item.least for item in draft.items if item.asked_when is None}
    scores: dict[str, str] = {}
    for name, (rule, of) in draft.scores.items():
        given = [least.get(item) for item in of]
        known = [value for value in given if value is not None]
        whole = sum(known) / (len(known) if rule == "mean" and known else 1)
        scores[name] = f"{whole:g}" if len(known) == len(given) else "null"
    if not draft.scores:
        values = [f"{least[item.id]:g}" if item.id in least else "null" for item in draft.items]
        scores["answers"] = f"[{', '.join(values)}]" if len(values) > 1 else values[0]
    yield "  - says: the least answer to every item, worked out for this draft"
    yield f"    items: {{{', '.join(f'{name}: {value:g}' for name, value in least.items())}}}"
    yield f"    scores: {{{', '.join(f'{name}: {value}' for name, value in scores.items())}}}"


def languages(draft: Draft) -> list[str]:
    """The languages that the file has the wording in; the empty name stands for one that it does not say."""
    return list(dict.fromkeys(language for item in draft.wording.values() for language in item.wording))


def as_wording(draft: Draft, *, of_language: str, language: str, permission: str) -> str:
    """The wording file of a draft. of_language: as the source names it; language: the tag it gets."""
    lines = [
        f"instrument: {draft.key}",
        'instrument_version: "0.1"',
        f"language: {language}",
        'version: "1.0"',
        f"permission: {_quoted(permission)}",
        f"title: {_quoted(draft.name)}",
        "items:",
    ]
    for item in draft.items:
        source = draft.wording[item.id]
        text = source.wording.get(of_language) or next(iter(source.wording.values()), item.label) or item.label
        choices = {code: label for code, label in (source.codes or {}).items() if label}
        words = ", ".join(f"{int(code)}: {_quoted(label)}" for code, label in choices.items())
        lines.append(f"  {item.id}: {{text: {_quoted(text)}" + (f", choices: {{{words}}}" if words else "") + "}")
    return "\n".join(lines) + "\n"
