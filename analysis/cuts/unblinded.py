"""The unblinded counterpart of a cut: who is in which arm, and the drug levels. Written and read by the unblinded side
only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.code_version import code_version
from analysis.cuts.blinded import verify_pair
from analysis.cuts.folders import blinded_folder, new_folder, restricted_folder, unblinded_folder
from analysis.cuts.manifest import CutDoesNotVerify, file_entry, read_manifest, verify_folder, write_manifest
from analysis.cuts.snapshot import counted_in_file
from analysis.models import DataCut
from outcomes.concentrations.reading import StoredSample, read_samples
from studies.acting import Actor
from studies.closed_side import read_arms

ARM_FILE, LEVEL_FILE = "arm.parquet", "concentration.parquet"
_UNBLINDED_ONLY = 0o500
_SCHEMA = pa.schema([("participant_id", pa.int64()), ("arm", pa.string())])
_LEVEL_SCHEMA = pa.schema(
    [
        ("participant_id", pa.int64()),
        ("analyte", pa.string()),
        ("nominal_minute", pa.int32()),
        ("actual_minute", pa.float64()),
        ("value", pa.float64()),
        ("lloq", pa.float64()),
        ("unit", pa.string()),
        ("repeat", pa.int32()),
        ("laboratory", pa.string()),
        ("batch", pa.string()),
        ("file_sha256", pa.string()),
        ("file_row", pa.int32()),
    ]
)
_LABELS = {
    "participant_id": "participant",
    "arm": "arm allocated",
    "analyte": "analyte",
    "nominal_minute": "planned minutes from the start of the infusion",
    "actual_minute": "actual minutes from the start of the infusion",
    "value": "concentration; none below the limit of quantification",
    "lloq": "lower limit of quantification",
    "unit": "unit",
    "repeat": "corrections of the result",
    "laboratory": "laboratory",
    "batch": "batch",
    "file_sha256": "SHA-256 of the laboratory's file",
    "file_row": "row of the file",
}


def take_unblinded(actor: Actor, *, cut: DataCut) -> Path:
    """Write the arms of those randomised in a cut, and their drug levels, once. Returns the folder.

    Allocations never change, so the arms of the cut's participants are the same whenever they are read; levels are
    those that had come when the blinded cut was taken.
    Raises CutDoesNotVerify if the blinded cut is not what was taken, or names somebody who has no arm.
    """
    final = unblinded_folder(cut.name)
    sources = _sources(cut)
    if not final.exists():
        purpose = f"unblinded data cut {cut.name}"
        people = _randomised(cut.name)
        tables = {
            ARM_FILE: _arm_table(people, read_arms(actor, study=cut.study, purpose=purpose)),
            LEVEL_FILE: _level_table(people, _levels(actor, cut, purpose)),
        }
        with new_folder(final, mode=_UNBLINDED_ONLY) as folder:
            _write(folder, tables, {"cut": cut.name, "study": cut.study.code, **sources})
    _verify(final, sources)
    return final


def arms_of(cut: DataCut) -> pd.Series[str]:
    """The arm by participant key, from the unblinded cut, all hashes verified. Raises CutDoesNotVerify."""
    folder = unblinded_folder(cut.name)
    _verify(folder, _sources(cut))
    frame: pd.DataFrame = pq.read_table(folder / ARM_FILE).to_pandas()
    return frame.set_index("participant_id")["arm"]


def levels_of(cut: DataCut) -> pd.DataFrame | None:
    """The drug levels of an unblinded cut, one row an analyte of a sample, NaN below the limit, all hashes verified.

    None for a cut that was taken before levels were part of one. Raises CutDoesNotVerify.
    """
    folder = unblinded_folder(cut.name)
    _verify(folder, _sources(cut))
    if not (folder / LEVEL_FILE).exists():
        return None
    frame: pd.DataFrame = pq.read_table(folder / LEVEL_FILE).to_pandas()
    return frame


def _sources(cut: DataCut) -> dict[str, str]:
    """The hashes of the two manifests, after verifying both cuts."""
    blinded = verify_pair(cut.name, sha256=cut.manifest_sha256)
    return {
        "blinded_manifest_sha256": blinded.sha256,
        "restricted_manifest_sha256": read_manifest(restricted_folder(cut.name)).sha256,
    }


def _randomised(name: str) -> list[int]:
    path = blinded_folder(name) / "allocation.parquet"
    keys: list[int] = pq.read_table(path, columns=["participant_id"])["participant_id"].to_pylist()
    return sorted(keys)


def _arm_table(participants: list[int], arms: Mapping[int, str]) -> pa.Table:
    if unknown := [key for key in participants if key not in arms]:
        raise CutDoesNotVerify(f"The cut's allocations name {len(unknown)} participants who were never randomised.")
    columns = {"participant_id": participants, "arm": [arms[key] for key in participants]}
    return pa.table(columns, schema=_SCHEMA)


def _levels(actor: Actor, cut: DataCut, purpose: str) -> list[StoredSample]:
    """Those that had come by the moment of the blinded cut."""
    taken_at = datetime.fromisoformat(read_manifest(blinded_folder(cut.name)).manifest["taken_at"])
    return read_samples(actor, study=cut.study, until=taken_at, purpose=purpose)


def _level_table(participants: Sequence[int], samples: Sequence[StoredSample]) -> pa.Table:
    known = set(participants)
    rows = [asdict(sample) for sample in samples if sample.participant_id in known]
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in _LEVEL_SCHEMA.names}
    return pa.table(columns, schema=_LEVEL_SCHEMA)


def _write(folder: Path, tables: Mapping[str, pa.Table], about: Mapping[str, str]) -> None:
    files = {}
    for name, table in tables.items():
        path = folder / name
        with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
            # A group of no rows has no statistics to count from.
            if table.num_rows:
                writer.write_table(table)
        columns = [{"name": c.name, "type": str(c.type), "label": _LABELS[c.name]} for c in table.schema]
        counted = counted_in_file(path)
        files[name] = {"kind": name.removesuffix(".parquet"), **file_entry(path, counted, columns)}
    write_manifest(folder, {"format": 1, "part": "unblinded", "code_version": code_version(), **about, "files": files})


def _verify(folder: Path, sources: Mapping[str, str]) -> None:
    manifest = verify_folder(folder).manifest
    if any(manifest.get(key) != value for key, value in sources.items()):
        raise CutDoesNotVerify(f"The unblinded part of {folder.name} belongs to other files than those beside it.")
