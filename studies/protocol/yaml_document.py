"""Files that experts write (protocols, instruments): YAML 1.2, checked by a schema, all mistakes at once.

YAML 1.2, not 1.1: a country code NO stays text, 1:30 is not ninety, 012 is twelve.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from studies.protocol.schema_keys import allowed_keys

M = TypeVar("M", bound=BaseModel)
Location = tuple[str | int, ...]

# What names an entry of a list to its reader; an entry without any of them is named by its place.
_NAMING_KEYS = ("id", "code", "key", "version", "number")
_BRACKET = re.compile(r"[\[{\]}]")
_DEEPEST = 100
_MOST_NODES = 200_000


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake of a file: `path` as in visits[W4].day, `line` counted from 1, `message` what to do."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f"line {self.line}"
        return f"{place}, {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class DocumentInvalid(ValueError):
    """A file that cannot be used, with all its problems in the order of their lines."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = sorted(problems, key=lambda problem: (problem.line, problem.path, problem.message))
        super().__init__("\n".join([f"{source}:", *(f"  {problem}" for problem in self.problems)]))


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake found by a check across values: where, relative to the model that checks, and what."""

    location: Location
    message: str


class Mistakes(ValueError):
    """What a model's validator raises to report several mistakes, each at its own place."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(" ".join(mistake.message for mistake in mistakes))


def load_document(text: str, model: type[M], *, source: str) -> M:
    """Read a YAML text into a model.

    text: the file's content; model: the schema, with `extra="forbid"`; source: the file's name, for messages.
    Returns the model. Raises DocumentInvalid with every problem: YAML syntax, tabs, keys given twice, unknown
    keys (with the nearest allowed one), missing and wrong values. A model with a class method
    `mistakes_between(sections)` has its checks run on the sections that are right when others are wrong.
    """
    document = _Document(text, source)
    repeated = list(document.repeated_keys())
    try:
        loaded = model.model_validate(document.data)
    except ValidationError as error:
        problems = [problem for detail in error.errors() for problem in document.problems_of(detail, model)]
        problems += document.problems_between_right_sections(error, model)
        raise DocumentInvalid(source, [*repeated, *problems]) from None
    if repeated:
        raise DocumentInvalid(source, repeated)
    return loaded


def locate(text: str, mistakes: Sequence[Mistake], *, source: str) -> list[Problem]:
    """Give mistakes found in a loaded file (warnings, say) the path and line they have in its text."""
    document = _Document(text, source)
    return [document.problem(mistake.location, mistake.message) for mistake in mistakes]


class _Document:
    """A YAML text as plain data, beside the tree that knows on which line each value stands."""

    def __init__(self, text: str, source: str) -> None:
        self.root, self.data = _parse(text, source)

    def repeated_keys(self) -> Iterator[Problem]:
        for location, node in _walk(self.root, ()):
            seen: dict[str, int] = {}
            for key, _ in node.value if isinstance(node, MappingNode) else ():
                name, line = str(key.value), key.start_mark.line + 1
                if name in seen:
                    message = f"'{name}' is given twice; it stands on line {seen[name]} already. Keep one."
                    yield Problem(self._path((*location, name)), line, message)
                seen.setdefault(name, line)

    def problems_of(self, detail: Any, model: type[BaseModel]) -> list[Problem]:
        cause = detail.get("ctx", {}).get("error")
        location = self._as_written(detail["loc"], detail["type"])
        if isinstance(cause, Mistakes):
            return [self.problem((*location, *each.location), each.message) for each in cause.mistakes]
        return [self.problem(location, _sentence(detail, location, model))]

    def problems_between_right_sections(self, error: ValidationError, model: type[BaseModel]) -> list[Problem]:
        check = getattr(model, "mistakes_between", None)
        wrong = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
        if check is None or not wrong or not isinstance(self.data, dict):
            return []
        right = [name for name in model.model_fields if name not in wrong]
        sections = {name: _section(model, name, self.data) for name in right}
        return [self.problem(each.location, each.message) for each in check(sections)]

    def problem(self, location: Location, message: str) -> Problem:
        return Problem(self._path(location), self._line(location), message)

    def _as_written(self, location: Location, kind: str) -> Location:
        """Drop what pydantic adds to a location (the chosen member of a union): it is not in the file."""
        node: Node | None = self.root
        written: list[str | int] = []
        for index, step in enumerate(location):
            below = _child(node, step)
            last_and_absent = index == len(location) - 1 and kind == "missing"
            if below is not None or last_and_absent:
                written.append(step)
                node = below
        return tuple(written)

    def _line(self, location: Location) -> int:
        """The line of the key or entry at a location, or of the nearest one above it that exists."""
        node, line = self.root, self.root.start_mark.line
        for step in location:
            key, below = _entry(node, step)
            if below is None:
                break
            node, line = below, (key or below).start_mark.line
        return int(line) + 1

    def _path(self, location: Location) -> str:
        node: Node | None = self.root
        path = ""
        for step in location:
            # A key may be a number too: item 9 of a mapping is .9, the ninth entry of a list is [9].
            in_list = isinstance(node, SequenceNode)
            node = _child(node, step)
            if in_list and isinstance(step, int):
                path += f"[{_name(node) or step + 1}]"
            else:
                path += f".{step}" if path else str(step)
        return path


