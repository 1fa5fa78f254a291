"""The unblinded counterpart of a cut: who is in which arm. Written and read by the unblinded side only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.code_version import code_version
from analysis.cuts.blinded import verify_pair
from analysis.cuts.folders import blinded_folder, new_folder, restricted_folder, unblinded_folder
from analysis.cuts.manifest import CutDoesNotVerify, file_entry, read_manifest, verify_folder, write_manifest
from analysis.cuts.snapshot import counted_in_file
from analysis.models import DataCut
from studies.acting import Actor
from studies.closed_side import read_arms

ARM_FILE = "arm.parquet"
_UNBLINDED_ONLY = 0o500
_SCHEMA = pa.schema([("participant_id", pa.int64()), ("arm", pa.string())])
_LABELS = {"participant_id": "participant", "arm": "arm allocated"}


def take_unblinded(actor: Actor, *, cut: DataCut) -> Path:
    """Write the arms of those randomised in a cut, once. Returns the folder.

    Allocations never change, so the arms of the cut's participants are the same whenever they are read.
    Raises CutDoesNotVerify if the blinded cut is not what was taken, or names somebody who has no arm.
    """
    final = unblinded_folder(cut.name)
    sources = _sources(cut)
    if not final.exists():
        arms = read_arms(actor, study=cut.study, purpose=f"unblinded data cut {cut.name}")
        table = _arm_table(_randomised(cut.name), arms)
        with new_folder(final, mode=_UNBLINDED_ONLY) as folder:
            _write(folder, table, {"cut": cut.name, "study": cut.study.code, **sources})
    _verify(final, sources)
    return final


def arms_of(cut: DataCut) -> pd.Series[str]:
    """The arm by participant key, from the unblinded cut, all hashes verified. Raises CutDoesNotVerify."""
    folder = unblinded_folder(cut.name)
    _verify(folder, _sources(cut))
    frame: pd.DataFrame = pq.read_table(folder / ARM_FILE).to_pandas()
    return frame.set_index("participant_id")["arm"]


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


def _write(folder: Path, table: pa.Table, about: Mapping[str, str]) -> None:
    path = folder / ARM_FILE
    pq.write_table(table, path, compression="zstd")
    columns = [{"name": c.name, "type": str(c.type), "label": _LABELS[c.name]} for c in table.schema]
    files = {ARM_FILE: {"kind": "arm", **file_entry(path, counted_in_file(path), columns)}}
    write_manifest(folder, {"format": 1, "part": "unblinded", "code_version": code_version(), **about, "files": files})


def _verify(folder: Path, sources: Mapping[str, str]) -> None:
    manifest = verify_folder(folder).manifest
    if any(manifest.get(key) != value for key, value in sources.items()):
        raise CutDoesNotVerify(f"The unblinded part of {folder.name} belongs to other files than those beside it.")
