"""REDCap's logic in our expression language: the same or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcomes.interchange.redcap_logic import translate
from studies.protocol.expression import parse

CODES = {"sex": True, "birth": True, "age": True, "country": False, "where___1": True, "where___2": True}


@pytest.mark.parametrize(
    ("logic", "text"),
    [
        ('[sex] = "0"', "sex == 0"),
        ("[sex]='0'", "sex == 0"),
        ("[sex] = 0", "sex == 0"),
        ("'0' = [sex]", "0 == sex"),
        ('[sex] <> "1"', "sex != 1"),
        ('[sex] = "0" and [birth] = "1"', "sex == 0 and birth == 1"),
        ('[sex] = "0" OR ([age] >= 18 and [age] < "65")', "sex == 0 or ( age >= 18 and age < 65 )"),
        ('[country] = "DE"', "country == 'DE'"),
        ('[where(2)] = "1"', "where___2 == 1"),
        ("[age] * 2 + 1", "age * 2 + 1"),
        ('not ([sex] = "0")', "not ( sex == 0 )"),
    ],
)
def test_what_both_languages_say_is_translated(logic: str, text: str):
    assert translate(logic, CODES).text == text


@pytest.mark.parametrize(
    ("logic", "why"),
    [
        ("round([age], 1)", "round() is a function; the expression language has none."),
        ('datediff("today", [age], "y")', "datediff() is a function"),
        ('if([sex] = "1", 2, 3)', "if() is a function"),
        ("[age] ^ 2", "^ (a power) is not in the expression language."),
        ('[age] = ""', "It asks whether a field is empty"),
        ('[baseline_arm_1][age] > "1"', "names an event: a condition here looks at one visit only."),
        ('[weight] > "1"', "[weight] is no field of this dictionary."),
        ('[country] > "1"', "orders what is not a number"),
        ('[sex] = "male"', "compares"),
        ('[sex] = "0" and', "cannot be read"),
        ("[sex] = 0 & [age] = 1", "'&' has no counterpart"),
        ("__import__('os').system('x')", "is a function"),
        ("[where(9)] = 1", "[where___9] is no field of this dictionary."),
    ],
)
def test_what_our_language_does_not_say_is_left_with_its_reason(logic: str, why: str):
    translated = translate(logic, CODES)
    assert translated.text == ""
    assert why in translated.why_not


@given(st.text(max_size=60))
def test_whatever_stands_there_is_translated_or_left_never_run(logic: str):
    translated = translate(logic, CODES)
    assert bool(translated.text) != bool(translated.why_not) or not logic.strip()
    if translated.text:
        parse(translated.text)


@given(st.sampled_from([None, 0.0, 1.0]), st.sampled_from([None, 0.0, 1.0]))
def test_a_translated_condition_means_what_redcap_means(sex: float | None, birth: float | None):
    """Oracle: REDCap shows the field when both are as asked; an open field is neither code."""
    text = translate('[sex] = "0" and [birth] <> "1"', CODES).text
    truth = parse(text).truth({"sex": sex, "birth": birth})
    if sex is not None and birth is not None:
        assert truth is (sex == 0 and birth != 1)
    else:
        assert truth is not True
