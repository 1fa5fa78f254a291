"""The passwords of the embedded servers: one per role, random, in a file that only its owner can read."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

DATABASE_ROLES = ("postgres", "owner", "app", "unblinded", "auditor")
BROKER_ROLES = ("app", "unblinded", "beat", "keeper")


def _new_passwords() -> dict[str, str]:
    names = [f"database-{role}" for role in DATABASE_ROLES] + [f"broker-{role}" for role in BROKER_ROLES]
    return {name: secrets.token_urlsafe(24) for name in names}


def passwords(path: Path) -> dict[str, str]:
    """Passwords by name (`database-ROLE`, `broker-ROLE`) from the file, which is made when it is missing.

    Two processes asking at once get the same passwords: whoever links the file first wins.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
            json.dump(_new_passwords(), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    found: dict[str, str] = json.loads(path.read_text())
    return found
