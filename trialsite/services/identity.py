"""Which process is which: numbers are used again, so a number alone never decides whom to stop."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import TypedDict

from trialsite.services.layout import SERVER_USER, runs_as_root


class Identity(TypedDict, total=False):
    """The arguments of subprocess by which a child becomes another user."""

    user: int
    group: int
    extra_groups: list[int]


def server_identity() -> Identity:
    """Whom the servers run as: nobody when this process is root, else whoever runs this process."""
    if not runs_as_root():
        return {}
    account = pwd.getpwnam(SERVER_USER)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def give_to_servers(path: Path) -> None:
    """Hand a file or folder of our own to the user the servers run as."""
    identity = server_identity()
    if identity:
        os.chown(path, identity["user"], identity["group"])


def birth(pid: int) -> str | None:
    """What tells a process from all others that ever have its number; None for a dead one, a zombie too."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # The name may hold blanks and brackets; the rest begins after the last bracket.
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return None if fields[0] in "ZX" else f"{boot} {fields[19]}"
    return _ps(pid, "lstart") or None


def command_line(pid: int) -> str:
    """The command line of a process with blanks between its words; empty when there is none."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except (FileNotFoundError, ProcessLookupError):
            return ""
    return _ps(pid, "command")


def _ps(pid: int, column: str) -> str:
    ps = shutil.which("ps") or "/bin/ps"
    command = [ps, "-o", f"{column}=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip()
