"""Files as they are brought: a name and bytes, of a size that can be read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from outcomes.interchange import limits
from outcomes.interchange.refused import refuse_file


@dataclass(frozen=True)
class Source:
    """One file. Its content is kept out of messages and logs."""

    name: str
    content: bytes = field(repr=False)

    @cached_property
    def sha256(self) -> str:
        """The hash of the bytes, 64 hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


def open_source(path: Path) -> Source:
    """Read a file that is small enough. Raises ImportRefused before reading one that is not; OSError."""
    refuse_large(path.stat().st_size, name=path.name)
    return Source(path.name, path.read_bytes())


def refuse_large(size: int, *, name: str) -> None:
    """Raises ImportRefused for a file of more bytes than any format may have."""
    if size > limits.LARGEST_XML:
        most = limits.LARGEST_XML // limits.MEGABYTE
        raise refuse_file(name, f"The file has {size // limits.MEGABYTE} MB; at most {most} MB are read. Split it.")
