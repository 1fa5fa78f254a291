"""Stratified randomisation by permuted blocks of random size.

Within a block every arm appears exactly as often as the ratio says, in random order; the size of each block
is drawn from those allowed, so that the last place of a block cannot be told from the places before it. Every
stratum has a stream of random numbers of its own. Zelen 1974, J Chronic Dis 27:365; Matts & Lachin 1988,
Control Clin Trials 9:327; ICH E9 2.3.2.

Unblinded side only: whoever holds the seed, or a list, knows the arms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, islice

from numpy.random import Generator, Philox, SeedSequence

from studies.randomisation.numbers import numbers

SEED_BITS = 128


@dataclass(frozen=True, slots=True)
class ListRow:
    """One place on the list of a stratum. `position` and `block` count from 1 within the stratum."""

    stratum: str
    position: int
    block: int
    arm: str
    randomisation_number: str
    kit_number: str


def permuted_blocks(rng: Generator, *, arms: Mapping[str, int], block_sizes: Sequence[int], length: int) -> list[str]:
    """A sequence of arms in permuted blocks.

    rng: where chance comes from; arms: the ratio, arm to share (KET 2, MDZ 1); block_sizes: the sizes
    allowed, multiples of the sum of the shares, drawn with equal probability; length: how many places, >= 0.
    Returns `length` arms; the last block may be cut off. A longer sequence from the same state of the
    generator begins with the shorter one. Raises ValueError for a ratio or a block size that cannot be.
    """
    if length < 0:
        raise ValueError(f"length is {length}; a list has 0 places or more.")
    blocks = _blocks(rng, arms, block_sizes)
    return list(islice(chain.from_iterable(blocks), length))


def generate_list(
    seed: int,
    *,
    strata: Sequence[str],
    ratio: Mapping[str, int],
    block_sizes: Sequence[int],
    rows_per_stratum: int,
) -> list[ListRow]:
    """The randomisation list of a study.

    seed: 128 random bits from the operating system, as a number; strata: their codes; ratio and block_sizes
    as in `permuted_blocks`; rows_per_stratum: at least so many rows for each (the last block is completed).
    Returns the rows stratum by stratum, in order. The same arguments give the same list. Another stratum, or
    more rows, leave every row there was as it was. Raises ValueError for a seed of more than 128 bits, a
    stratum given twice, or rows_per_stratum below 1.
    """
    _check_list(seed, strata, rows_per_stratum)
    taken_randomisation: set[str] = set()
    taken_kits: set[str] = set()
    rows: list[ListRow] = []
    for stratum in strata:
        blocks = _blocks(_stream(seed, "arms", stratum), ratio, block_sizes)
        places = _completed(blocks, rows_per_stratum)
        # Kits and randomisation numbers have streams of their own: nothing of them follows from the arms.
        randomisation = numbers("R", _stream(seed, "randomisation numbers", stratum), taken_randomisation)
        kits = numbers("K", _stream(seed, "kit numbers", stratum), taken_kits)
        rows += [
            ListRow(stratum, position, block, arm, next(randomisation), next(kits))
            for position, (block, arm) in enumerate(places, start=1)
        ]
    return rows


def _blocks(rng: Generator, arms: Mapping[str, int], block_sizes: Sequence[int]) -> Iterator[list[str]]:
    shares = _shares(arms, block_sizes)
    # Sorted, so that the order in which a protocol lists its arms does not matter.
    unit = [arm for arm in sorted(arms) for _ in range(arms[arm])]
    while True:
        size = block_sizes[int(rng.integers(len(block_sizes)))]
        block = unit * (size // shares)
        yield [block[place] for place in rng.permutation(size)]


def _shares(arms: Mapping[str, int], block_sizes: Sequence[int]) -> int:
    """The sum of the ratio. Raises ValueError where the blocks cannot hold it."""
    if len(arms) < 2 or any(share < 1 for share in arms.values()):
        raise ValueError(f"The ratio is {dict(arms)}; it needs two arms or more, each with a share of 1 or more.")
    if not block_sizes:
        raise ValueError("No block size is given.")
    shares = sum(arms.values())
    for size in block_sizes:
        if size < 1 or size % shares:
            ratio = ":".join(str(share) for share in arms.values())
            raise ValueError(
                f"Arm ratio {ratio} cannot fill blocks of {size}. Use block sizes that are multiples of {shares}."
            )
    return shares


def _completed(blocks: Iterator[list[str]], at_least: int) -> list[tuple[int, str]]:
    """Whole blocks, as pairs of block number and arm, until there are at least so many places."""
    places: list[tuple[int, str]] = []
    for number, block in enumerate(blocks, start=1):
        places += [(number, arm) for arm in block]
        if len(places) >= at_least:
            break
    return places


def _stream(seed: int, purpose: str, stratum: str) -> Generator:
    """The random numbers for one purpose in one stratum; keyed by name, no stratum moves another's."""
    key = int.from_bytes(sha256(f"{purpose}\0{stratum}".encode()).digest()[:16], "big")
    return Generator(Philox(SeedSequence(entropy=seed, spawn_key=(key,))))


def _check_list(seed: int, strata: Sequence[str], rows_per_stratum: int) -> None:
    if not 0 <= seed < 2**SEED_BITS:
        raise ValueError(f"The seed must be a number of {SEED_BITS} bits: 0 to 2^{SEED_BITS} - 1.")
    if len(set(strata)) != len(strata):
        raise ValueError("A stratum is given twice; each has one list.")
    if rows_per_stratum < 1:
        raise ValueError(f"rows_per_stratum is {rows_per_stratum}; a list has at least one row.")
