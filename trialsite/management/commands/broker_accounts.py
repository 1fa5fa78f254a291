"""Write the accounts of a real Valkey or Redis server as the ACL file it starts with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trialsite.services.credentials import BROKER_ROLES
from trialsite.services.valkey import acl_lines


def password_variable(account: str) -> str:
    """The environment variable that holds the password of a broker account."""
    return f"TRIALSITE_BROKER_{account.upper()}_PASSWORD"


class Command(BaseCommand):
    help = "Write an ACL file for the broker; passwords come from TRIALSITE_BROKER_<ACCOUNT>_PASSWORD."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, **options: Any) -> None:
        missing = [name for name in map(password_variable, BROKER_ROLES) if not os.environ.get(name)]
        if missing:
            raise CommandError(f"Not set: {', '.join(missing)}. Each must be, for example in compose's .env.")
        lines = acl_lines({account: os.environ[password_variable(account)] for account in BROKER_ROLES})
        options["file"].write_text("\n".join(lines) + "\n")
        options["file"].chmod(0o644)  # the broker's own user reads it; passwords are in it as SHA-256 only
        self.stdout.write(f"Wrote the accounts {', '.join(BROKER_ROLES)} to {options['file']}.")
