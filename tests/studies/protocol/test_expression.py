"""Conditions: three-valued, and nothing but what is allowed."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.protocol.expression import ExpressionInvalid, parse

TRUTHS = (True, False, None)
RANK = {False: 0, None: 1, True: 2}
BY_RANK = {rank: truth for truth, rank in RANK.items()}


@pytest.mark.parametrize(("a", "b"), list(itertools.product(TRUTHS, TRUTHS)))
def test_and_or_not_are_kleenes(a, b):
    # Oracle: Kleene's logic is minimum, maximum and reversal on false < unknown < true.
    values = {"a": a, "b": b}
    assert parse("a and b").truth(values) is BY_RANK[min(RANK[a], RANK[b])]
    assert parse("a or b").truth(values) is BY_RANK[max(RANK[a], RANK[b])]
    assert parse("not a").truth(values) is BY_RANK[2 - RANK[a]]


@given(st.lists(st.sampled_from(TRUTHS), min_size=4, max_size=4))
def test_an_answer_given_with_something_unknown_stays_whatever_it_turns_out_to_be(truths):
    condition = parse("(a or not b) and (c or d) or a and not d")
    values = dict(zip("abcd", truths, strict=True))
    answer = condition.truth(values)
    unknown = [name for name, truth in values.items() if truth is None]
    for filled in itertools.product((True, False), repeat=len(unknown)):
        full = values | dict(zip(unknown, filled, strict=True))
        assert answer is None or condition.truth(full) is answer


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("18 <= age <= 75", {"age": 18}, True),
        ("18 <= age <= 75", {"age": 75.0}, True),
        ("18 <= age <= 75", {"age": 76}, False),
        ("18 <= age <= 75", {}, None),
        ("10 <= low <= age", {"low": 5}, False),
        ("sbp > 150 or dbp > 95", {"sbp": 151}, True),
        ("sbp > 150 or dbp > 95", {"sbp": 150}, None),
        ("sbp > 1.30 * base and sbp > 150", {"sbp": 160, "base": 120}, True),
        ("sbp > 1.30 * base and sbp > 150", {"sbp": 140}, False),
        ("a / b > 2", {"a": 5, "b": 0}, None),
        ("-a < 3", {"a": -2}, True),
        ("class_ == 'neuropathic'", {"class_": "neuropathic"}, True),
        ("class_ != 'neuropathic'", {"class_": None}, None),
        ("misuse", {"misuse": 1.0}, True),
        ("not misuse", {"misuse": 0.0}, True),
        ("age > 3", {"age": math.nan}, None),
    ],
)
def test_a_condition_is_worked_out(text, values, expected):
    assert parse(text).truth(values) is expected


def test_arithmetic_gives_numbers():
    assert parse("dbp + (sbp - dbp) / 3").evaluate({"sbp": 120, "dbp": 90}) == pytest.approx(100)


def test_the_names_of_a_condition_are_its_findings():
    assert parse("a > 3 and not (b or a < 9)").names == {"a", "b"}


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "age.real > 1",
        "age[0]",
        "[age]",
        "(lambda: 1)()",
        "age if a else b",
        "a := 3",
        "age in (1, 2)",
        "f'{age}'",
        "2 ** 9999999",
        "7 // 2",
        "7 % 2",
        "a is b",
        "b'x' == a",
        "1j > 2",
        "...",
        "None",
        "+a",
        "~a",
        "*a",
        "{a}",
        "mean(a)",
    ],
)
def test_nothing_else_of_python_is_allowed(text):
    with pytest.raises(ExpressionInvalid, match=r"not allowed in|cannot be read"):
        parse(text)


@pytest.mark.parametrize(
    "text", ["", "age >", "18 <= <= 3", "age > 3;", "age > 3\nage", "(" * 240 + "1" + ")" * 240, "a\0b"]
)
def test_what_cannot_be_read_is_refused_as_such(text):
    with pytest.raises(ExpressionInvalid, match="cannot be read"):
        parse(text)


def test_an_endless_condition_is_refused():
    with pytest.raises(ExpressionInvalid, match="at most 500"):
        parse("a or " * 200 + "a")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("age > 3", {"age": "old"}),
        ("age and b", {"age": 40}),
        ("t < 'b'", {"t": "a"}),
        ("t + 1 > 2", {"t": "a"}),
    ],
)
def test_a_value_of_the_wrong_kind_is_an_error_not_an_answer(text, values):
    with pytest.raises(ExpressionInvalid):
        parse(text).truth(values)


TYPES = {"age": "number", "misuse": "yes_no", "pain_class": "text"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("agee > 3", "'agee' is not a finding that is known here. Did you mean 'age'?"),
        ("age and misuse", "'age' is a number, but yes or no is expected."),
        ("not age", "'age' is a number, but yes or no is expected."),
        ("age + 3", "'age + 3' is a number; a condition is either true or false."),
        ("pain_class", "a condition is either true or false"),
        ("pain_class == 3", "compares a number with a text"),
        ("pain_class < 'b'", "orders what is not a number"),
        ("misuse + 1 > 2", "'misuse' is yes or no, but a number is expected."),
    ],
)
def test_a_mistake_is_found_without_any_participant(text, words):
    (found,) = parse(text).mistakes(TYPES)
    assert words in found


def test_every_unknown_name_is_reported():
    assert len(parse("x > 3 or y > 4 or not z").mistakes(TYPES)) == 3


@pytest.mark.parametrize(
    "text",
    ["18 <= age <= 75", "misuse", "not misuse and age > -3", "pain_class == 'mixed'", "misuse == True"],
)
def test_a_right_condition_has_no_mistakes(text):
    assert parse(text).mistakes(TYPES) == []


def test_conditions_are_equal_when_written_equally():
    assert parse(" age > 3 ") == parse("age > 3")
    assert len({parse("age > 3"), parse("age > 3")}) == 1
