"""The embedded servers: who may enter, by which way, and what each account may do."""

from __future__ import annotations

import contextlib
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trialsite.services import layout as layout_module
from trialsite.services import servers as servers_module
from trialsite.services.connection import broker_url, database_url, redis_url
from trialsite.services.credentials import BROKER_ROLES, DATABASE_ROLES, passwords
from trialsite.services.layout import LONGEST_SOCKET_FOLDER, Layout, UnsafeFolderError
from trialsite.services.processes import read_record
from trialsite.services.roles import KEEPER_ROLES, LOGIN_ROLES
from trialsite.services.servers import embedded_servers, remove_site


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    with embedded_servers(tmp_path_factory.mktemp("site") / "var") as layout:
        yield layout
    remove_site(layout)


def connect(layout: Layout, role: str, database: str = "trialsite") -> psycopg.Connection:
    return psycopg.connect(database_url(role, database, layout), autocommit=True)


def broker(layout: Layout, role: str) -> redis.Redis[bytes]:
    return redis.Redis.from_url(redis_url(role, layout))


@pytest.mark.parametrize("role", DATABASE_ROLES)
def test_each_role_reaches_the_database_by_its_printed_address(servers: Layout, role: str) -> None:
    with connect(servers, role) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (role,)


@pytest.mark.parametrize("role", KEEPER_ROLES)
def test_the_keepers_cannot_log_in(servers: Layout, role: str) -> None:
    with connect(servers, "postgres") as connection:
        row = connection.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    assert row == (False,)
    with pytest.raises(ValueError, match="no database role"):
        database_url(role)


def test_no_role_of_the_site_is_more_than_it_must_be(servers: Layout) -> None:
    with connect(servers, "postgres") as connection:
        rows = connection.execute(
            "SELECT rolname, rolcreatedb FROM pg_roles WHERE rolname = ANY(%s)"
            " AND NOT (rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls)",
            [[*LOGIN_ROLES, *KEEPER_ROLES]],
        ).fetchall()
    assert dict(rows) == {role: role == "owner" for role in (*LOGIN_ROLES, *KEEPER_ROLES)}


def test_only_the_owner_may_become_a_keeper_and_only_knowingly(servers: Layout) -> None:
    with connect(servers, "postgres") as connection:
        memberships = connection.execute(
            "SELECT member::regrole::text, roleid::regrole::text, inherit_option, set_option, admin_option"
            " FROM pg_auth_members WHERE member::regrole::text = ANY(%s)",
            [[*LOGIN_ROLES, *KEEPER_ROLES]],
        ).fetchall()
    assert sorted(memberships) == [("owner", keeper, False, True, False) for keeper in sorted(KEEPER_ROLES)]


