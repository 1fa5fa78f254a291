"""The suite runs as `app`, on the real PostgreSQL; only creating and emptying the database is the owner's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from django.test.utils import setup_databases, teardown_databases

from outcomes import instrument_versions
from trialsite.services.connection import database_url
from trialsite.services.roles import prepare_database

Connect = Callable[[str], psycopg.Connection]
EMPTIED = ("concealer", "concealed"), ("recorder", "audit"), ("owner", "public")
KEPT = ("django_migrations", "django_content_type", "auth_permission")


def _become(role: str) -> None:
    """Let Django's connection be another role from here on."""
    connection.close()
    login = psycopg.conninfo.conninfo_to_dict(database_url(role))
    connection.settings_dict["USER"] = login["user"]
    connection.settings_dict["PASSWORD"] = login["password"]
    settings.DB_ROLE = role


@contextmanager
def django_as(role: str) -> Iterator[None]:
    """Act through Django's connection as another role, then be `app` again."""
    _become(role)
    try:
        yield
    finally:
        _become("app")


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_blocker: Any,
    django_db_modify_db_settings: None,
) -> Iterator[None]:
    """Migrate as owner, serve as app: the database's grants are part of what is tested."""
    keep = bool(request.config.getvalue("reuse_db") and not request.config.getvalue("create_db"))
    with django_db_blocker.unblock():
        _become("owner")
        databases = setup_databases(verbosity=0, interactive=False, keepdb=keep, serialized_aliases=[])
        name = connection.settings_dict["NAME"]
        with psycopg.connect(database_url("owner", name), autocommit=True) as owner:
            prepare_database(owner, name)
        _become("app")
    yield
    if not keep:
        with django_db_blocker.unblock():
            _become("owner")
            teardown_databases(databases, verbosity=0)


def empty_tables() -> None:
    """Empty all tables after what was committed: a right that app does not have."""
    connection.close()
    with psycopg.connect(database_url("owner", connection.settings_dict["NAME"]), autocommit=True) as owner:
        owner.execute("SET lock_timeout = '10s'")
        for role, schema in EMPTIED:
            names = owner.execute(
                "SELECT string_agg(format('%%I.%%I', n.nspname, c.relname), ', ') FROM pg_class c"
                " JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.relkind = 'r' AND n.nspname = %s AND c.relname <> ALL (%s)",
                [schema, list(KEPT)],
            ).fetchone()
            owner.execute(f"SET ROLE {role}")
            owner.execute(f"TRUNCATE {names[0]}" if names else "SELECT")
            owner.execute("RESET ROLE")


def _flush_as_owner(_: TransactionTestCase) -> None:
    empty_tables()


setattr(TransactionTestCase, "_fixture_teardown", _flush_as_owner)  # noqa: B010 - a private name, untyped


@pytest.fixture(autouse=True)
def _forget_instrument_rows() -> Iterator[None]:
    """A process keeps the rows of its instrument files; a test's are gone after it."""
    yield
    instrument_versions.forget()


@pytest.fixture
def as_role(db: None) -> Iterator[Connect]:
    """A plain connection to the test database as one of the four roles."""
    opened: list[psycopg.Connection] = []

    def connect(role: str) -> psycopg.Connection:
        opened.append(psycopg.connect(database_url(role, connection.settings_dict["NAME"])))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


@pytest.fixture
def demonstration(transactional_db: None) -> None:
    """This database is a demonstration: seeds and entry times may be given."""
    with psycopg.connect(database_url("owner", connection.settings_dict["NAME"]), autocommit=True) as owner:
        owner.execute("INSERT INTO studies_installation (id, demonstration) VALUES (1, true) ON CONFLICT DO NOTHING")
