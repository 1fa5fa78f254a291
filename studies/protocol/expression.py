"""Conditions of a protocol as text: findings, numbers, comparisons, and, or, not, + - * /.

A finding may be unknown, so a condition is true, false or unknown: Kleene's strong three-valued logic
(Kleene 1952, section 64). "false and unknown" is false, "true or unknown" is true; a comparison or a sum with
something unknown is unknown. Python's own grammar reads the text; nothing but the forms above is let through,
and nothing of it is ever executed.
"""

from __future__ import annotations

import ast
import difflib
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Value = float | bool | str | None
FindingType = Literal["number", "yes_no", "text"]

_LONGEST = 500
_COMPARE: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_KIND_IN_WORDS = {"number": "a number", "yes_no": "yes or no", "text": "a text"}


class ExpressionInvalid(ValueError):
    """A condition that cannot be read, or cannot be worked out with the values given."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition as written, with the findings it names. Made by `parse`; equal when written equally."""

    text: str
    names: frozenset[str] = field(compare=False)
    _tree: ast.expr = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.text

    def evaluate(self, values: Mapping[str, Value]) -> Value:
        """Work the expression out.

        values: finding to number, bool or text; an absent one, None and NaN are unknown; a yes-or-no finding
        may come as 1 or 0. Returns a number, a bool, a text, or None for unknown (also: divided by zero).
        Raises ExpressionInvalid when a value is of the wrong kind.
        """
        return _evaluate(self._tree, values)

    def truth(self, values: Mapping[str, Value]) -> bool | None:
        """Work a condition out: True, False, or None for unknown. Values and errors as in `evaluate`."""
        return _truth(_evaluate(self._tree, values))

    def mistakes(self, types: Mapping[str, FindingType]) -> list[str]:
        """What is wrong with this condition, given the findings that exist and their types, in sentences."""
        found: list[str] = []
        kind = _kind(self._tree, types, found)
        if kind not in {"yes_no", None}:
            found.append(f"'{self.text}' is {_KIND_IN_WORDS[kind]}; a condition is either true or false.")
        return found


def parse(text: str) -> Expression:
    """Read an expression. Raises ExpressionInvalid naming what is not allowed and what is."""
    if len(text) > _LONGEST:
        raise ExpressionInvalid(f"The condition has {len(text)} characters; at most {_LONGEST} are allowed.")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ExpressionInvalid(f"'{text}' cannot be read as a condition: {said}.") from None
    _refuse_what_is_not_allowed(tree, text)
    names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return Expression(text=text.strip(), names=names, _tree=tree)


def _refuse_what_is_not_allowed(tree: ast.expr, text: str) -> None:
    for node in ast.walk(tree):
        if not _allowed(node):
            part = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
            raise ExpressionInvalid(
                f"'{part}' is not allowed in '{text}'. A condition holds findings, numbers, 'texts', "
                "< <= > >= == !=, and, or, not, + - * / and brackets."
            )


def _allowed(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool | int | float | str)
    structure = ast.BoolOp | ast.UnaryOp | ast.BinOp | ast.Compare | ast.Name | ast.Load
    operators = ast.And | ast.Or | ast.Not | ast.USub
    return isinstance(node, structure | operators) or type(node) in _COMPARE or type(node) in _ARITHMETIC


# Evaluation


def _evaluate(node: ast.expr, values: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=value):
            return value  # type: ignore[return-value]  # parse let through nothing but numbers, bools and texts
        case ast.Name(id=name):
            return _known(values.get(name))
        case ast.BoolOp(op=op, values=parts):
            return _all_or_any(isinstance(op, ast.And), (_truth(_evaluate(part, values)) for part in parts))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            truth = _truth(_evaluate(operand, values))
            return None if truth is None else not truth
        case ast.UnaryOp(operand=operand):
            return _calculate(operator.sub, 0, _evaluate(operand, values))
        case ast.BinOp(left=left, op=op, right=right):
            return _calculate(_ARITHMETIC[type(op)], _evaluate(left, values), _evaluate(right, values))
        case ast.Compare():
            return _all_or_any(True, _pairs(node, values))
    raise AssertionError(ast.dump(node))  # parse let through nothing else


