"""The supervisor leaves nothing running, and touches nothing it did not start. Oracle: the process table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from trialsite.services.identity import birth
from trialsite.services.layout import CHECKOUT, Layout
from trialsite.services.processes import (
    SiteBusyError,
    Started,
    StopAskedError,
    Supervisor,
    holder_of,
    read_record,
)
from trialsite.services.waiting import wait_until

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-S",
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
]
# Prints the number of a child of its own, then sleeps: what a worker with a pool looks like.
PARENT = [
    sys.executable,
    "-S",
    "-c",
    "import subprocess, sys, time; "
    "print(subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)']).pid, flush=True); "
    "time.sleep(600)",
]
SUPERVISE_AND_WAIT = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from trialsite.services.layout import Layout
    from trialsite.services.processes import Supervisor
    with Supervisor(Layout(Path(sys.argv[1]))) as supervisor:
        child = supervisor.start("child", [sys.executable, "-S", "-c", "import time; time.sleep(600)"], {})
        print(child.pid, flush=True)
        time.sleep(600)
    """
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "var")


def gone(pid: int, seconds: float = 20.0) -> bool:
    return wait_until(lambda: birth(pid) is None, seconds)


def start_another_supervisor(layout: Layout) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE_AND_WAIT, str(layout.var)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_everything_is_stopped_when_the_block_ends(layout: Layout) -> None:
    with Supervisor(layout) as supervisor:
        pids = [supervisor.start(f"child{n}", SLEEP, {}).pid for n in range(3)]
        assert all(birth(pid) for pid in pids)
    assert all(gone(pid, 0) for pid in pids)
    assert read_record(layout.running) == []


