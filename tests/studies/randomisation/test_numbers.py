"""Numbers told over the telephone: what is misheard is noticed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng

from studies.randomisation import is_valid_number
from studies.randomisation.numbers import numbers

ALPHABET = "0123456789ABCDEFGHJKMNPQRTVWXYZ"
PLACES = [2, 3, 4, 5, 7, 8, 9, 10, 12]


def number(seed):
    return next(numbers("K", default_rng(seed), set()))


@given(st.integers(0, 2**32))
def test_a_number_is_valid_and_short_enough_for_a_label(seed):
    assert is_valid_number(number(seed))
    assert re.fullmatch(r"K-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]", number(seed))
    assert not set(number(seed)[1:]) & set("ILOSU")


@given(st.integers(0, 2**32), st.sampled_from(PLACES), st.sampled_from(ALPHABET))
def test_every_single_wrong_character_is_noticed(seed, place, character):
    right = number(seed)
    wrong = right[:place] + character + right[place + 1 :]
    assert is_valid_number(wrong) is (wrong == right)


@given(st.integers(0, 2**32), st.sampled_from(PLACES), st.sampled_from(PLACES))
def test_every_exchange_of_two_characters_is_noticed(seed, one, other):
    right = list(number(seed))
    wrong = right.copy()
    wrong[one], wrong[other] = right[other], right[one]
    assert is_valid_number("".join(wrong)) is (wrong == right)


@pytest.mark.parametrize("text", ["", "K-1234", "K 7F3Q 9XMT C", "K-7F3I-9XMT-C", "K-7F3Q-9XMT-CC", "--"])
def test_another_form_is_not_valid(text):
    assert not is_valid_number(text)


def test_small_letters_and_blanks_around_are_forgiven():
    assert is_valid_number(f"  {number(1).lower()} ")


def test_a_number_that_is_taken_is_never_given_out_again():
    taken = set()
    stream = numbers("K", default_rng(5), taken)
    first, second = next(stream), next(stream)
    assert next(numbers("K", default_rng(5), {first})) == second
    assert taken == {first, second}
