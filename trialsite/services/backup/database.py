"""Dumping, fingerprinting and restoring one database with PostgreSQL's own programs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from trialsite.services.backup.encryption import BackupError

PIECE = 4 << 20
# What a row looks like as text must not depend on who asks.
PLAIN_TEXT = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'"
VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
}


@contextlib.contextmanager
def snapshot(url: str) -> Iterator[tuple[psycopg.Connection, str]]:
    """A connection inside one repeatable-read snapshot, and the name by which others may join it."""
    with psycopg.connect(url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None  # noqa: S101 - the function returns one row
        yield connection, row[0]


def next_transaction(connection: psycopg.Connection) -> int:
    """The number below which all transactions of this snapshot lie."""
    row = connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetchone()
    return int(row[0]) if row else 0


def table_names(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Schema and name of every table, in order; empty in a new database."""
    rows = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
        " AND n.nspname !~ '^pg_temp' ORDER BY 1, 2"
    )
    return [(row[0], row[1]) for row in rows]


def fingerprints(connection: psycopg.Connection) -> dict[str, str]:
    """For each table its number of rows and the sum of its rows' SHA-256, each cut to 60 bits."""
    for setting in PLAIN_TEXT.split("; "):
        connection.execute(setting)
    query = sql.SQL(
        "SELECT count(*), coalesce(sum(('x' || left(encode(sha256(convert_to(t::text, 'UTF8')), 'hex'), 15))"
        "::bit(60)::bigint), 0)::text FROM {} t"
    )
    found = {}
    for schema, name in table_names(connection):
        row = connection.execute(query.format(sql.Identifier(schema, name))).fetchone()
        assert row is not None  # noqa: S101 - an aggregate returns one row
        found[f"{schema}.{name}"] = f"{row[0]} rows, {row[1]}"
    return found


def dump(programs: Path, url: str, snapshot_name: str) -> Iterator[bytes]:
    """The database as pg_dump's custom format, in pieces of at most PIECE bytes; nothing touches the disk."""
    command = [
        str(programs / "pg_dump"),
        "--format=custom",
        f"--snapshot={snapshot_name}",
    ]
    with _program(command, url, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        while piece := process.stdout.read(PIECE):
            yield piece


@contextlib.contextmanager
def restoring(programs: Path, url: str) -> Iterator[IO[bytes]]:
    """Something to write a dump to; all of it arrives in the database, or nothing."""
    database = f"--dbname={conninfo_to_dict(url)['dbname']}"
    command = [str(programs / "pg_restore"), "--exit-on-error", "--single-transaction", database]
    with _program(command, url, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(BrokenPipeError):  # its exit code and its words say why
            yield process.stdin
            process.stdin.close()


@contextlib.contextmanager
def _program(command: list[str], url: str, **pipes: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program of PostgreSQL; its password is not on the command line, which everybody can read."""
    settings = {VARIABLES[name]: str(value) for name, value in conninfo_to_dict(url).items() if name in VARIABLES}
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, env=os.environ | settings, stderr=words, **pipes)  # type: ignore[call-overload]  # noqa: S603
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
            process.wait()
        if process.returncode:
            words.seek(0)
            raise BackupError(f"{Path(command[0]).name} failed: {words.read().decode(errors='replace').strip()}")


def pass_transaction_number(connection: psycopg.Connection, number: int) -> None:
    """Use up transaction numbers until `number` is behind us.

    Rows carry the number of the transaction that changed them last, and "changed since" hands out only what
    lies below the running ones: on a new server, whose numbers are low, restored rows would be held back.
    """
    connection.execute("SET synchronous_commit = off")
    connection.execute(
        sql.SQL("DO $$ BEGIN WHILE pg_current_xact_id()::text::bigint < {} LOOP COMMIT; END LOOP; END $$").format(
            sql.Literal(number)
        )
    )
