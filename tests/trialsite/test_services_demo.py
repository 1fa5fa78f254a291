"""The demo's runner: what it does once, what again, and what it never touches."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from trialsite import demo
from trialsite.demo import DemoError, DemoRecord, Step, run_steps
from trialsite.services import site
from trialsite.services.connection import database_url
from trialsite.services.identity import birth
from trialsite.services.layout import CHECKOUT, Layout
from trialsite.services.processes import ProcessDiedError, Supervisor, read_record
from trialsite.services.servers import embedded_servers, remove_site, start_servers
from trialsite.services.site import (
    OWN_TO_A_PROCESS,
    PortTakenError,
    SiteProcess,
    environment,
    refuse_taken_ports,
    site_processes,
)
from trialsite.services.waiting import wait_until


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    found = Layout((tmp_path / "var").resolve())
    found.var.mkdir()
    monkeypatch.setenv("TRIALSITE_VAR", str(found.var))
    # Steps of these tests are words for the interpreter instead of for manage.py.
    monkeypatch.setattr(demo, "MANAGE", (sys.executable, "-S"))
    yield found
    remove_site(found)


def once(code: str) -> Step:
    return Step("a step", ("-c", code), "app")


def note(layout: Layout, word: str) -> str:
    return f"open({str(layout.var / 'notes')!r}, 'a').write({word!r})"


def notes(layout: Layout) -> str:
    return (layout.var / "notes").read_text()


def test_a_second_demo_repeats_only_what_must_be_repeated(layout: Layout) -> None:
    steps = [
        Step("each time", ("-c", note(layout, "M")), "owner", every_time=True),
        once(note(layout, "s")),
        once(note(layout, "t")),
    ]
    record = DemoRecord(layout.var / "demo.json")
    record.forget()
    for _ in range(2):
        with Supervisor(layout) as supervisor:
            run_steps(supervisor, steps, record)
    assert notes(layout) == "MstM"


def test_after_a_failed_step_the_next_demo_goes_on_with_that_step(layout: Layout) -> None:
    fail = once(note(layout, "f") + "; raise SystemExit('the protocol is unreadable')")
    record = DemoRecord(layout.var / "demo.json")
    record.forget()
    with Supervisor(layout) as supervisor:
        with pytest.raises(ProcessDiedError, match="the protocol is unreadable"):
            run_steps(supervisor, [once(note(layout, "a")), fail, once(note(layout, "z"))], record)
        with pytest.raises(ProcessDiedError):
            run_steps(supervisor, [once(note(layout, "a")), fail], record)
    assert notes(layout) == "aff"


def test_a_demo_interrupted_in_what_must_be_done_in_one_go_is_started_over(layout: Layout) -> None:
    record = DemoRecord(layout.var / "demo.json")
    record.forget()
    half = Step("half", ("-c", "raise SystemExit(1)"), "app", in_one_go=True)
    whole = Step(
        "whole", ("-c", "import os; assert 'synchronous_commit' in os.environ['DATABASE_URL']"), "app", in_one_go=True
    )
    with Supervisor(layout) as supervisor:
        start_servers(supervisor)
        with pytest.raises(ProcessDiedError):
            run_steps(supervisor, [once(note(layout, "a")), half], record)
        assert record.was_interrupted()
        run_steps(supervisor, [whole], record)
    assert not record.was_interrupted()


def test_a_step_runs_as_its_role_and_knows_no_other(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OWN_TO_A_PROCESS:
        monkeypatch.setenv(name, "somebody else's")
    code = f"import json, os; json.dump(dict(os.environ), open({str(layout.var / 'notes')!r}, 'w'))"
    with Supervisor(layout) as supervisor:
        run_steps(supervisor, [Step("a step", ("-c", code), "unblinded")], DemoRecord(layout.var / "demo.json"))
    found = json.loads(notes(layout))
    assert found["DB_ROLE"] == "unblinded"
    assert found["DATABASE_URL"].startswith("postgresql://unblinded:")
    assert found["REDIS_URL"].startswith("unix://unblinded:")
    assert not [value for value in found.values() if value == "somebody else's"]


def test_no_process_of_the_site_is_the_owner_or_the_superuser(layout: Layout) -> None:
    processes = site_processes(8000)
    assert {process.role for process in processes} == {"app", "unblinded"}
    for process in processes:
        found = environment(process.role, layout, broker_account=process.broker_account, door=process.door)
        other = "unblinded" if process.role == "app" else "app"
        assert f"//{other}:" not in found["DATABASE_URL"] + found["REDIS_URL"]


def test_a_database_that_is_no_demo_is_not_used(layout: Layout) -> None:
    record = DemoRecord(layout.var / "demo.json")
    with embedded_servers(layout.var):
        with psycopg.connect(database_url("owner", layout=layout), autocommit=True) as owner:
            owner.execute("CREATE TABLE public.django_migrations ()")
        with pytest.raises(DemoError, match="not a demo's"):
            record.claim(layout)
        with psycopg.connect(database_url("owner", layout=layout), autocommit=True) as owner:
            owner.execute("DROP TABLE public.django_migrations")
        record.claim(layout)
    assert record.path.exists()


def test_a_database_that_is_no_demo_is_not_removed(layout: Layout) -> None:
    layout.postgres_data.mkdir(parents=True)
    with pytest.raises(DemoError, match="not a demo's"):
        demo.reset(lambda _: None)
    assert layout.postgres_data.exists()


def test_a_demo_is_removed_with_all_its_data(layout: Layout) -> None:
    DemoRecord(layout.var / "demo.json").forget()
    layout.postgres_data.mkdir(parents=True)
    assert demo.reset(lambda _: None) == 0
    assert not layout.var.exists()
    assert not layout.server_home.exists()


def test_a_running_demo_is_not_removed(layout: Layout) -> None:
    DemoRecord(layout.var / "demo.json").forget()
    with Supervisor(layout), pytest.raises(DemoError, match=f"process {os.getpid()}"):
        demo.reset(lambda _: None)
    assert layout.var.exists()


@pytest.mark.parametrize("taken", [0, 1], ids=["the open door's", "the closed door's"])
def test_a_taken_port_is_named_with_what_to_do(taken: int, layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    port = demo.two_free_ports()
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", port + taken))
        somebody.listen()
        with pytest.raises(PortTakenError):
            refuse_taken_ports(port)
        assert demo.main(["--port", str(port)]) == 1
    words = capsys.readouterr().err
    assert f"Port {port + taken} is in use" in words
    assert "make demo PORT=" in words
    assert not layout.postgres_data.exists(), "nothing is begun before the ports are known to be free"


def test_ctrl_c_in_the_middle_of_a_step_stops_everything(layout: Layout) -> None:
    """The runner as `make demo` starts it, interrupted while the servers are up and a step runs."""
    code = (
        "import sys; from trialsite import demo; demo.MANAGE = (sys.executable, '-S'); "
        "demo.BEFORE_THE_SITE = (demo.Step('long', ('-c', 'import time; time.sleep(600)'), 'app'),); "
        "sys.exit(demo.main(['--port', sys.argv[1]]))"
    )
    runner = subprocess.Popen(
        [sys.executable, "-c", code, str(demo.two_free_ports())],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )

    def step_runs() -> bool:
        return any(entry.name == "step--c" for entry in read_record(layout.running))

    assert wait_until(step_runs, 60)
    entries = read_record(layout.running)
    assert {entry.name for entry in entries} == {"postgres", "valkey", "step--c"}
    runner.send_signal(signal.SIGINT)
    output, _ = runner.communicate(timeout=60)
    assert runner.returncode == 128 + signal.SIGINT
    assert output.endswith("Stopped.\n")
    assert not any(birth(entry.pid) for entry in entries)


def test_a_process_that_ends_by_itself_is_started_again_but_not_for_ever(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = SiteProcess("worker", [sys.executable, "-S", "-c", "print('began')"], "app", "app")
    monkeypatch.setattr(site, "site_processes", lambda _: [brief])
    said: list[str] = []
    with Supervisor(layout) as supervisor:
        supervisor.start(brief.name, brief.command, {})
        with pytest.raises(ProcessDiedError, match="worker ended by itself"):
            site.keep_running(supervisor, 8000, said.append)
        assert supervisor.tail("worker").split() == ["began"] * (1 + site.MOST_DEATHS)
    assert said == ["worker ended by itself; starting it again."] * site.MOST_DEATHS


def test_the_end_of_a_server_ends_the_demo(layout: Layout) -> None:
    with Supervisor(layout) as supervisor:
        supervisor.start("postgres", [sys.executable, "-S", "-c", "print('no space left')"], {}, ground=True)
        with pytest.raises(ProcessDiedError, match="no space left"):
            site.keep_running(supervisor, 8000, lambda _: None)
