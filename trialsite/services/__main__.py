"""`python -m trialsite.services ACTION`: the embedded servers from the command line.

run [--keep] -- COMMAND   throw-away servers for the length of one command (TRIALSITE_VAR leads to them)
hold                      servers of this var/ until Ctrl-C or SIGTERM
start, stop, status       the same in the background
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

from trialsite.services.binaries import programs
from trialsite.services.failure import ServicesError
from trialsite.services.layout import CHECKOUT, Layout
from trialsite.services.postgres import Postgres
from trialsite.services.processes import (
    StopAskedError,
    Supervisor,
    has_ended,
    holder_of,
)
from trialsite.services.servers import LONGEST_START, start_servers, throw_away_var
from trialsite.services.site import inherited
from trialsite.services.valkey import Valkey
from trialsite.services.waiting import wait_until

Say = Callable[[str], object]


def run(command: Sequence[str], *, keep: bool, say: Say) -> int:
    """Run `command` with throw-away servers; its exit code."""
    with throw_away_var(keep=keep) as var:
        layout = Layout(var)
        os.environ["TRIALSITE_VAR"] = str(var)
        with Supervisor(layout) as supervisor:
            start_servers(supervisor)
            if keep:
                say(f"kept afterwards: {var} and {layout.server_home}")
            process = supervisor.start("command", command, inherited(), log=False, stop_signal=signal.SIGINT)
            wait_until(lambda: has_ended(process), float("inf"))
            return process.wait()


def hold(say: Say) -> int:
    """Run the servers of this var/ until asked to stop; 1 when one of them ends by itself."""
    with Supervisor(Layout.of_environment()) as supervisor:
        start_servers(supervisor)
        say("PostgreSQL and Valkey are up.")
        died = supervisor.wait_for_death()
        say(f"{died} ended by itself:\n{supervisor.tail(died)}")
        return 1


def start(say: Say) -> int:
    """Start the servers of this var/ in the background and wait until they answer."""
    layout = Layout.of_environment()
    if (holder := holder_of(layout)) is not None:
        say(f"Process {holder} already runs the servers of {layout.var}.")
        return 0
    layout.logs.mkdir(parents=True, exist_ok=True)
    log = layout.logs / "services.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "trialsite.services", "hold"],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    wait_until(lambda: process.poll() is not None or "are up" in log.read_text(), LONGEST_START)
    say(log.read_text().strip())
    return process.poll() or 0


def stop(say: Say) -> int:
    """Stop whoever runs the servers of this var/, and with it all that it started."""
    layout = Layout.of_environment()
    holder = holder_of(layout)
    if holder is None:
        say(f"Nothing runs in {layout.var}.")
        return 0
    os.kill(holder, signal.SIGTERM)
    if not wait_until(lambda: holder_of(layout) is None, 120):
        say(f"Process {holder} did not stop within two minutes.")
        return 1
    say(f"Stopped what process {holder} had started.")
    return 0


def status(say: Say) -> int:
    """Say who answers in this var/; 0 when both servers do."""
    layout = Layout.of_environment()
    found = programs()
    servers: list[Postgres | Valkey] = [Postgres(layout, found), Valkey(layout, found)]
    up = {server.name: server.is_up() for server in servers}
    for name, answers in up.items():
        say(f"{name:9} {'up' if answers else 'down'}")
    say(f"supervisor {holder_of(layout) or 'none'}")
    return 0 if all(up.values()) else 1


ACTIONS = {"hold": hold, "start": start, "stop": stop, "status": status}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and act; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m trialsite.services", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for name in ACTIONS:
        actions.add_parser(name)
    running = actions.add_parser("run")
    running.add_argument("--keep", action="store_true")
    running.add_argument("command", nargs="+")
    chosen = parser.parse_args(arguments)

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    try:
        if chosen.action == "run":
            return run(chosen.command, keep=chosen.keep, say=say)
        return ACTIONS[chosen.action](say)
    except ServicesError as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    except StopAskedError as asked:
        return 128 + int(asked.args[0])


if __name__ == "__main__":
    sys.exit(main())
