"""Where each random number comes from: one independent stream per purpose and participant.

The generator of (study seed, stream name, index) is
`Philox(SeedSequence(seed, spawn_key=(first 8 bytes of sha256(name), index)))`. So a new stream, a
longer trial or another order of calls never changes a number that somebody else draws.
"""

from functools import lru_cache
from hashlib import sha256
from typing import Literal, get_args

from numpy.random import Generator, Philox, SeedSequence

Stream = Literal[
    "demography",
    "recruitment",
    "screening",
    "failure",
    "history",
    "screening_items",
    "screening_qst",
    "screening_entry",
    "latent_u",
    "latent_w",
    "latent_days",
    "site",
    "response",
    "continuous",
    "infusion",
    "guess",
    "pk",
    "items",
    "qst",
    "diary",
    "visits",
    "entry",
    "missing",
    "dropout",
    "rescue",
    "ae",
    "labs",
    "mediation",
]
STREAMS: tuple[Stream, ...] = get_args(Stream)


def stream(seed: int, name: Stream, index: int) -> Generator:
    """The generator of one stream for one participant (or one site, for the stream `site`).

    seed: the study's seed, an integer >= 0. index: counted from 0.
    Raises ValueError for a negative seed or index.
    """
    if seed < 0 or index < 0:
        raise ValueError(f"A stream has seed {seed} and index {index}; both must be 0 or more.")
    return Generator(Philox(SeedSequence(entropy=seed, spawn_key=(_key(name), index))))


@lru_cache(maxsize=len(STREAMS))
def _key(name: str) -> int:
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big")