def _parse(text: str, source: str) -> tuple[Node, Any]:
    _refuse_deep(text, source)
    try:
        reader = YAML(typ="safe", pure=True)
        reader.allow_duplicate_keys = True  # reported by ourselves, all of them, with their lines
        root = reader.compose(text)
        if root is None:
            raise DocumentInvalid(source, [Problem("", 1, "The file is empty.")])  # noqa: TRY301 - as what follows it
        _refuse_endless(root, source)
        # Built from the tree: reading the text is slow, and this way it is read once.
        return root, reader.constructor.construct_document(root)
    except YAMLError as error:
        raise DocumentInvalid(source, _syntax_problems(text, error)) from None
    except RecursionError:
        raise DocumentInvalid(source, [Problem("", 1, "The file is nested too deep to be one of ours.")]) from None
    except DocumentInvalid:
        raise
    except ValueError as error:
        # A number of thousands of digits, a day that does not exist.
        raise DocumentInvalid(source, [Problem("", 1, f"A value cannot be read: {error}.")]) from None


def _refuse_deep(text: str, source: str) -> None:
    """Refuse brackets within brackets without end, which take the parser minutes."""
    depth = 0
    for number, line in enumerate(text.splitlines(), start=1):
        for sign in _BRACKET.findall(line):
            depth = depth + 1 if sign in "[{" else max(depth - 1, 0)
        if depth > _DEEPEST:
            raise DocumentInvalid(source, [Problem("", number, f"Brackets are nested more than {_DEEPEST} deep.")])


def _refuse_endless(root: Node, source: str) -> None:
    """Refuse aliases of aliases: a few lines with them stand for more values than any memory holds."""
    if _written_out(root, {}) > _MOST_NODES:
        said = f"Written out, its aliases (*name) stand for more than {_MOST_NODES:,} values. Write fewer of them."
        raise DocumentInvalid(source, [Problem("", 1, said)])


def _written_out(node: Node, known: dict[int, float]) -> float:
    """How many values a node stands for, each alias counted as often as it is used; of one that holds itself no end."""
    if id(node) not in known:
        known[id(node)] = inf
        below: Iterable[Node] = node.value if isinstance(node, SequenceNode) else ()
        if isinstance(node, MappingNode):
            below = [each for pair in node.value for each in pair]
        known[id(node)] = 1 + sum(_written_out(each, known) for each in below)
    return known[id(node)]


def _syntax_problems(text: str, error: YAMLError) -> list[Problem]:
    lines = text.splitlines()
    indents = [line[: len(line) - len(line.lstrip())] for line in lines]
    tabs = [number for number, indent in enumerate(indents, 1) if "\t" in indent]
    if tabs:
        return [Problem("", number, "Indent with spaces; YAML does not allow tabs.") for number in tabs]
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    said = getattr(error, "problem", None) or str(error).splitlines()[0]
    return [Problem("", (mark.line + 1) if mark else 1, f"This is not valid YAML: {said}.")]


def _walk(node: Node, location: Location) -> Iterator[tuple[Location, Node]]:
    yield location, node
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _walk(value, (*location, str(key.value)))
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            yield from _walk(value, (*location, index))


def _entry(node: Node | None, step: str | int) -> tuple[Node | None, Node | None]:
    """The key node (of a mapping) and the value node one step below a node."""
    if isinstance(node, MappingNode):
        # The first of repeated keys is the one that counts.
        return next(((key, value) for key, value in node.value if str(key.value) == str(step)), (None, None))
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, cast(Node, node.value[step])
    return None, None


def _child(node: Node | None, step: str | int) -> Node | None:
    return _entry(node, step)[1]


def _name(node: Node | None) -> str | None:
    for key in _NAMING_KEYS:
        named = _child(node, key)
        if isinstance(named, ScalarNode):
            return str(named.value)
    return None


def _section(model: type[BaseModel], name: str, data: Mapping[str, Any]) -> Any:
    """One top-level value, which is known to be right, as the model would hold it."""
    field = model.model_fields[name]
    if name not in data:
        return field.get_default(call_default_factory=True)
    annotated: Any = Annotated  # a type put together at run time has no static form
    adapter: TypeAdapter[Any] = TypeAdapter(annotated[field.annotation, field])
    return adapter.validate_python(data[name])


def _sentence(detail: Any, location: Location, model: type[BaseModel]) -> str:
    kind, met = detail["type"], detail["input"]
    if kind == "missing":
        return f"'{detail['loc'][-1]}' is missing."
    if kind == "extra_forbidden":
        return _unknown_key(str(location[-1]), allowed_keys(model, location[:-1]))
    if kind == "string_type" and isinstance(met, int | float):
        return f'{met} is read as a number; put it in quotes: "{met}".'
    said = str(detail["msg"]).removeprefix("Value error, ").rstrip(".")
    said = said.replace("Input should", "This should")
    shown = isinstance(met, str | int | float) and kind not in {"value_error", "assertion_error"}
    return f"{said}; it is {met!r}." if shown else f"{said}."


def _unknown_key(name: str, allowed: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, allowed, n=1)
    hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
    return f"'{name}' is not known here.{hint} Allowed: {', '.join(allowed)}."
