"""Where cuts lie, and how a folder of files comes into being: all of it at once, and never changed after."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from studies.errors import InvalidEntry

# A name that could climb out of its folder would let one side choose where the other one writes.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


def blinded_folder(name: str) -> Path:
    """Raises InvalidEntry for a name that is no plain folder's name, as the next two do."""
    return Path(settings.CUTS_DIR) / _checked(name)


def restricted_folder(name: str) -> Path:
    """Arm-revealing rows: beside the blinded cut, never offered by the API."""
    return Path(settings.CUTS_DIR) / f"{_checked(name)}.restricted"


def unblinded_folder(name: str) -> Path:
    """In the unblinded side's own place, which the web process cannot read."""
    return Path(settings.CLOSED_DIR) / "cuts" / _checked(name)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidEntry(f"{name!r} is not a cut's name: letters, digits, - and _ only.", field="name")
    return name


@contextmanager
def new_folder(final: Path, *, mode: int) -> Iterator[Path]:
    """A temporary folder beside `final`; when the block ends well it becomes `final`, read-only, on disk.

    mode: permissions of the folder; its files lose the right to be entered. If `final` is there by then,
    what was written is thrown away: the first one stays.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    try:
        yield folder
        _settle(folder, mode)
        _rename(folder, final)
    finally:
        if folder.exists():
            folder.chmod(0o700)
            shutil.rmtree(folder)


def sweep_leftovers(final: Path) -> None:
    """Remove what workers that died left of `final`. Only for who holds the lock of the cut."""
    for leftover in final.parent.glob(f".{final.name}.*"):
        leftover.chmod(0o700)
        shutil.rmtree(leftover)


def remove_unfinished(folder: Path) -> None:
    """Remove a folder whose counterpart was never finished."""
    if folder.exists():
        folder.chmod(0o700)
        shutil.rmtree(folder)


def _settle(folder: Path, mode: int) -> None:
    for path in folder.iterdir():
        path.chmod(mode & 0o444)
        _sync(path)
    folder.chmod(mode)
    _sync(folder)


def _rename(folder: Path, final: Path) -> None:
    try:
        folder.rename(final)
    except OSError:
        if not final.exists():
            raise
        return
    _sync(final.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
