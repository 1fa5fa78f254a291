"""`python -m trialsite.services.deployment > .env`: random passwords and keys for docker-compose.yml."""

from __future__ import annotations

import secrets
import sys

PASSWORDS = (
    "POSTGRES_PASSWORD",
    "OWNER_PASSWORD",
    "APP_PASSWORD",
    "UNBLINDED_PASSWORD",
    "AUDITOR_PASSWORD",
    "BROKER_APP_PASSWORD",
    "BROKER_UNBLINDED_PASSWORD",
    "BROKER_BEAT_PASSWORD",
    "BROKER_KEEPER_PASSWORD",
)
KEYS = ("OPEN_SECRET_KEY", "CLOSED_SECRET_KEY")
# To be changed by hand before the first start.
PLACES = {
    "OPEN_HOSTS": "trial.example.org",
    "OPEN_ORIGINS": "https://trial.example.org",
    "CLOSED_HOSTS": "closed.trial.example.org",
    "CLOSED_ORIGINS": "https://closed.trial.example.org",
    "IDENTITY_KEY_FILE": "./identity.key",
    "BACKUP_KEY_FILE": "./backup.key",
    "BACKUP_FOLDER": "./backups",
}


def environment_file() -> str:
    """The contents of a new .env: every variable that compose insists on."""
    lines = [f"{name}={secrets.token_urlsafe(24)}" for name in PASSWORDS]
    lines += [f"{name}={secrets.token_urlsafe(50)}" for name in KEYS]
    lines += ["# Your own names, the files with the keys (not kept beside the data), and where backups go:"]
    lines += [f"{name}={value}" for name, value in PLACES.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(environment_file())