def _known(value: Value) -> Value:
    return None if isinstance(value, float) and math.isnan(value) else value


def _truth(value: Value) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    raise ExpressionInvalid(f"{value!r} stands where yes or no is expected.")


def _all_or_any(every: bool, truths: Iterator[bool | None]) -> bool | None:
    """Kleene's and (every) or or: decided by one part that settles it, else unknown if any part is."""
    seen = list(truths)
    settles = not every
    if settles in seen:
        return settles
    return None if None in seen else every


def _pairs(node: ast.Compare, values: Mapping[str, Value]) -> Iterator[bool | None]:
    operands = [_evaluate(operand, values) for operand in (node.left, *node.comparators)]
    for op, left, right in zip(node.ops, operands, operands[1:], strict=False):
        yield _compare(op, left, right)


def _compare(op: ast.cmpop, left: Value, right: Value) -> bool | None:
    if left is None or right is None:
        return None
    sign, function = _COMPARE[type(op)]
    if isinstance(left, str) != isinstance(right, str):
        raise ExpressionInvalid(f"A text cannot be compared with a number: {left!r} {sign} {right!r}.")
    if isinstance(left, str) and sign not in {"==", "!="}:
        raise ExpressionInvalid(f"Texts can be compared by == and != only, not {left!r} {sign} {right!r}.")
    return function(left, right)


def _calculate(function: Callable[[Any, Any], float], left: Value, right: Value) -> float | None:
    if left is None or right is None:
        return None
    if isinstance(left, str) or isinstance(right, str):
        raise ExpressionInvalid(f"Nothing can be calculated with the texts {left!r} and {right!r}.")
    try:
        return _finite(function(left, right))
    except (ZeroDivisionError, OverflowError):
        return None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


# Kinds: a mistake in a protocol is found when it is loaded, not when the first participant meets it.


def _kind(node: ast.expr, types: Mapping[str, FindingType], found: list[str]) -> FindingType | None:
    """The kind of value of a part; None when a mistake in it (added to `found`) leaves it open."""
    match node:
        case ast.Constant(value=bool()):
            return "yes_no"
        case ast.Constant(value=str()):
            return "text"
        case ast.Name(id=name):
            if name not in types:
                found.append(_unknown_name(name, types))
            return types.get(name)
        case ast.BoolOp(values=parts):
            return _expect("yes_no", parts, "yes_no", types, found)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _expect("yes_no", [operand], "yes_no", types, found)
        case ast.UnaryOp(operand=operand):
            return _expect("number", [operand], "number", types, found)
        case ast.BinOp(left=left, right=right):
            return _expect("number", [left, right], "number", types, found)
        case ast.Compare():
            return _comparison_kind(node, types, found)
    return "number"


def _unknown_name(name: str, types: Mapping[str, FindingType]) -> str:
    nearest = difflib.get_close_matches(name, list(types), n=1)
    hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
    return f"'{name}' is not a finding that is known here.{hint}"


def _expect(
    wanted: FindingType,
    parts: list[ast.expr],
    gives: FindingType,
    types: Mapping[str, FindingType],
    found: list[str],
) -> FindingType:
    for part in parts:
        kind = _kind(part, types, found)
        if kind not in {wanted, None}:
            met, expected = _KIND_IN_WORDS[kind], _KIND_IN_WORDS[wanted]
            found.append(f"'{ast.unparse(part)}' is {met}, but {expected} is expected.")
    return gives


def _comparison_kind(node: ast.Compare, types: Mapping[str, FindingType], found: list[str]) -> FindingType | None:
    operands = [node.left, *node.comparators]
    kinds = [_kind(operand, types, found) for operand in operands]
    known = {kind for kind in kinds if kind}
    ordered = any(not isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
    if len(known) > 1:
        found.append(f"'{ast.unparse(node)}' compares {' with '.join(_KIND_IN_WORDS[k] for k in sorted(known))}.")
    elif ordered and known - {"number"}:
        found.append(f"'{ast.unparse(node)}' orders what is not a number; use == or !=.")
    return "yes_no"
