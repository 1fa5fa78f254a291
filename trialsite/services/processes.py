"""The supervisor: starts processes, and leaves none of them behind, whatever happens to itself.

Three nets, one below the other: leaving the `with` block stops everything, after Ctrl-C, SIGTERM and errors
too; a guard process does the same when the supervisor is killed; and the next start clears what is left when
both were killed (a record on disk says what was started, and a process is known by more than its number).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO

from trialsite.services.failure import ServicesError
from trialsite.services.identity import Identity, birth
from trialsite.services.layout import CHECKOUT, Layout
from trialsite.services.waiting import wait_until

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LONGEST_CLEARING = 120.0  # seconds that the guard of a killed supervisor may need
LOG_LIMIT = 5_000_000  # bytes; a longer log is put aside at the next start


class SiteBusyError(ServicesError):
    """Another supervisor works in this var/."""


class ProcessDiedError(ServicesError):
    """A process ended that should have gone on; the message holds the end of its log."""


class StopAskedError(KeyboardInterrupt):
    """Somebody pressed Ctrl-C or sent a signal: unwind, and stop everything on the way."""


@dataclass(frozen=True)
class Started:
    """A process as the record on disk knows it; `born` tells it from others with its number.

    `ground` is what others stand on: it is stopped after them.
    """

    name: str
    pid: int
    born: str
    stop_signal: int
    grace: float
    ground: bool


Child = tuple[Started, subprocess.Popen[bytes]]


def stop_recorded(record: Path) -> list[str]:
    """Stop what the record names, last started first, and empty it; the names of those that still lived."""
    living = [entry for entry in reversed(read_record(record)) if birth(entry.pid) == entry.born]
    for ground in (False, True):
        layer = [entry for entry in living if entry.ground == ground]
        for entry in layer:
            with contextlib.suppress(ProcessLookupError):
                os.kill(entry.pid, entry.stop_signal)
        for entry in layer:
            wait_until(partial(_is_over, entry), entry.grace)
            kill_group(entry.pid)
    record.unlink(missing_ok=True)
    return [entry.name for entry in living]


def read_record(record: Path) -> list[Started]:
    """The processes of a record; none when there is no record, or one that a power cut tore."""
    try:
        return [Started(**entry) for entry in json.loads(record.read_text())]
    except (FileNotFoundError, ValueError, TypeError):
        return []


def _is_over(entry: Started) -> bool:
    return birth(entry.pid) != entry.born


def kill_group(pid: int) -> None:
    """Kill every member of the group that `pid` led."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


class Supervisor:
    """Starts processes in groups of their own and stops all of them, and nothing else, when its block ends.

    Entering raises SiteBusyError when another supervisor works in the same var/.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._children: list[Child] = []
        self._lock: IO[str] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._handlers: dict[int, object] = {}
        self._starting = False
        self._asked: int | None = None

    def __enter__(self) -> Supervisor:
        for folder in (self.layout.var, self.layout.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._take_lock()
        stop_recorded(self.layout.running)
        self._watch_signals()
        self._start_guard()
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C does not stop the stopping
        for ground in (False, True):
            stop_children([child for child in self._children if child[0].ground == ground])
        self._children.clear()
        self._write_record()
        if self._guard and self._guard.stdin:
            self._guard.stdin.close()
            self._guard.wait()
        if self._lock:
            self._lock.close()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        cwd: Path = CHECKOUT,
        log: bool = True,
        stop_signal: int = signal.SIGTERM,
        grace: float = 20.0,
        ground: bool = False,
        identity: Identity | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start `command` with exactly `environment`; it prints to logs/NAME.log, or without `log` here."""
        with self._undisturbed(), self._output(name) if log else contextlib.nullcontext() as output:
            process = subprocess.Popen(  # noqa: S603 - the callers' own commands, no shell
                list(command),
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL if log else None,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,
                **(identity or {}),
            )
            entry = Started(name, process.pid, birth(process.pid) or "", int(stop_signal), grace, ground)
            self._children.append((entry, process))
            self._write_record()
        return process

    def dead_child(self) -> str | None:
        """The name of a child that has ended, if one has."""
        return next((entry.name for entry, process in self._children if has_ended(process)), None)

    def wait_for_death(self) -> str:
        """Wait until one of the children ends; its name."""
        wait_until(lambda: self.dead_child() is not None, float("inf"))
        return self.dead_child() or ""

    def stop(self, name: str) -> None:
        """Stop the child of that name."""
        named = [child for child in self._children if child[0].name == name]
        stop_children(named)
        self._children = [child for child in self._children if child not in named]
        self._write_record()

    def tail(self, name: str, lines: int = 15) -> str:
        """The end of the log of a process."""
        with contextlib.suppress(FileNotFoundError):
            text = (self.layout.logs / f"{name}.log").read_text(errors="replace")
            return "\n".join(text.splitlines()[-lines:])
        return ""

    def _take_lock(self) -> None:
        """Hold the lock file of var/. The guard holds it too, and after our death finishes in peace."""
        file = self.layout.lock.open("a+")
        if not wait_until(lambda: _locked(file) or _lives(_holder(file)), LONGEST_CLEARING) or not _locked(file):
            holder = _holder(file)
            file.close()
            raise SiteBusyError(
                f"Process {holder[0]} already runs the servers of {self.layout.var}. Use them, stop it "
                "(Ctrl-C there, or `manage.py services stop`), or set TRIALSITE_VAR to another folder."
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n{birth(os.getpid())}\n")
        file.flush()
        self._lock = file

    def _start_guard(self) -> None:
        assert self._lock is not None  # noqa: S101 - for the type checker
        self._guard = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "trialsite.services.guard", str(self.layout.running)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=CHECKOUT,
            start_new_session=True,
            pass_fds=[self._lock.fileno()],
        )

    def _watch_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in STOPPING_SIGNALS:
            self._handlers[number] = signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._starting:
            self._asked = number
        else:
            raise StopAskedError(number)

    @contextlib.contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Between the birth of a child and its entry in the record no signal is acted upon."""
        self._starting = True
        try:
            yield
        finally:
            self._starting = False
        if self._asked is not None:
            raise StopAskedError(self._asked)

    @contextlib.contextmanager
    def _output(self, name: str) -> Iterator[IO[bytes]]:
        path = self.layout.logs / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".old.log"))
        with path.open("ab") as file:
            yield file

    def _write_record(self) -> None:
        draft = self.layout.running.with_suffix(".new")
        draft.write_text(json.dumps([asdict(entry) for entry, _ in self._children]))
        draft.replace(self.layout.running)


def holder_of(layout: Layout) -> int | None:
    """The process that supervises this var/ now, if one does."""
    if not layout.lock.exists():
        return None
    with layout.lock.open() as file:
        holder = _holder(file)
    return holder[0] if _lives(holder) else None


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(file: IO[str]) -> tuple[int, str]:
    file.seek(0)
    lines = [*file.read().splitlines(), "", ""]
    return int(lines[0]) if lines[0].isdigit() else 0, lines[1]


def _lives(holder: tuple[int, str]) -> bool:
    return holder[0] > 0 and birth(holder[0]) == holder[1]


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a child has ended; it stays unreaped, so that its number cannot become somebody else's."""
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def stop_children(children: Sequence[Child]) -> None:
    """Ask all of them at once to stop, give each its grace, kill what is left of their groups, and reap."""
    living = [(entry, process) for entry, process in children if process.returncode is None]
    for entry, process in living:
        os.kill(process.pid, entry.stop_signal)
    for entry, process in reversed(living):
        wait_until(partial(has_ended, process), entry.grace)
        kill_group(process.pid)
        process.wait()
