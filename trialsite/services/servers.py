"""Start the two embedded servers under a supervisor, and the throw-away ones that tests use."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from trialsite.services.binaries import programs
from trialsite.services.identity import give_to_servers, server_identity
from trialsite.services.layout import MEMORY, MEMORY_HOME, ROOT_HOME, Layout, UnsafeFolderError, runs_as_root
from trialsite.services.postgres import SERVER_ENVIRONMENT, Postgres
from trialsite.services.processes import ProcessDiedError, Supervisor, has_ended
from trialsite.services.valkey import Valkey
from trialsite.services.waiting import wait_until

# A recovery after a crash may replay for minutes; as long as the process lives, it is waited for.
LONGEST_START = 600.0
THROW_AWAY = "trialsite-throw-away-"
ROOM_NEEDED = 4 * 2**30
# In a servers' home apart from its var/: which var/ that is.
BELONGS_TO = "belongs-to"


def start_servers(supervisor: Supervisor) -> None:
    """Start PostgreSQL and Valkey, with their roles, and return when both answer.

    Raises ProcessDiedError with the end of the log when one of them ends instead.
    """
    layout = supervisor.layout
    _prepare_folders(layout)
    found = programs()
    postgres = Postgres(layout, found)
    for server in (postgres, Valkey(layout, found)):
        server.prepare_start()
        _start(supervisor, server)
    postgres.prepare_roles()


def _start(supervisor: Supervisor, server: Postgres | Valkey) -> None:
    process = supervisor.start(
        server.name,
        server.command(),
        SERVER_ENVIRONMENT,
        cwd=Path("/"),
        stop_signal=server.stop_signal,
        grace=server.grace,
        ground=True,
        identity=server_identity(),
    )
    up = wait_until(lambda: has_ended(process) or server.is_up(), LONGEST_START)
    if not up or has_ended(process):
        raise ProcessDiedError(f"{server.name} did not start:\n{supervisor.tail(server.name)}")


def _prepare_folders(layout: Layout) -> None:
    """Make the folders of the servers, entered by their user only; refuse one that is somebody else's."""
    owner = server_identity().get("user", os.geteuid())
    if runs_as_root():
        layout.server_home.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _refuse_foreign(layout.server_home.parent, owner=0, closed_to=0o022)
    for folder in dict.fromkeys([layout.server_home, layout.sockets]):
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            give_to_servers(folder)
        if folder != layout.var:
            _refuse_foreign(folder, owner=owner, closed_to=0o077)
    if layout.server_home != layout.var:
        (layout.server_home / BELONGS_TO).write_text(str(layout.var))


def _refuse_foreign(folder: Path, *, owner: int, closed_to: int) -> None:
    """Raise UnsafeFolderError for what is no folder of `owner`, or grants others one of the bits `closed_to`."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & closed_to:
        raise UnsafeFolderError(
            f"{folder} must be a folder of user {owner} with mode {0o777 & ~closed_to:04o} or less; it is not. "
            "Remove it, or set TRIALSITE_VAR to another place."
        )


@contextlib.contextmanager
def embedded_servers(var: Path) -> Iterator[Layout]:
    """Run both servers in `var` for the length of the block, with TRIALSITE_VAR set to it.

    Inside, `connection.database_url(role)` and `connection.redis_url(role)` lead to them.
    """
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    layout = Layout(var.resolve())
    before = os.environ.get("TRIALSITE_VAR")
    os.environ["TRIALSITE_VAR"] = str(layout.var)
    try:
        with Supervisor(layout) as supervisor:
            start_servers(supervisor)
            yield layout
    finally:
        if before is None:
            del os.environ["TRIALSITE_VAR"]
        else:
            os.environ["TRIALSITE_VAR"] = before


@contextlib.contextmanager
def throw_away_var(*, keep: bool = False) -> Iterator[Path]:
    """A new var/ among the temporary files, removed afterwards with its servers' data unless `keep`."""
    _sweep_throw_aways()
    var = Path(tempfile.mkdtemp(prefix=THROW_AWAY, dir=_throw_away_folder())).resolve()
    try:
        yield var
    finally:
        if not keep:
            remove_site(Layout(var))


def _throw_away_folder() -> Path:
    """Memory, if there is plenty of it; else the folder of temporary files."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_NEEDED:
        return MEMORY
    return Path(tempfile.gettempdir())


def remove_site(layout: Layout) -> None:
    """Remove a var/ and its servers' data for ever. The caller knows that nothing runs there."""
    for folder in dict.fromkeys([layout.sockets, layout.server_home, layout.var]):
        shutil.rmtree(folder, ignore_errors=True)


def _sweep_throw_aways() -> None:
    """Remove what killed test runs left: throw-away folders of ours that nobody holds any more."""
    folders = {_throw_away_folder(), Path(tempfile.gettempdir())}
    for var in (var for folder in folders for var in folder.glob(f"{THROW_AWAY}*")):
        lock = Layout(var).lock
        with contextlib.suppress(FileNotFoundError, BlockingIOError, PermissionError), lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - lock.stat().st_mtime > 60:
                remove_site(Layout(var))
    if runs_as_root():
        _sweep_homes()


def _sweep_homes() -> None:
    """As root: remove the servers' data of temporary folders that are gone. Other places may be unmounted."""
    for mark in (path for home in (ROOT_HOME, MEMORY_HOME) for path in home.glob(f"*/{BELONGS_TO}")):
        var = Path(mark.read_text())
        if any(var.is_relative_to(place) for place in (tempfile.gettempdir(), MEMORY)) and not var.exists():
            shutil.rmtree(mark.parent, ignore_errors=True)
