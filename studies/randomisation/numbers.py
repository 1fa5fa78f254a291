"""Randomisation and kit numbers: random, told over the telephone, with a check character.

Eight characters of an alphabet of 31 (no I, L, O, S, U: they are misheard or misread) and a check character:
K-7F3Q-9XMT-C. The characters' values, weighted by their places 1 to 9, sum to 0 modulo 31. As 31 is prime and
the weights differ, every single wrong character and every exchange of two characters is noticed (the argument
for ISBN-10; Verhoeff 1969, Error detecting decimal codes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from numpy.random import Generator

_ALPHABET = "0123456789ABCDEFGHJKMNPQRTVWXYZ"
_PAYLOAD = 8
_FORM = re.compile(rf"[A-Z]-([{_ALPHABET}]{{4}})-([{_ALPHABET}]{{4}})-([{_ALPHABET}])")


def numbers(prefix: str, rng: Generator, taken: set[str]) -> Iterator[str]:
    """Random numbers without end, none of which is in `taken`, to which each is added as it is given out."""
    while True:
        values = [int(value) for value in rng.integers(len(_ALPHABET), size=_PAYLOAD)]
        number = _written(prefix, [*values, _check_value(values)])
        # 31^8 numbers: a repetition is next to impossible, but two kits of one number must be impossible.
        if number not in taken:
            taken.add(number)
            yield number


def is_valid_number(number: str) -> bool:
    """Whether a number that somebody typed can be right: its form, and its check character."""
    parts = _FORM.fullmatch(number.strip().upper())
    if parts is None:
        return False
    return _weighted_sum([_ALPHABET.index(character) for character in "".join(parts.groups())]) == 0


def _check_value(values: list[int]) -> int:
    """The ninth value: with its weight it makes the weighted sum 0 modulo 31."""
    modulus = len(_ALPHABET)
    return -_weighted_sum(values) * pow(_PAYLOAD + 1, -1, modulus) % modulus


def _weighted_sum(values: list[int]) -> int:
    return sum(place * value for place, value in enumerate(values, start=1)) % len(_ALPHABET)


def _written(prefix: str, values: list[int]) -> str:
    text = "".join(_ALPHABET[value] for value in values)
    return f"{prefix}-{text[:4]}-{text[4:8]}-{text[8]}"
