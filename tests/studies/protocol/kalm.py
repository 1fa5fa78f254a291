"""The demonstration protocol, and changed copies of it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from studies.protocol import DocumentInvalid, Problem, ProtocolDefinition, load

PROTOCOLS = Path(__file__).parents[3] / "studies" / "protocols"
TEXT = (PROTOCOLS / "kalm-1.0.yaml").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def kalm() -> ProtocolDefinition:
    return load(TEXT, source="kalm-1.0.yaml")


def changed(old: str, new: str) -> str:
    """The text of KALM with one passage replaced; the passage must be there."""
    assert old in TEXT, f"KALM does not hold {old!r}"
    return TEXT.replace(old, new, 1)


def problems(text: str) -> list[Problem]:
    """What is wrong with a protocol text."""
    try:
        load(text, source="changed.yaml")
    except DocumentInvalid as error:
        return error.problems
    return []


def line_of(text: str, passage: str) -> int:
    """The number of the line on which a passage begins."""
    return text[: text.index(passage)].count("\n") + 1
