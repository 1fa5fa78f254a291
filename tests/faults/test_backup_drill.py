"""The drill: everything is lost, a backup and its key are left. Oracle: the rows and files as they were."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsite.services.backup.archive import Manifest, Site, read_backup, write_backup
from trialsite.services.backup.encryption import (
    CHUNK,
    BackupError,
    DecryptingReader,
    EncryptingWriter,
    backup_key,
)
from trialsite.services.binaries import programs
from trialsite.services.connection import database_url
from trialsite.services.layout import CHECKOUT, Layout
from trialsite.services.servers import embedded_servers, remove_site

KEY = bytes(range(32))
CLOSED_RESULT = b'{"crossed": false}'
# A small trial with what makes the real one hard to restore: keepers as owners, grants per role, a function
# that acts as the keeper, change numbers, and values whose text depends on the settings of the session.
SMALL_TRIAL = """
CREATE SCHEMA concealed AUTHORIZATION concealer;
CREATE SCHEMA audit AUTHORIZATION recorder;
GRANT USAGE ON SCHEMA public TO app, unblinded;
CREATE TABLE entry (id int PRIMARY KEY, value float8, at timestamptz, changed_in bigint, scan bytea);
GRANT SELECT, INSERT ON entry TO app;
INSERT INTO entry
    SELECT n, n / 3.0, now(), pg_current_xact_id()::text::bigint, decode(md5(n::text), 'hex')
    FROM generate_series(1, 5000) n;
SET ROLE concealer;
GRANT USAGE ON SCHEMA concealed TO unblinded;
CREATE TABLE concealed.assignment (entry_id int PRIMARY KEY, arm text);
INSERT INTO concealed.assignment SELECT n, CASE n % 2 WHEN 0 THEN 'ketamine' ELSE 'placebo' END
    FROM generate_series(1, 5000) n;
CREATE FUNCTION concealed.arm(int) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
    AS 'SELECT arm FROM concealed.assignment WHERE entry_id = $1';
REVOKE EXECUTE ON FUNCTION concealed.arm FROM PUBLIC;
GRANT EXECUTE ON FUNCTION concealed.arm TO unblinded;
RESET ROLE;
SET ROLE recorder;
CREATE TABLE audit.event (id int, old jsonb);
INSERT INTO audit.event VALUES (1, '{"value": 0.1}');
RESET ROLE;
"""


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Two places for servers: the one that is lost and the empty one."""
    yield tmp_path / "lost", tmp_path / "empty"
    for name in ("lost", "empty"):
        remove_site(Layout((tmp_path / name).resolve()))


def site(layout: Layout) -> Site:
    folders = {"cuts": layout.var / "cuts", "closed": layout.var / "closed"}
    return Site(database_url("postgres", layout=layout), folders, programs().postgres)


def fill(layout: Layout) -> None:
    with psycopg.connect(database_url("owner", layout=layout), autocommit=True) as owner:
        owner.execute(SMALL_TRIAL)
    cut = layout.var / "cuts" / "cut-1"
    cut.mkdir(parents=True)
    (cut / "entry.parquet").write_bytes(os.urandom(3 * CHUNK + 17))
    (layout.var / "closed").mkdir()
    (layout.var / "closed" / "result.json").write_bytes(CLOSED_RESULT)
    (layout.var / "closed" / "result.json").chmod(0o600)


def back_up(layout: Layout) -> tuple[bytes, Manifest]:
    stream = io.BytesIO()
    manifest = write_backup(site(layout), stream, KEY)
    return stream.getvalue(), manifest