def test_everything_is_stopped_when_a_later_start_fails(layout: Layout) -> None:
    pids = []

    def start_both() -> None:
        with Supervisor(layout) as supervisor:
            pids.append(supervisor.start("child", SLEEP, {}).pid)
            supervisor.start("missing", ["/no/such/program"], {})

    with pytest.raises(FileNotFoundError):
        start_both()
    assert gone(pids[0], 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_unwinds_the_block_and_stops_everything(layout: Layout, number: signal.Signals) -> None:
    pids = []

    def be_interrupted() -> None:
        with Supervisor(layout) as supervisor:
            pids.append(supervisor.start("child", SLEEP, {}).pid)
            os.kill(os.getpid(), number)
            time.sleep(5)

    with pytest.raises(StopAskedError):
        be_interrupted()
    assert gone(pids[0], 0)
    assert signal.getsignal(number) is not signal.SIG_IGN, "the caller's handling of signals comes back"


def test_a_child_deaf_to_the_polite_signal_is_killed_after_its_grace(layout: Layout) -> None:
    with Supervisor(layout) as supervisor:
        pid = supervisor.start("stubborn", STUBBORN, {}, grace=0.3).pid
        assert wait_until(lambda: "deaf" in supervisor.tail("stubborn"), 10)
        begun = time.monotonic()
    assert gone(pid, 0)
    assert 0.3 <= time.monotonic() - begun < 10


def test_the_children_of_a_child_are_stopped_with_it(layout: Layout) -> None:
    with Supervisor(layout) as supervisor:
        supervisor.start("parent", PARENT, {})
        assert wait_until(lambda: supervisor.tail("parent").strip().isdigit(), 10)
        grandchild = int(supervisor.tail("parent"))
        assert birth(grandchild)
    assert gone(grandchild)


def test_the_guard_stops_everything_when_the_supervisor_is_killed(layout: Layout) -> None:
    process, child = start_another_supervisor(layout)
    process.kill()
    process.communicate()
    assert gone(child)


def test_a_new_supervisor_waits_until_the_guard_of_a_killed_one_is_done(layout: Layout) -> None:
    process, child = start_another_supervisor(layout)
    process.kill()
    process.communicate()
    with Supervisor(layout) as supervisor:
        assert gone(child, 0)
        assert birth(supervisor.start("child", SLEEP, {}).pid), "the old guard does not touch the new child"


def test_the_next_start_clears_what_is_left_when_the_guard_was_killed_too(layout: Layout) -> None:
    process, child = start_another_supervisor(layout)
    guards = [pid for pid in living_processes() if str(layout.running) in command_words(pid)]
    assert len(guards) == 1
    os.kill(guards[0], signal.SIGKILL)
    process.kill()
    process.communicate()
    assert not gone(child, 0.5), "with both killed nobody stops the child yet"
    with Supervisor(layout):
        assert gone(child, 0)


def living_processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def command_words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def test_a_number_that_now_belongs_to_a_stranger_is_left_alone(layout: Layout) -> None:
    stranger = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        layout.var.mkdir()
        entry = Started("web", stranger.pid, "an earlier life", int(signal.SIGTERM), 1.0, ground=False)
        layout.running.write_text(json.dumps([asdict(entry)]))
        with Supervisor(layout):
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_second_supervisor_of_the_same_place_is_refused_and_told_who_holds_it(layout: Layout) -> None:
    with Supervisor(layout):
        assert holder_of(layout) == os.getpid()
        with pytest.raises(SiteBusyError, match=str(os.getpid())):
            Supervisor(layout).__enter__()
    with Supervisor(layout):
        pass


def test_two_places_side_by_side_do_not_disturb_each_other(tmp_path: Path) -> None:
    one, other = Layout(tmp_path / "one"), Layout(tmp_path / "other")
    with Supervisor(one) as first:
        pid = first.start("child", SLEEP, {}).pid
        with Supervisor(other) as second:
            second.start("child", SLEEP, {})
        assert birth(pid)


def test_a_child_gets_exactly_the_environment_it_was_given(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://unblinded:secret@/trialsite")
    with Supervisor(layout) as supervisor:
        script = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"
        process = supervisor.start("child", [sys.executable, "-S", "-c", script], {"DB_ROLE": "app"})
        assert process.wait() == 0
        assert supervisor.tail("child") == "['DB_ROLE']"


def test_the_death_of_a_child_is_noticed_by_name(layout: Layout) -> None:
    with Supervisor(layout) as supervisor:
        supervisor.start("steady", SLEEP, {})
        supervisor.start("short", [sys.executable, "-S", "-c", "print('the reason')"], {})
        assert supervisor.wait_for_death() == "short"
        assert supervisor.tail("short") == "the reason"


@pytest.mark.parametrize("torn", ["", "[{", '[{"name": "web"}]', "null"])
def test_files_that_a_power_cut_tore_do_not_stop_the_next_start(layout: Layout, torn: str) -> None:
    layout.var.mkdir()
    layout.running.write_text(torn)
    layout.lock.write_text(torn)
    with Supervisor(layout) as supervisor:
        assert birth(supervisor.start("child", SLEEP, {}).pid)


def test_what_others_stand_on_is_stopped_after_them_and_they_all_at_once(layout: Layout) -> None:
    """Each child takes half a second to stop; three of them together take about half a second, too."""
    slow = [
        sys.executable,
        "-S",
        "-c",
        "import signal, time\n"
        "def stop(*_):\n    time.sleep(0.5); print(time.monotonic(), flush=True); raise SystemExit\n"
        "signal.signal(signal.SIGTERM, stop); print('ready', flush=True); time.sleep(600)",
    ]
    names = ["ground", "one", "two", "three"]
    with Supervisor(layout) as supervisor:
        for name in names:
            supervisor.start(name, slow, {}, ground=name == "ground")
        for name in names:
            assert wait_until(partial(_says_ready, supervisor, name), 10)
        begun = time.monotonic()
    ended = {name: float(supervisor.tail(name, lines=1)) for name in names}
    assert ended["ground"] - max(ended[name] for name in names[1:]) >= 0.5
    assert max(ended[name] for name in names[1:]) - begun < 1.4


def _says_ready(supervisor: Supervisor, name: str) -> bool:
    return supervisor.tail(name) == "ready"
