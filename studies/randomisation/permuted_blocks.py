"""Stratified permuted blocks of random size: the randomisation list.

Each block holds every arm in the exact ratio, in random order; the size of each block is drawn from the allowed
ones, so that the end of a block cannot be told from outside (ICH E9, 2.3.2; Matts & Lachin 1988, Controlled
Clinical Trials 9:327-344). Every stratum has a random stream of its own, made from the seed and the stratum's
code: a stratum added later changes no other, and a longer list begins with the shorter one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, Philox, SeedSequence

SEED_BITS = 128
_KIT_DIGITS = 7


@dataclass(frozen=True, slots=True)
class ListRow:
    """One row of the list. `position` counts from 1 within the stratum; `block` is for the unblinded side."""

    stratum: str
    position: int
    block: int
    arm: str
    randomisation_number: str
    kit_number: str


def permuted_blocks(
    rng: Generator, *, arms: Mapping[str, int], block_sizes: Sequence[int], length: int
) -> list[tuple[int, str]]:
    """(block, arm) for `length` participants; the last block may be cut off.

    arms: arm to its share of the ratio. block_sizes: each a multiple of the sum of the shares.
    Raises ValueError for a size that the ratio cannot fill, a share below 1, or a length below 0.
    """
    shares = sum(arms.values())
    if not arms or min(arms.values()) < 1:
        raise ValueError(f"arms must give every arm a share of at least 1; given: {dict(arms)}.")
    for size in block_sizes:
        if size < 1 or size % shares:
            raise ValueError(f"block_sizes holds {size}; each must be a multiple of {shares}, the sum of the ratio.")
    if not block_sizes or length < 0:
        raise ValueError("Give at least one block size, and a length of at least 0.")
    drawn: list[tuple[int, str]] = []
    block = 0
    while len(drawn) < length:
        block += 1
        size = int(rng.choice(np.asarray(block_sizes)))
        contents = [arm for arm, share in arms.items() for _ in range(share * size // shares)]
        drawn += [(block, contents[place]) for place in rng.permutation(size)]
    return drawn[:length]


def generate_list(
    seed: int, *, strata: Sequence[str], ratio: Mapping[str, int], block_sizes: Sequence[int], rows_per_stratum: int
) -> list[ListRow]:
    """The list of every stratum, in the order of `strata`.

    seed: 0 <= seed < 2**128. Kit and randomisation numbers are random, unique in the list, and drawn from a
    stream apart from the arms: neither tells the arm, the block or the order.
    Raises ValueError for a seed out of range or a stratum named twice, and as `permuted_blocks`.
    """
    if not 0 <= seed < 2**SEED_BITS:
        raise ValueError(f"seed must lie in 0 to 2**{SEED_BITS} - 1.")
    if len(set(strata)) != len(strata):
        raise ValueError("strata holds a stratum twice.")
    kits, numbers = _Numbers(), _Numbers()
    rows = []
    for stratum in strata:
        arms = permuted_blocks(
            _stream(seed, "arms", stratum), arms=ratio, block_sizes=block_sizes, length=rows_per_stratum
        )
        naming = _stream(seed, "numbers", stratum)
        for position, (block, arm) in enumerate(arms, start=1):
            number, kit = numbers.draw(naming), kits.draw(naming)
            rows.append(ListRow(stratum, position, block, arm, f"R-{number}", f"K-{kit}"))
    return rows


def _stream(seed: int, purpose: str, stratum: str) -> Generator:
    digest = hashlib.sha256(f"{purpose}/{stratum}".encode()).digest()
    key = tuple(int.from_bytes(digest[start : start + 4], "big") for start in range(0, 16, 4))
    return Generator(Philox(SeedSequence(entropy=seed, spawn_key=key)))


class _Numbers:
    """Random numbers with a check digit, each given once."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def draw(self, rng: Generator) -> str:
        while (number := int(rng.integers(10 ** (_KIT_DIGITS - 1), 10**_KIT_DIGITS))) in self._given:
            pass
        self._given.add(number)
        return f"{number}{check_digit(number)}"


def check_digit(number: int) -> int:
    """Luhn's check digit (ISO/IEC 7812-1, annex B): finds any single wrong digit and most exchanges of neighbours."""
    total = 0
    for place, digit in enumerate(reversed([int(d) for d in str(number)])):
        doubled = digit * 2 if place % 2 == 0 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return -total % 10
