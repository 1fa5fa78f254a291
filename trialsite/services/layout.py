"""Where the embedded servers of a checkout keep their things.

Everything lives under var/, with one exception. PostgreSQL refuses to run as root, and the user it then runs
as cannot reach a checkout below a 0700 home; so as root the servers' data, sockets and a copy of their
programs live in a directory of their own, one for each var/, and nobody's directories are loosened.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from trialsite.services.failure import ServicesError

CHECKOUT = Path(__file__).resolve().parent.parent.parent
ROOT_HOME = Path("/var/lib/trialsite")
# Where it is there (Linux), throw-away servers live in memory: the suite then waits for no disk.
MEMORY = Path("/dev/shm")  # noqa: S108 - the folders made in it are ours alone
MEMORY_HOME = MEMORY / "trialsite"
SERVER_USER = "nobody"
# The kernel's sockaddr_un holds 108 bytes (104 on macOS) with the closing zero; ".s.PGSQL.5432.lock" is the
# longest name put into the folder.
LONGEST_SOCKET_FOLDER = 80


class UnsafeFolderError(ServicesError):
    """A folder for sockets exists but belongs to somebody else, or others may enter it."""


def runs_as_root() -> bool:
    """Whether this process is root, so that the servers must become another user."""
    return os.geteuid() == 0


def var_directory() -> Path:
    """The var/ of this process: the environment's TRIALSITE_VAR, else the checkout's."""
    return Path(os.environ.get("TRIALSITE_VAR") or CHECKOUT / "var").resolve()


@dataclass(frozen=True)
class Layout:
    """The places of one var/: its own, and those of its servers."""

    var: Path

    @classmethod
    def of_environment(cls) -> Layout:
        """The layout of `var_directory()`."""
        return cls(var_directory())

    @property
    def mark(self) -> str:
        """A short name for this var/, different for every checkout."""
        return hashlib.sha256(os.fsencode(self.var)).hexdigest()[:12]

    @property
    def server_home(self) -> Path:
        """Where the servers' data lives: var/ itself, or as root a directory of its own."""
        if not runs_as_root():
            return self.var
        home = MEMORY_HOME if self.var.is_relative_to(MEMORY) else ROOT_HOME
        return home / self.mark

    @property
    def postgres_data(self) -> Path:
        return self.server_home / "postgres"

    @property
    def valkey_data(self) -> Path:
        return self.server_home / "valkey"

    @property
    def sockets(self) -> Path:
        """The folder of the sockets: short, because the kernel refuses paths of over 107 bytes."""
        folder = self.server_home / "sockets"
        if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER:
            return folder
        return Path(tempfile.gettempdir()) / f"trialsite-{os.geteuid()}-{self.mark}"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def logs(self) -> Path:
        return self.var / "logs"

    @property
    def credentials(self) -> Path:
        return self.var / "credentials.json"

    @property
    def running(self) -> Path:
        """The record of processes that a supervisor started, for whoever has to stop them after its death."""
        return self.var / "running.json"

    @property
    def lock(self) -> Path:
        """Held by the one supervisor that may work in this var/."""
        return self.var / "supervisor.lock"
