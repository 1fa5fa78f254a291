"""What is in a backup, and in which order: the database, the folders of files, and a manifest of hashes."""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, cast

import psycopg

from trialsite.services.backup.database import (
    dump,
    fingerprints,
    next_transaction,
    pass_transaction_number,
    restoring,
    snapshot,
    table_names,
)
from trialsite.services.backup.encryption import BackupError, DecryptingReader, EncryptingWriter

MANIFEST = "manifest.json"
DATABASE = "database"
# Files are written here first. It is inside the folder, because that may be a volume of its own.
DRAFT = ".restoring"


@dataclass(frozen=True)
class Site:
    """What is backed up or restored: a database (as superuser) and folders by name."""

    url: str
    folders: Mapping[str, Path]
    programs: Path


@dataclass
class Manifest:
    """What a backup says about itself: everything needed to prove that a restore is complete."""

    taken_at: str
    next_transaction: int
    tables: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)
    dump_sha256: str = ""


def write_backup(site: Site, target: BinaryIO, key: bytes) -> Manifest:
    """Write the whole site to `target`, encrypted. Files come last: none that a row names is missing."""
    writer = EncryptingWriter(target, key)
    with tarfile.open(fileobj=cast("IO[bytes]", writer), mode="w|", format=tarfile.PAX_FORMAT) as archive:
        with snapshot(site.url) as (connection, name):
            now = datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds")
            manifest = Manifest(now, next_transaction(connection), fingerprints(connection))
            manifest.dump_sha256 = _add_database(archive, dump(site.programs, site.url, name))
        for label, folder in site.folders.items():
            for path in _files(folder):
                member = f"{label}/{path.relative_to(folder).as_posix()}"
                manifest.files[member] = _add_file(archive, member, path)
        _add_bytes(archive, MANIFEST, json.dumps(asdict(manifest), indent=1).encode())
    writer.close()
    return manifest


def read_backup(site: Site, source: BinaryIO, key: bytes) -> Manifest:
    """Restore the whole site from `source` into an empty database and empty folders, and prove it complete.

    Raises BackupError when the target is not empty, the key is wrong, or anything differs from the manifest.
    """
    _refuse_what_is_not_empty(site)
    reader = DecryptingReader(source, key)
    drafts = {label: folder / DRAFT for label, folder in site.folders.items()}
    for draft in drafts.values():
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
    with tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|") as archive:
        found, manifest = _extract(archive, site, drafts)
    reader.finish()
    _compare("file", manifest.files, found)
    with psycopg.connect(site.url, autocommit=True) as connection:
        _compare("table", manifest.tables, fingerprints(connection))
        pass_transaction_number(connection, manifest.next_transaction)
    for draft in drafts.values():
        for path in draft.iterdir():
            path.rename(draft.parent / path.name)
        draft.rmdir()
    return manifest


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _add_database(archive: tarfile.TarFile, pieces: Iterator[bytes]) -> str:
    """A stream has no length in advance, an entry of the archive must: so it becomes many entries."""
    digest = hashlib.sha256()
    for number, piece in enumerate(pieces):
        digest.update(piece)
        _add_bytes(archive, f"{DATABASE}/{number:08d}", piece)
    return digest.hexdigest()


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def _add_file(archive: tarfile.TarFile, name: str, path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        entry = archive.gettarinfo(arcname=name, fileobj=file)
        archive.addfile(entry, file)
    return digest


def _extract(archive: tarfile.TarFile, site: Site, drafts: Mapping[str, Path]) -> tuple[dict[str, str], Manifest]:
    """Put every entry in its place; the hashes of what was written, and the manifest."""
    entries = _Entries(archive)
    digest = hashlib.sha256()
    with restoring(site.programs, site.url) as database:
        for piece in entries.take_while(lambda name: name.startswith(f"{DATABASE}/")):
            digest.update(piece)
            database.write(piece)
    found = {}
    for data in entries.take_while(lambda name: name != MANIFEST):
        found[entries.name] = hashlib.sha256(data).hexdigest()
        _write(drafts, entries.name, data, entries.mode)
    manifest = Manifest(**json.loads(next(iter(entries.take_while(lambda name: name == MANIFEST)))))
    if manifest.dump_sha256 != digest.hexdigest():
        raise BackupError("The dump in the backup is not the one its manifest names.")
    return found, manifest


class _Entries:
    """The entries of a streamed archive, with one of them looked at in advance."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._entry = archive.next()
        self.name, self.mode = "", 0

    def take_while(self, wanted: Callable[[str], bool]) -> Iterator[bytes]:
        while self._entry is not None and wanted(self._entry.name):
            file = self._archive.extractfile(self._entry)
            if file is None:
                raise BackupError(f"{self._entry.name} in the backup is not a file.")
            self.name, self.mode = self._entry.name, self._entry.mode
            yield file.read()
            self._entry = self._archive.next()


def _write(drafts: Mapping[str, Path], name: str, data: bytes, mode: int) -> None:
    label, _, rest = name.partition("/")
    if label not in drafts or ".." in rest.split("/"):
        raise BackupError(f"The backup holds {name}, for which there is no place.")
    target = drafts[label] / rest
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    target.chmod(mode)


def _refuse_what_is_not_empty(site: Site) -> None:
    with psycopg.connect(site.url) as connection:
        if tables := table_names(connection):
            raise BackupError(
                f"The database already has {len(tables)} tables. Restore into an empty one; nothing was changed."
            )
    for folder in site.folders.values():
        if folder.exists() and any(path.name != DRAFT for path in folder.iterdir()):
            raise BackupError(f"{folder} is not empty. Restore into empty folders; nothing was changed.")


def _compare(kind: str, promised: Mapping[str, str], found: Mapping[str, str]) -> None:
    differing = sorted(name for name in {*promised, *found} if promised.get(name) != found.get(name))
    if differing:
        raise BackupError(
            f"After the restore {len(differing)} {kind}s differ from the backup's manifest, first "
            f"{differing[0]}: promised {promised.get(differing[0])}, found {found.get(differing[0])}."
        )
