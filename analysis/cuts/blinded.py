"""Taking a cut: one snapshot of a study, written as Parquet by the blinded worker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from analysis.code_version import code_version
from analysis.cuts.folders import (
    blinded_folder,
    new_folder,
    remove_unfinished,
    restricted_folder,
    sweep_leftovers,
)
from analysis.cuts.manifest import (
    CutDoesNotVerify,
    Verified,
    file_entry,
    table_columns,
    verify_folder,
    write_manifest,
)
from analysis.cuts.snapshot import Counted, Snapshot, counted_in_file, snapshot
from analysis.cuts.tables import CutTable, blinded_tables, restricted_tables
from analysis.models import DataCut
from outcomes.arm_revealing import flagged_instruments
from studies.acting import Actor, Program, verb
from studies.errors import TrialError
from studies.models import Study
from studies.protocol import cached_definition
from studies.protocol.arm_revealing import Revealing

Progress = Callable[[int, int], None]
_OPEN, _STAFF_ONLY = 0o555, 0o550


class CountsDiffer(TrialError):
    """What was written is not what the database counts in the same snapshot."""

    code = "counts_differ"


def take(cut: DataCut, *, progress: Progress) -> DataCut:
    """Write the files of an ordered cut and count it as taken. Safe to repeat: a taken cut stays as it is.

    The counts of rows and cells in each file are compared with the database's own in the same snapshot.
    Raises CountsDiffer, CutDoesNotVerify.
    """
    final = blinded_folder(cut.name)
    with snapshot() as database:
        # Two workers may believe they have this job; the second waits here and finds the folder in place.
        database.lock(cut.pk)
        if not final.exists():
            _write(cut, database, progress)
    verified = verify_pair(cut.name)
    return record_taken(Program("blinded worker"), cut=cut, verified=verified)


def verify_pair(name: str, *, sha256: str | None = None) -> Verified:
    """Verify a cut with its restricted part, and that both are of one snapshot. Raises CutDoesNotVerify."""
    blinded = verify_folder(blinded_folder(name), sha256=sha256)
    restricted = verify_folder(restricted_folder(name))
    if restricted.manifest.get("blinded_manifest_sha256") != blinded.sha256:
        raise CutDoesNotVerify(f"The restricted part of {name} belongs to another cut. Restore it from a backup.")
    return blinded


@verb(because="data cut taken")
def record_taken(actor: Actor, *, cut: DataCut, verified: Verified) -> DataCut:
    """Write into the database what the files of a cut hold."""
    files = verified.manifest["files"].values()
    cut = DataCut.objects.select_for_update().get(pk=cut.pk)
    cut.status = DataCut.Status.TAKEN
    cut.taken_at = datetime.fromisoformat(verified.manifest["taken_at"])
    cut.manifest_sha256 = verified.sha256
    cut.rows = sum(file["rows"] for file in files)
    cut.cells = sum(file["cells"] for file in files)
    cut.save(update_fields=["status", "taken_at", "manifest_sha256", "rows", "cells"])
    cut.refresh_from_db()
    return cut


def _write(cut: DataCut, database: Snapshot, progress: Progress) -> None:
    final, restricted = blinded_folder(cut.name), restricted_folder(cut.name)
    for folder in (final, restricted):
        sweep_leftovers(folder)
    # Without its blinded part a restricted one is the rest of a worker that died between the two renames.
    remove_unfinished(restricted)
    versions = _protocol_versions(cut.study, database)
    revealing = Revealing.of((cached_definition(s) for _, _, s in versions), flagged=flagged_instruments())
    parts = blinded_tables(revealing), restricted_tables(revealing)
    write = _Writing(cut.study, database, progress, all_steps=len(parts[0]) + len(parts[1]))
    about = _about(cut, database, versions)
    with new_folder(final, mode=_OPEN) as folder:
        files = write.tables(parts[0], folder)
        sha256 = write_manifest(folder, {**about, "part": "blinded", "files": files})
        with new_folder(restricted, mode=_STAFF_ONLY) as sibling:
            files = write.tables(parts[1], sibling)
            about |= {"blinded_manifest_sha256": sha256, "part": "restricted"}
            write_manifest(sibling, {**about, "files": files})


class _Writing:
    """Writes tables of one study from one snapshot and counts the steps."""

    def __init__(self, study: Study, database: Snapshot, progress: Progress, *, all_steps: int) -> None:
        self._study, self._database = study.pk, database
        self._progress, self._done, self._all = progress, 0, all_steps

    def tables(self, tables: list[CutTable], folder: Path) -> dict[str, Any]:
        """One file a table; what the manifest says of them. Raises CountsDiffer."""
        files = {}
        for table in tables:
            path = folder / table.file
            self._database.write(table, self._study, path)
            counted = self._compare(table, path)
            files[table.file] = {"kind": table.kind, **file_entry(path, counted, table_columns(table))}
            self._done += 1
            self._progress(self._done, self._all)
        return files

    def _compare(self, table: CutTable, path: Path) -> Counted:
        written, counted = counted_in_file(path), self._database.count(table, self._study)
        if written != counted:
            raise CountsDiffer(
                f"{table.file} holds {written.rows} rows and {written.cells} cells; the database counts "
                f"{counted.rows} and {counted.cells} in the same snapshot. The cut does not count as taken."
            )
        return written


def _protocol_versions(study: Study, database: Snapshot) -> list[tuple[str, str, str]]:
    query = "SELECT version, sha256, source FROM studies_protocolversion WHERE study_id = {} ORDER BY id"
    return [(str(v), str(sha256), str(source)) for v, sha256, source in database.rows(query.format(study.pk))]


def _about(cut: DataCut, database: Snapshot, versions: list[tuple[str, str, str]]) -> dict[str, Any]:
    """What both manifests say of the snapshot."""
    return {
        "format": 1,
        "cut": cut.name,
        "study": cut.study.code,
        "taken_at": database.at.isoformat(),
        "snapshot": database.text,
        "protocol_versions": [{"version": version, "sha256": sha256} for version, sha256, _ in versions],
        "code_version": code_version(),
    }
