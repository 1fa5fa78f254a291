"""One spelling of a value as bytes, so that the same content has the same SHA-256 everywhere."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import orjson

_CHUNK = 1 << 20


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, as UTF-8. NumPy values may be in it; NaN becomes null."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY)


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Read in pieces: a file of a cut may be larger than memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
