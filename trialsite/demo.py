"""`make demo`: a whole site with a simulated trial, from nothing, on this machine.

    python -m trialsite.demo [--port N]               run it until Ctrl-C
    python -m trialsite.demo --reset                  remove the demo and its data
    python -m trialsite.demo --throw-away -- COMMAND  run COMMAND against a demo in a temporary folder

What is done, and as which role, is the two lists of steps below and nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psycopg

from trialsite.progress import step
from trialsite.services.connection import database_url
from trialsite.services.failure import ServicesError
from trialsite.services.layout import CHECKOUT, Layout, runs_as_root
from trialsite.services.processes import (
    ProcessDiedError,
    StopAskedError,
    Supervisor,
    has_ended,
    holder_of,
)
from trialsite.services.servers import remove_site, start_servers, throw_away_var
from trialsite.services.site import (
    PortTakenError,
    environment,
    inherited,
    keep_running,
    refuse_taken_ports,
    start_site,
)
from trialsite.services.waiting import wait_until

STUDY = "KALM"
PROTOCOL = "studies/protocols/kalm-1.0.yaml"
SEED = "20261124"
FINISHED = "ASHAR2022"
SIGNED = ("--signed-by", "statistician", "--demonstration")
IMPORT = (
    "import_trial",
    "outcomes/imports/mappings/ashar2022.yaml",
    "outcomes/imports/data/ashar2022_outcomes_demographics.csv",
    "--protocol",
    "studies/protocols/ashar2022-1.0.yaml",
)
MANAGE = (sys.executable, "manage.py")


@dataclass(frozen=True)
class Step:
    """One command of the demo: what the visitor reads, what runs, as whom, and how often.

    `every_time`: a second demo runs it again. `in_one_go`: interrupted half-way it cannot go on, so that the
    next demo starts over; for the same reason its commits need not wait for the disk one by one.
    """

    label: str
    command: tuple[str, ...]
    role: str
    every_time: bool = False
    in_one_go: bool = False

    @property
    def words(self) -> str:
        """The command as one would type it."""
        return " ".join(self.command)


BEFORE_THE_SITE = (
    Step("creating the tables", ("migrate", "--no-input", "--verbosity=0"), "owner", every_time=True),
    Step("marking the database as a demonstration", ("mark_demonstration",), "owner"),
    Step("loading the protocol", ("load_protocol", PROTOCOL), "app"),
    Step("making the randomisation list", ("make_list", STUDY, "--seed", SEED), "unblinded"),
    Step(
        "simulating the trial",
        ("simulate_trial", PROTOCOL, "--participants", "200", "--seed", SEED),
        "app",
        in_one_go=True,
    ),
    Step("importing a real, finished trial", IMPORT, "app"),
    Step("writing the schedule", ("ensure_schedules",), "app"),
    # People get their roles in every study that was loaded before; a plan is signed by one of them.
    Step("making one account per role", ("demo_accounts",), "app"),
    Step("making the accounts of the closed door", ("demo_closed_accounts",), "unblinded"),
    Step("taking the laboratory's drug levels", ("demo_concentrations", STUDY, "--seed", SEED), "unblinded"),
    Step("freezing and signing the analysis plans", ("freeze_plan", STUDY, FINISHED, *SIGNED), "app"),
    Step("registering them at the closed side", ("register_plan", STUDY, FINISHED), "unblinded"),
)
WITH_THE_SITE = (Step("taking a cut and running the first look", ("first_look",), "app"),)


class DemoError(ServicesError):
    """The demo cannot be made, or not be removed; the message says why."""


@dataclass(frozen=True)
class DemoRecord:
    """What is kept beside the data: which steps are done. Its presence says that the data are a demo's."""

    path: Path

    def done(self) -> list[str]:
        """The commands that need not run again, as one would type them."""
        return list(self._read().get("done", []))

    def was_interrupted(self) -> bool:
        """Whether a step that must be done in one go was begun and not finished."""
        return "begun" in self._read()

    def begin(self, due: Step) -> None:
        """Remember that a step is being done."""
        self._write({"done": self.done(), "begun": due.words})

    def add(self, done: Step) -> None:
        """Remember a step as done."""
        self._write({"done": [*self.done(), done.words]})

    def forget(self) -> None:
        """Remember nothing but that this is a demo."""
        self._write({"done": []})

    def claim(self, layout: Layout) -> None:
        """Make the record; refuse tables that somebody keeps without one. The servers are up."""
        if self.path.exists():
            return
        with psycopg.connect(database_url("owner", layout=layout)) as connection:
            row = connection.execute("SELECT to_regclass('public.django_migrations')").fetchone()
        if row != (None,):
            raise DemoError(
                f"{layout.var} already holds a database that is not a demo's. Set TRIALSITE_VAR to another "
                "folder for the demo."
            )
        self.forget()

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError):
            found: dict[str, Any] = json.loads(self.path.read_text())
            return found
        return {}

    def _write(self, contents: dict[str, Any]) -> None:
        draft = self.path.with_suffix(".new")
        with draft.open("w") as file:
            json.dump(contents, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)


def run_steps(supervisor: Supervisor, steps: Sequence[Step], record: DemoRecord) -> None:
    """Run the commands that are due, one after the other.

    Raises ProcessDiedError with the end of its log when one fails.
    """
    done = record.done()
    for due in steps:
        if due.every_time or due.words not in done:
            if due.in_one_go:
                record.begin(due)
            _run_step(supervisor, due)
            if due.in_one_go:
                _write_to_disk(supervisor.layout)
            if not due.every_time:
                record.add(due)