def test_an_empty_server_gets_back_every_row_and_file_and_keeps_the_blind(places: tuple[Path, Path]) -> None:
    lost, empty = places
    with embedded_servers(lost) as layout:
        with psycopg.connect(database_url("owner", layout=layout), autocommit=True) as owner:
            for _ in range(3000):  # an old server's transactions have high numbers
                owner.execute("SELECT pg_current_xact_id()")
        fill(layout)
        parquet = (layout.var / "cuts" / "cut-1" / "entry.parquet").read_bytes()
        with psycopg.connect(database_url("owner", layout=layout)) as owner:
            rows = owner.execute("SELECT * FROM entry ORDER BY id").fetchall()
        stream, manifest = back_up(layout)
    with embedded_servers(empty) as layout:
        assert read_backup(site(layout), io.BytesIO(stream), KEY) == manifest
        assert (layout.var / "cuts" / "cut-1" / "entry.parquet").read_bytes() == parquet
        assert (layout.var / "closed" / "result.json").stat().st_mode & 0o777 == 0o600
        with psycopg.connect(database_url("owner", layout=layout)) as owner:
            assert owner.execute("SELECT * FROM entry ORDER BY id").fetchall() == rows
        check_blind(layout)
        check_nothing_is_held_back(layout)


def check_blind(layout: Layout) -> None:
    with psycopg.connect(database_url("app", layout=layout), autocommit=True) as app:
        for statement in ("TABLE concealed.assignment", "SELECT concealed.arm(1)", "TABLE audit.event"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)
    with psycopg.connect(database_url("unblinded", layout=layout), autocommit=True) as unblinded:
        assert unblinded.execute("SELECT concealed.arm(2)").fetchone() == ("ketamine",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            unblinded.execute("TABLE concealed.assignment")


def check_nothing_is_held_back(layout: Layout) -> None:
    """What "changed since" asks: restored rows lie below the oldest running transaction of the new server."""
    with psycopg.connect(database_url("app", layout=layout)) as app:
        row = app.execute(
            "SELECT count(*) FROM entry WHERE changed_in < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
        ).fetchone()
    assert row == (5000,)


def test_a_backup_shows_nothing_to_who_has_no_key(places: tuple[Path, Path]) -> None:
    with embedded_servers(places[0]) as layout:
        fill(layout)
        stream, _ = back_up(layout)
        again, _ = back_up(layout)
    assert not any(word in stream for word in (b"ketamine", b"concealed", b"PGDMP", b"ustar", CLOSED_RESULT))
    assert stream[:64] != again[:64], "each backup has its own salt"
    with pytest.raises(BackupError, match="key is another one"):
        DecryptingReader(io.BytesIO(stream), bytes(32)).read(1)


def test_a_target_that_is_not_empty_is_left_as_it_is(places: tuple[Path, Path]) -> None:
    with embedded_servers(places[0]) as layout:
        fill(layout)
        stream, _ = back_up(layout)
        with pytest.raises(BackupError, match="already has 3 tables"):
            read_backup(site(layout), io.BytesIO(stream), KEY)
        assert (layout.var / "closed" / "result.json").read_bytes() == CLOSED_RESULT


def test_a_damaged_backup_restores_nothing(places: tuple[Path, Path]) -> None:
    """One bit, and nothing is left behind half-restored; the whole backup then still fits."""
    lost, empty = places
    with embedded_servers(lost) as layout:
        fill(layout)
        stream, _ = back_up(layout)
    damaged = bytearray(stream)
    damaged[200] ^= 1
    with embedded_servers(empty) as layout:
        with pytest.raises(BackupError, match="changed or cut short"):
            read_backup(site(layout), io.BytesIO(bytes(damaged)), KEY)
        with psycopg.connect(database_url("postgres", layout=layout)) as connection:
            assert connection.execute("SELECT to_regclass('public.entry')").fetchone() == (None,)
        assert not [path for path in (layout.var / "cuts").iterdir() if path.name != ".restoring"]
        read_backup(site(layout), io.BytesIO(stream), KEY)


def encrypted(plain: bytes, piece: int) -> bytes:
    stream = io.BytesIO()
    writer = EncryptingWriter(stream, KEY)
    for start in range(0, len(plain), piece):
        writer.write(plain[start : start + piece])
    writer.close()
    return stream.getvalue()


def decrypted(stream: bytes) -> bytes:
    reader = DecryptingReader(io.BytesIO(stream), KEY)
    plain = b"".join(iter(lambda: reader.read(700_001), b""))
    reader.finish()
    return plain


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_goes_into_the_stream_comes_out(size: int) -> None:
    plain = os.urandom(size)
    for piece in (10_240, CHUNK, 5 * CHUNK):
        assert decrypted(encrypted(plain, piece)) == plain


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_single_bit_can_be_changed_unnoticed(data: st.DataObject) -> None:
    stream = bytearray(encrypted(b"x" * 3000, 10_240))
    stream[data.draw(st.integers(0, len(stream) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BackupError):
        decrypted(bytes(stream))


def test_a_stream_without_its_end_or_with_chunks_exchanged_is_refused() -> None:
    stream = encrypted(os.urandom(3 * CHUNK), CHUNK)
    header, frame = 35, 4 + CHUNK + 16
    frames = [stream[header + n * frame : header + (n + 1) * frame] for n in range(3)]
    assert decrypted(stream[:header] + b"".join(frames))
    for forged in (frames[:2], frames[:1], [], [frames[1], frames[0], frames[2]], [frames[0], frames[2]]):
        with pytest.raises(BackupError):
            decrypted(stream[:header] + b"".join(forged))


@pytest.mark.parametrize("value", ["", "short", base64.b64encode(bytes(16)).decode(), "€" * 44])
def test_a_missing_or_short_key_is_refused_with_what_to_do(value: str) -> None:
    with pytest.raises(BackupError, match="openssl rand -base64 32"):
        backup_key({"TRIALSITE_BACKUP_KEY": value})


def test_the_key_may_be_a_file_and_either_spelling_of_base64(tmp_path: Path) -> None:
    key = b"\xfb\xff" * 16
    (tmp_path / "key").write_text(base64.b64encode(key).decode() + "\n")
    assert backup_key({"TRIALSITE_BACKUP_KEY_FILE": str(tmp_path / "key")}) == key
    assert backup_key({"TRIALSITE_BACKUP_KEY": base64.urlsafe_b64encode(key).decode()}) == key


def manage(layout: Layout, *words: str) -> subprocess.CompletedProcess[str]:
    role = "owner" if words[0] == "migrate" else "app"
    own = {
        "TRIALSITE_VAR": str(layout.var),
        "DB_ROLE": role,
        "DATABASE_URL": database_url(role, layout=layout),
    }
    key = {"TRIALSITE_BACKUP_KEY": base64.b64encode(KEY).decode()}
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(
        command, cwd=CHECKOUT, env=os.environ | own | key, capture_output=True, text=True, check=False
    )


def test_the_commands_bring_the_real_tables_into_an_empty_server(places: tuple[Path, Path]) -> None:
    lost, empty = places
    with embedded_servers(lost) as layout:
        migrated = manage(layout, "migrate", "--no-input", "--verbosity=0")
        assert migrated.returncode == 0, migrated.stderr
        file = layout.var / "site.backup"
        done = manage(layout, "backup", str(file))
        assert done.returncode == 0, done.stderr
        assert file.stat().st_mode & 0o777 == 0o600
        assert "never replaces" in manage(layout, "backup", str(file)).stderr
        with embedded_servers(empty) as other:
            done = manage(other, "restore", str(file))
            assert done.returncode == 0, done.stderr
            assert "all equal to the backup" in done.stdout
            assert "No migrations to apply" in manage(other, "migrate").stdout
            with psycopg.connect(database_url("app", layout=other), autocommit=True) as app:
                tables = app.execute(
                    "SELECT count(*), bool_or(has_table_privilege('app', oid, 'SELECT, INSERT, UPDATE'))"
                    " FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text = 'concealed'"
                ).fetchone()
    assert tables is not None
    assert tables[0] > 0
    assert tables[1] is False