@pytest.mark.parametrize("role", ["app", "unblinded", "auditor"])
@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE concealer",
        "SET ROLE owner",
        "SET SESSION AUTHORIZATION postgres",
        "CREATE TEMP TABLE t (x int)",
        "CREATE SCHEMA own",
        "CREATE TABLE public.t (x int)",
        "CREATE DATABASE other",
        "CREATE ROLE other",
        "ALTER ROLE app SUPERUSER",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('postmaster.pid')",
    ],
)
def test_a_serving_role_cannot_become_more(servers: Layout, role: str, statement: str) -> None:
    with connect(servers, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize("database", ["postgres", "template1"])
@pytest.mark.parametrize("role", ["app", "unblinded", "auditor"])
def test_a_serving_role_enters_no_other_database(servers: Layout, role: str, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect(servers, role, database)


def test_a_wrong_password_is_refused(servers: Layout) -> None:
    right = passwords(servers.credentials)["database-app"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(database_url("app", layout=servers).replace(right, "guess"))
    right = passwords(servers.credentials)["broker-app"]
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(redis_url("app", servers).replace(right, "guess")).ping()


def test_the_broker_has_no_nameless_user(servers: Layout) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(unix_socket_path=str(servers.valkey_socket), retry=Retry(NoBackoff(), 0)).ping()


def test_the_servers_listen_on_unix_sockets_only(servers: Layout) -> None:
    """Oracle: the kernel's table of listening sockets, by the inodes that the two servers hold."""
    entries = read_record(servers.running)
    assert {entry.name for entry in entries} == {"postgres", "valkey"}
    for entry in entries:
        held = set()
        for link in Path(f"/proc/{entry.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                held.add(str(link.readlink()))
        for table in ("tcp", "tcp6"):
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            listening = {f"socket:[{line.split()[9]}]" for line in lines if line.split()[3] == "0A"}
            assert not held & listening, entry.name


def test_nobody_else_may_enter_the_folders_or_read_the_passwords(servers: Layout) -> None:
    for path in (servers.sockets, servers.postgres_data, servers.valkey_data):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    assert stat.S_IMODE(servers.credentials.stat().st_mode) == 0o600


def test_every_role_has_a_password_of_its_own(servers: Layout) -> None:
    known = passwords(servers.credentials)
    assert len(set(known.values())) == len(known) == len(DATABASE_ROLES) + len(BROKER_ROLES)
    assert min(map(len, known.values())) >= 32


def test_the_server_keeps_no_password_that_can_be_read(servers: Layout) -> None:
    with connect(servers, "postgres") as connection:
        rows = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolcanlogin").fetchall()
    assert len(rows) == len(DATABASE_ROLES)
    assert all(row[0].startswith("SCRAM-SHA-256$") for row in rows)
    acl = (servers.valkey_data / "accounts.acl").read_text()
    assert not any(password in acl for password in passwords(servers.credentials).values())


def test_the_data_are_flushed_to_disk_and_checksummed(servers: Layout) -> None:
    with connect(servers, "postgres") as connection:
        assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
        in_memory = str(servers.postgres_data).startswith("/dev/shm")  # noqa: S108 - a mount, not a file
        assert connection.execute("SHOW fsync").fetchone() == ("off" if in_memory else "on",)


def test_the_log_of_the_server_holds_neither_statements_nor_rows(servers: Layout) -> None:
    with connect(servers, "owner") as connection:
        connection.execute("CREATE TABLE told (arm text CHECK (arm <> 'ketamine'))")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("INSERT INTO told VALUES ('ketamine')")
        connection.execute("DROP TABLE told")
    log = (servers.logs / "postgres.log").read_text()
    assert "violates check constraint" in log
    assert "ketamine" not in log


WAYS_TO_A_MESSAGE = [
    ("RPOP", "unblinded"),
    ("BRPOP", "unblinded", "1"),
    ("LRANGE", "unblinded", "0", "-1"),
    ("LINDEX", "unblinded", "0"),
    ("COPY", "unblinded", "blinded"),
    ("LMOVE", "unblinded", "blinded", "LEFT", "LEFT"),
    ("RPOPLPUSH", "unblinded", "blinded"),
    ("RENAME", "unblinded", "blinded"),
    ("DUMP", "unblinded"),
    ("SORT", "unblinded", "BY", "nosort"),
    ("DEL", "unblinded"),
    ("HGETALL", "unblinded.unacked"),
    ("HGET", "unblinded.unacked", "tag"),
    ("EVAL", "return redis.call('RPOP', KEYS[1])", "1", "unblinded"),
    ("MONITOR",),
    ("CLIENT", "LIST"),
    ("KEYS", "*"),
    ("SCAN", "0"),
    ("CONFIG", "GET", "*"),
    ("ACL", "LIST"),
    ("SUBSCRIBE", "anything"),
    ("SAVE",),
    ("FLUSHALL",),
]


@pytest.mark.parametrize("command", WAYS_TO_A_MESSAGE, ids=" ".join)
@pytest.mark.parametrize("account", ["app", "beat"])
def test_the_blinded_side_cannot_take_or_see_a_message_of_the_unblinded_queue(
    servers: Layout, account: str, command: tuple[str, ...]
) -> None:
    with broker(servers, "keeper") as keeper:
        keeper.delete("unblinded")
    with broker(servers, account) as connection:
        connection.lpush("unblinded", "message")  # so that there is something to see
        with pytest.raises(redis.exceptions.NoPermissionError):
            connection.execute_command(*command)
    with broker(servers, "keeper") as keeper:
        assert keeper.lrange("unblinded", 0, -1) == [b"message"]


def test_a_script_gives_the_blinded_side_no_more_than_its_commands(servers: Layout) -> None:
    with broker(servers, "app") as connection:
        connection.lpush("unblinded", "message")
        with pytest.raises(redis.exceptions.ResponseError, match="No permissions"):
            connection.register_script("return redis.call('RPOP', 'unblinded')")()


def test_the_unblinded_side_cannot_put_anything_where_the_blinded_side_reads(servers: Layout) -> None:
    with broker(servers, "unblinded") as connection:
        for key in ("blinded", "blinded.unacked", "messages", "anything"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                connection.lpush(key, "message")


def test_celery_gets_the_same_address_in_its_own_spelling() -> None:
    assert broker_url("unix://app:pw@/run/v.sock?db=0") == "redis+socket://app:pw@/run/v.sock?virtual_host=0"
    assert broker_url("redis://app:pw@redis:6379/0") == "redis://app:pw@redis:6379/0"


def test_a_socket_folder_is_short_however_deep_the_checkout_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout_module, "runs_as_root", lambda: False)
    deep = Layout(Path("/home/somebody") / ("a" * 50) / ("b" * 50) / "var")
    assert len(str(deep.sockets)) <= LONGEST_SOCKET_FOLDER
    assert Layout(Path("/home/somebody/trial/var")).sockets == Path("/home/somebody/trial/var/sockets")
    with socket.socket(socket.AF_UNIX) as probe, pytest.raises(OSError, match="too long"):
        probe.bind(str(deep.var / "sockets" / "s"))


def test_two_checkouts_never_share_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Layout(Path("/srv/one/var")), Layout(Path("/srv/other/var"))
    for as_root in (True, False):
        monkeypatch.setattr(layout_module, "runs_as_root", lambda as_root=as_root: as_root)
        assert one.server_home != other.server_home
        assert one.sockets != other.sockets


def test_a_folder_for_sockets_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "var")
    layout.var.mkdir()
    layout.sockets.mkdir(parents=True, mode=0o755)
    layout.sockets.chmod(0o755)
    try:
        with pytest.raises(UnsafeFolderError, match="0700"), embedded_servers(layout.var):
            pytest.fail("servers started in a folder that others may enter")
        assert stat.S_IMODE(layout.sockets.stat().st_mode) == 0o755, "nobody's folders are changed"
    finally:
        shutil.rmtree(layout.server_home, ignore_errors=True)


def test_a_shared_home_that_somebody_else_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root the homes lie below one folder; whoever owned it could exchange what is in it."""
    if not layout_module.runs_as_root():
        pytest.skip("only root keeps servers apart from var/")
    home = tmp_path / "home"
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    monkeypatch.setattr(layout_module, "ROOT_HOME", home)
    with pytest.raises(UnsafeFolderError, match="0755"), embedded_servers(tmp_path / "var"):
        pytest.fail("servers started below a folder that others may write")
    assert list(home.iterdir()) == []


def test_data_of_a_temporary_place_that_is_gone_are_swept_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setattr(servers_module, "ROOT_HOME", home)
    monkeypatch.setattr(servers_module, "MEMORY_HOME", tmp_path / "nothing")
    living = tmp_path / "living"
    living.mkdir()
    unmounted = Path("/mnt/checkout-on-a-disk-that-is-away/var")
    for name, var in (("gone", tmp_path / "gone"), ("living", living), ("unmounted", unmounted)):
        (home / name).mkdir(parents=True)
        (home / name / "belongs-to").write_text(str(var))
    servers_module._sweep_homes()
    assert sorted(path.name for path in home.iterdir()) == ["living", "unmounted"]
