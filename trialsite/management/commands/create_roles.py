"""Create the roles and the database on a real PostgreSQL server."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser

from trialsite.services.roles import LOGIN_ROLES, prepare_cluster, prepare_database


def password_variable(role: str) -> str:
    """The environment variable that holds the password of a role."""
    return f"TRIALSITE_{role.upper()}_PASSWORD"


class Command(BaseCommand):
    help = (
        "Create or correct the roles and the database of a real server. DATABASE_URL is a superuser's, "
        "with the name of the database to create; each role's password comes from TRIALSITE_<ROLE>_PASSWORD."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--maintenance-database", default="postgres", help="where to connect meanwhile")

    def handle(self, *_: Any, **options: Any) -> None:
        missing = [name for name in ("DATABASE_URL", *map(password_variable, LOGIN_ROLES)) if not os.environ.get(name)]
        if missing:
            raise CommandError(f"Not set: {', '.join(missing)}. Each must be, for example in compose's .env file.")
        address = urlsplit(os.environ["DATABASE_URL"])
        name = unquote(address.path.lstrip("/"))
        maintenance = address._replace(path=f"/{options['maintenance_database']}").geturl()
        passwords = {role: os.environ[password_variable(role)] for role in LOGIN_ROLES}
        with psycopg.connect(maintenance, autocommit=True) as connection:
            prepare_cluster(connection, passwords)
            prepare_database(connection, name)
        self.stdout.write(f"Roles and database {name} are ready.")
