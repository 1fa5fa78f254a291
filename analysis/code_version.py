"""Which code made something: the version and a hash over the source of the four packages."""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache

from django.conf import settings

_PACKAGES = ("analysis", "outcomes", "studies")
_KINDS = {".py", ".yaml", ".sql", ".csv", ".json", ".html", ".typ", ".css"}


@cache
def code_version() -> str:
    """For example "0.1.0+1f2e3d4c5b6a": the same for the same files, wherever they came from."""
    version = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((settings.BASE_DIR / package).rglob("*")):
            if path.suffix in _KINDS and path.is_file():
                digest.update(path.relative_to(settings.BASE_DIR).as_posix().encode())
                digest.update(path.read_bytes())
    return f"{version}+{digest.hexdigest()[:12]}"
