"""The manifest of a cut: what it holds, of which moment, and the hash of every file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from analysis.canonical import canonical_json, sha256_of, sha256_of_file
from analysis.cuts.snapshot import Counted
from analysis.cuts.tables import CutTable
from studies.errors import TrialError

MANIFEST = "manifest.json"


class CutDoesNotVerify(TrialError):
    """A file of a cut is not what its manifest says."""

    code = "cut_does_not_verify"


@dataclass(frozen=True, slots=True)
class Verified:
    """A cut whose files are what its manifest says."""

    manifest: Mapping[str, Any]
    sha256: str


def file_entry(path: Path, counted: Counted, columns: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """What the manifest says of one file."""
    return {
        "rows": counted.rows,
        "cells": counted.cells,
        "columns": list(columns),
        "sha256": sha256_of_file(path),
    }


def table_columns(table: CutTable) -> list[dict[str, str]]:
    return [{"name": c.name, "type": str(c.type), "label": c.label} for c in table.columns]


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> str:
    """Write the manifest in its canonical form and return its SHA-256."""
    content = canonical_json(manifest)
    (folder / MANIFEST).write_bytes(content)
    return sha256_of(content)


def read_manifest(folder: Path) -> Verified:
    """The manifest, its files not looked at. Raises CutDoesNotVerify if it is missing or damaged."""
    try:
        content = (folder / MANIFEST).read_bytes()
        manifest = orjson.loads(content)
    except FileNotFoundError as error:
        raise CutDoesNotVerify(f"{folder.name} has no {MANIFEST}: it is no cut, or not a whole one.") from error
    except orjson.JSONDecodeError as error:
        raise CutDoesNotVerify(f"The {MANIFEST} of {folder.name} is damaged: {error}.") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise CutDoesNotVerify(f"The {MANIFEST} of {folder.name} lists no files.")
    return Verified(manifest, sha256_of(content))


def verify_folder(folder: Path, *, sha256: str | None = None) -> Verified:
    """Recompute every hash of a cut.

    sha256: of the manifest, as the database knows it; None takes the manifest as it is.
    Raises CutDoesNotVerify naming all files that are changed, missing or not of the cut.
    """
    found = read_manifest(folder)
    if sha256 is not None and found.sha256 != sha256:
        raise CutDoesNotVerify(
            f"The manifest of {folder.name} has SHA-256 {found.sha256}; the database knows {sha256}. "
            "Restore the folder from a backup."
        )
    listed = found.manifest["files"]
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    problems = [f"{name} is missing" for name in sorted(listed.keys() - present)]
    problems += [f"{name} is not in the manifest" for name in sorted(present - listed.keys())]
    problems += [
        f"{name} is changed"
        for name in sorted(listed.keys() & present)
        if sha256_of_file(folder / name) != listed[name]["sha256"]
    ]
    if problems:
        raise CutDoesNotVerify(f"{folder.name}: {'; '.join(problems)}. Restore the folder from a backup.")
    return found