def _run_step(supervisor: Supervisor, due: Step) -> None:
    name = f"step-{due.command[0]}"
    (supervisor.layout.logs / f"{name}.log").unlink(missing_ok=True)
    with step(due.label, lambda: supervisor.tail(name, lines=1)):
        own = environment(due.role, supervisor.layout)
        if due.in_one_go:
            own["DATABASE_URL"] += "&options=-c%20synchronous_commit%3Doff"
        process = supervisor.start(name, (*MANAGE, *due.command, "--skip-checks"), own)
        wait_until(lambda: has_ended(process), float("inf"))
        supervisor.stop(name)
        if process.returncode:
            raise ProcessDiedError(f"`manage.py {due.words}` failed:\n{supervisor.tail(name, 30)}")


def _write_to_disk(layout: Layout) -> None:
    with psycopg.connect(database_url("postgres", layout=layout), autocommit=True) as connection:
        connection.execute("CHECKPOINT")


@contextlib.contextmanager
def running_demo(layout: Layout, port: int) -> Iterator[Supervisor]:
    """The whole demo for the length of the block: servers, data, both doors, the workers, beat."""
    refuse_taken_ports(port)
    layout.var.mkdir(mode=0o700, parents=True, exist_ok=True)
    record = DemoRecord(layout.var / "demo.json")
    with Supervisor(layout) as supervisor:
        if record.was_interrupted():
            with step("starting over: the last demo was interrupted half-way"):
                remove_data(layout)
                record.forget()
        with step("starting PostgreSQL and Valkey"):
            start_servers(supervisor)
        record.claim(layout)
        run_steps(supervisor, BEFORE_THE_SITE, record)
        with step("starting the doors, the workers and beat"):
            start_site(supervisor, port)
        run_steps(supervisor, WITH_THE_SITE, record)
        yield supervisor


def remove_data(layout: Layout) -> None:
    """Remove what a half-made demo left, but for passwords, keys and logs. The servers are down."""
    for folder in (layout.postgres_data, layout.valkey_data, layout.var / "cuts", layout.var / "closed"):
        shutil.rmtree(folder, ignore_errors=True)


def welcome(supervisor: Supervisor, port: int) -> str:
    """What a visitor needs to know, in one block."""
    steps = ("step-demo_accounts", "step-demo_closed_accounts")
    logins = "\n\n".join(supervisor.tail(name, lines=40).rstrip() for name in steps)
    return f"""
The demo trial is running.

  open door    http://localhost:{port}/          coordinators, raters, blinded statisticians
  closed door  http://localhost:{port + 1}/          DSMB, unblinded statistician, pharmacist
  API          http://localhost:{port}/api/v1/

{logins}

What to try first
  1. Sign in at the open door as coordinator: the home page says who is due.
  2. Open a participant, enter a form of a due visit, and look at its history.
  3. Open one of Today's "Diaries with gaps", make a link, and fill in the diary as the participant does.
  4. Open Reports: the open report says how the trial goes, blinded.
  5. Sign in at the closed door as dsmb and read the closed report of the same look.

Data and logs are in {supervisor.layout.var}. Ctrl-C stops everything; `make demo` goes on with the same
data, `make reset-demo` starts over.
"""


def run(port: int, say: Callable[[str], object]) -> NoReturn:
    """Run the demo until somebody stops it. Raises ProcessDiedError when it cannot be kept running."""
    with running_demo(Layout.of_environment(), port) as supervisor:
        say(welcome(supervisor, port))
        keep_running(supervisor, port, say)


def run_throw_away(command: Sequence[str]) -> int:
    """Run `command` against a demo of its own, with OPEN_DOOR and CLOSED_DOOR set; its exit code."""
    with throw_away_var() as var:
        port = two_free_ports()
        os.environ["TRIALSITE_VAR"] = str(var)
        with running_demo(Layout(var), port) as supervisor:
            addresses = {
                "OPEN_DOOR": f"http://127.0.0.1:{port}",
                "CLOSED_DOOR": f"http://127.0.0.1:{port + 1}",
            }
            process = supervisor.start("command", command, inherited() | addresses, log=False)
            wait_until(lambda: has_ended(process), float("inf"))
            return process.wait()


def two_free_ports() -> int:
    """A port that is free now together with the next one."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        with contextlib.suppress(PortTakenError):
            refuse_taken_ports(port)
            return port


def reset(say: Callable[[str], object]) -> int:
    """Remove the demo of this var/ for ever; refuse while it runs, and refuse what is not a demo."""
    layout = Layout.of_environment()
    if (holder := holder_of(layout)) is not None:
        raise DemoError(f"The demo is running (process {holder}). Stop it first, by Ctrl-C there.")
    if layout.postgres_data.exists() and not (layout.var / "demo.json").exists():
        raise DemoError(f"{layout.var} holds a database that is not a demo's; it is left as it is.")
    remove_site(layout)
    say(f"Removed the demo in {layout.var}" + (f" and {layout.server_home}." if runs_as_root() else "."))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and act; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m trialsite.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--reset", action="store_true")
    parser.add_argument("--throw-away", action="store_true")
    parser.add_argument("command", nargs="*", help="after --throw-away --")
    chosen = parser.parse_args(arguments)
    if bool(chosen.command) is not chosen.throw_away:
        parser.error("--throw-away takes a command: --throw-away -- COMMAND")

    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    try:
        if chosen.reset:
            return reset(say)
        if chosen.throw_away:
            return run_throw_away(chosen.command)
        run(chosen.port, say)
    except ServicesError as failure:
        sys.stderr.write(f"\n{failure}\n")
        return 1
    except StopAskedError as asked:
        say("\nStopped.")
        return 128 + int(asked.args[0])


if __name__ == "__main__":
    os.chdir(CHECKOUT)
    sys.exit(main())
