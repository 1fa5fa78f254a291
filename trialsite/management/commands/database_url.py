"""Print the address of the embedded database for one role: `psql "$(manage.py database_url auditor)"`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from trialsite.services.connection import database_url
from trialsite.services.credentials import DATABASE_ROLES


class Command(BaseCommand):
    help = "Print the connection URL of a role of the embedded server, for psql."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", choices=DATABASE_ROLES)

    def handle(self, *_: Any, **options: Any) -> None:
        self.stdout.write(database_url(options["role"]))
