"""`python -m pytest` by hand: the servers of this checkout are started when nobody runs them.

`make test` brings throw-away servers instead (TRIALSITE_VAR leads to them), and DATABASE_URL real ones; then
nothing is done here. Tests that need no database start nothing.
"""

from __future__ import annotations

import contextlib
import os

import pytest

from trialsite.services.layout import Layout
from trialsite.services.processes import holder_of
from trialsite.services.servers import embedded_servers

_servers = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    # With workers this process never learns which tests there are.
    if getattr(config.option, "numprocesses", None):
        _start_servers()


def pytest_collection_finish(session: pytest.Session) -> None:
    if any(_needs_database(item) for item in session.items):
        _start_servers()


def pytest_unconfigure() -> None:
    _servers.close()


def _needs_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return item.get_closest_marker("django_db") is not None or "django_db_setup" in fixtures or "db" in fixtures


def _start_servers() -> None:
    elsewhere = {"TRIALSITE_VAR", "DATABASE_URL", "PYTEST_XDIST_WORKER"} & set(os.environ)
    layout = Layout.of_environment()
    if not elsewhere and holder_of(layout) is None:
        _servers.enter_context(embedded_servers(layout.var))
