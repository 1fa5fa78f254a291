"""SIGKILL, reboot and power cut: nothing acknowledged is lost and the next start needs nobody's hands."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from trialsite.services.connection import database_url, redis_url
from trialsite.services.identity import birth, server_identity
from trialsite.services.layout import CHECKOUT, Layout
from trialsite.services.processes import read_record
from trialsite.services.servers import embedded_servers, remove_site
from trialsite.services.waiting import wait_until

HOLD = "from trialsite.services.__main__ import main; raise SystemExit(main(['hold']))"


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "var"
    yield place
    remove_site(Layout(place.resolve()))


def pid_of(layout: Layout, name: str) -> int:
    return next(entry.pid for entry in read_record(layout.running) if entry.name == name)


def kill_and_wait(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: birth(pid) is None, 10)


def numbers(layout: Layout) -> set[int]:
    with psycopg.connect(database_url("owner", layout=layout)) as connection:
        return {row[0] for row in connection.execute("SELECT n FROM entry")}


def enter_until_the_server_dies(url: str, writer: int, acknowledged: list[int]) -> None:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as connection:
        for n in range(writer, 10**9, 4):
            connection.execute("INSERT INTO entry VALUES (%s)", [n])
            acknowledged.append(n)


def test_a_killed_postgres_under_entry_loses_nothing_acknowledged_and_starts_again(var: Path) -> None:
    acknowledged: list[int] = []
    with embedded_servers(var) as layout:
        url = database_url("owner", layout=layout)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE entry (n int PRIMARY KEY)")
        writers = [
            threading.Thread(target=enter_until_the_server_dies, args=(url, writer, acknowledged))
            for writer in range(4)
        ]
        for writer in writers:
            writer.start()
        assert wait_until(lambda: len(acknowledged) > 200, 30)
        kill_and_wait(pid_of(layout, "postgres"))
        for writer in writers:
            writer.join()
    with embedded_servers(var) as layout:
        assert numbers(layout) >= set(acknowledged)


def test_a_killed_valkey_keeps_the_messages_in_its_queues(var: Path) -> None:
    with embedded_servers(var) as layout:
        with redis.Redis.from_url(redis_url("app", layout)) as broker:
            for n in range(100):
                broker.lpush("unblinded", n)
        time.sleep(1.1)  # appendfsync is every second: that much a power cut may take
        kill_and_wait(pid_of(layout, "valkey"))
    with embedded_servers(var) as layout, redis.Redis.from_url(redis_url("unblinded", layout)) as broker:
        assert broker.llen("unblinded") == 100


def test_a_stale_pid_file_whose_number_belongs_to_a_stranger_does_not_stop_the_start(var: Path) -> None:
    """The stranger runs as the servers' own user: the case in which PostgreSQL itself refuses to start."""
    with embedded_servers(var) as layout:
        with psycopg.connect(database_url("owner", layout=layout)) as connection:
            connection.execute("CREATE TABLE entry (n int)")
        pid_file = layout.postgres_data / "postmaster.pid"
        kill_and_wait(pid_of(layout, "postgres"))
    stranger = subprocess.Popen(["/bin/sleep", "600"], cwd="/", **server_identity())
    try:
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        for lock in layout.sockets.glob("*.lock"):
            lock.write_text(f"{stranger.pid}\n")
        with embedded_servers(var) as layout:
            assert numbers(layout) == set()
            assert stranger.poll() is None, "the stranger is left alone"
    finally:
        stranger.kill()
        stranger.wait()


def test_two_postmasters_never_run_in_one_data_folder(var: Path) -> None:
    """A postmaster that nobody has a record of is stopped first, never joined."""
    with hold_servers(var) as holder:
        layout = Layout(var.resolve())
        postmaster = pid_of(layout, "postgres")
        guard = guard_of(layout)
        os.kill(guard, signal.SIGKILL)
        holder.kill()
        holder.wait()
        assert birth(postmaster)
        layout.running.unlink()
    with embedded_servers(var) as layout:
        assert birth(postmaster) is None
        assert pid_of(layout, "postgres") != postmaster


def guard_of(layout: Layout) -> int:
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (path / "cmdline").read_text().split("\0") if path.name.isdigit() else []
            if "trialsite.services.guard" in words and str(layout.running) in words:
                return int(path.name)
    pytest.fail("no guard watches this place")


@contextlib.contextmanager
def hold_servers(var: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs the servers of `var`, as `make demo` does."""
    environment = os.environ | {"TRIALSITE_VAR": str(var)}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert "are up" in holder.stdout.readline()
        yield holder
    finally:
        holder.kill()
        holder.communicate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_whatever_ends_the_supervisor_ends_the_servers(var: Path, number: signal.Signals) -> None:
    with hold_servers(var) as holder:
        layout = Layout(var.resolve())
        pids = [entry.pid for entry in read_record(layout.running)]
        assert len(pids) == 2
        holder.send_signal(number)
        assert wait_until(lambda: not any(birth(pid) for pid in pids), 30)
    with embedded_servers(var) as layout, psycopg.connect(database_url("app", layout=layout)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_everything_killed_at_once_needs_no_repair(var: Path) -> None:
    """What a power cut leaves: the files as they are, no process, no goodbye."""
    with hold_servers(var) as holder:
        layout = Layout(var.resolve())
        with psycopg.connect(database_url("owner", layout=layout), autocommit=True) as connection:
            connection.execute("CREATE TABLE entry (n int)")
            connection.execute("INSERT INTO entry VALUES (1)")
            pids = [guard_of(layout), *(entry.pid for entry in read_record(layout.running))]
            for pid in (*pids, holder.pid):
                os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not any(birth(pid) for pid in pids), 10)
    with embedded_servers(var) as layout:
        assert numbers(layout) == {1}


def test_a_killed_first_start_leaves_nothing_half_made(var: Path) -> None:
    """initdb works in a folder of another name; a half-made one from a killed start is thrown away."""
    layout = Layout(var.resolve())
    for folder in dict.fromkeys([layout.var, layout.server_home]):
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    identity = server_identity()
    half = layout.postgres_data.with_name("postgres.new")
    half.mkdir(mode=0o700)
    (half / "PG_VERSION").write_text("18\n")
    if identity:
        os.chown(layout.server_home, identity["user"], identity["group"])
    with embedded_servers(var) as layout, psycopg.connect(database_url("app", layout=layout)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not half.exists()
