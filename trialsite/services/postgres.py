"""The embedded PostgreSQL: made once, started from whatever a crash left, believed after a connection."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from trialsite.services.binaries import Programs
from trialsite.services.connection import DATABASE, database_url
from trialsite.services.credentials import passwords
from trialsite.services.failure import ServicesError
from trialsite.services.identity import birth, command_line, give_to_servers, server_identity
from trialsite.services.layout import Layout
from trialsite.services.roles import LOGIN_ROLES, prepare_cluster, prepare_database
from trialsite.services.waiting import wait_until

SERVER_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
IN_MEMORY = ("tmpfs", "ramfs")


class PostgresError(ServicesError):
    """The embedded PostgreSQL could not be made or reached; the message says why and what to do."""


class Postgres:
    """The PostgreSQL of one var/."""

    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: open transactions are rolled back, then a clean stop
    grace = 60.0

    def __init__(self, layout: Layout, programs: Programs) -> None:
        self.layout = layout
        self.programs = programs
        self.data = layout.postgres_data

    def prepare_start(self) -> None:
        """Make the data folder when there is none, and put away what a crash left behind."""
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._stop_leftover()
        self._clear_stale_locks()

    def command(self) -> list[str]:
        """The command line of the server; it stays in the foreground.

        What it logs holds no statements and no row contents: an arm could be among them.
        """
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.layout.sockets),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
            "fsync": "off" if _in_memory(self.data) else "on",
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [str(self.programs.postgres / "postgres"), "-D", str(self.data), *settings]

    def is_up(self) -> bool:
        """Whether a connection succeeds now.

        Raises PostgresError when the server answers but does not know the password.
        """
        try:
            with self._connect():
                return True
        except psycopg.OperationalError as refusal:
            if "password authentication failed" not in str(refusal):
                return False
            raise PostgresError(
                f"The server in {self.data} was made with other passwords than {self.layout.credentials} "
                "holds. Put the old file back, or start over with `make reset-demo`."
            ) from refusal

    def prepare_roles(self) -> None:
        """Create or correct the roles and the database; may be repeated."""
        known = passwords(self.layout.credentials)
        with self._connect() as connection:
            prepare_cluster(connection, {role: known[f"database-{role}"] for role in LOGIN_ROLES})
            prepare_database(connection, DATABASE)

    def _connect(self) -> psycopg.Connection:
        url = database_url("postgres", "postgres", self.layout)
        return psycopg.connect(url, autocommit=True, connect_timeout=5)

    def _initialise(self) -> None:
        """initdb into another folder and rename it, so that a killed one leaves nothing half-made."""
        draft = self.data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.data.with_name("first-password")
        password_file.write_text(passwords(self.layout.credentials)["database-postgres"])
        give_to_servers(password_file)
        try:
            self._initdb(draft, password_file)
        finally:
            password_file.unlink()
        if self.data.exists():
            self.data.rmdir()  # only ever an empty folder: a filled one would have PG_VERSION
        draft.rename(self.data)

    def _initdb(self, folder: Path, password_file: Path) -> None:
        command = [
            str(self.programs.postgres / "initdb"),
            f"--pgdata={folder}",
            "--username=postgres",
            f"--pwfile={password_file}",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--auth-local=scram-sha-256",
            "--auth-host=scram-sha-256",
        ]
        done = subprocess.run(  # noqa: S603 - the program of the wheel, words of our own
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=SERVER_ENVIRONMENT,
            umask=0o077,
            **server_identity(),
        )
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise PostgresError(f"initdb of {folder} failed: {done.stderr.strip() or done.stdout.strip()}")

    def _postmaster(self) -> int | None:
        """The number of a living postmaster of this data folder, whatever its pid file claims."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None
        return pid if f" -D {self.data} " in command_line(pid) else None

    def _stop_leftover(self) -> None:
        """Stop a postmaster whose supervisor was killed; its next start is under our eyes."""
        pid = self._postmaster()
        if pid is None:
            return
        born = birth(pid)
        os.kill(pid, self.stop_signal)
        if not wait_until(lambda: birth(pid) != born, self.grace):
            raise PostgresError(f"The PostgreSQL of {self.data} (process {pid}) did not stop in {self.grace:.0f} s.")

    def _clear_stale_locks(self) -> None:
        """Let a pid file whose number now belongs to a stranger not stop the start.

        The file is not deleted: PostgreSQL still reads from it which shared memory to check for survivors of
        the old server. It takes the number of its own parent, which is this process, for a stale one.
        """
        pid_file = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError):
            lines = pid_file.read_text().splitlines(keepends=True)
            pid_file.write_text(f"{os.getpid()}\n" + "".join(lines[1:]))
        for lock in self.layout.sockets.glob(".s.PGSQL.*"):
            lock.unlink()


def _in_memory(folder: Path) -> bool:
    """Whether the folder is on a file system in memory, where fsync protects nothing."""
    try:
        mounts = Path("/proc/self/mounts").read_text().splitlines()
    except FileNotFoundError:
        return False
    places = [(line.split()[1], line.split()[2]) for line in mounts]
    inside = [(place, kind) for place, kind in places if folder.is_relative_to(place)]
    return max(inside, key=lambda entry: len(entry[0]))[1] in IN_MEMORY
