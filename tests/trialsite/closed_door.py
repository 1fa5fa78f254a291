"""The closed door in the test process: its own settings, its own database role, its own accounts."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings as current
from django.db import connection
from django.test import Client

from studies.closed_door import create_account, new_token
from studies.models import ClosedAccount, Study
from tests.conftest import django_as

PASSWORD = "seven quiet lighthouses"
# What makes a process the closed door, taken from the settings themselves so that a test cannot drift away.
TAKEN_OVER = (
    "AUTHENTICATION_BACKENDS",
    "CSRF_FAILURE_VIEW",
    "CSRF_COOKIE_NAME",
    "DOOR",
    "FILE_UPLOAD_HANDLERS",
    "LOGIN_URL",
    "MIDDLEWARE",
    "ROOT_URLCONF",
    "SECRET_KEY",
    "SESSION_COOKIE_NAME",
    "SESSION_ENGINE",
)


def closed_settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The settings module as a process of the closed door reads it."""
    with monkeypatch.context() as environment:
        environment.setenv("TRIALSITE_DOOR", "closed")
        environment.setenv("DB_ROLE", "unblinded")
        return runpy.run_path(str(current.BASE_DIR / "trialsite" / "settings.py"))


@dataclass
class ClosedDoor:
    """Requests to the closed door, each answered as `unblinded`; the test around them stays `app`."""

    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))

    def account(self, study: Study, role: str, username: str = "") -> ClosedAccount:
        with django_as("unblinded"):
            return create_account(
                study=study, username=username or role, name=role.title(), role=role, password=PASSWORD
            )

    def token(self, account: ClosedAccount) -> dict[str, str]:
        """The header that opens the API."""
        with django_as("unblinded"):
            return {"Authorization": f"Token {new_token(account)}"}

    def get(self, path: str, **extra: Any) -> Any:
        with django_as("unblinded"):
            return self.client.get(path, **extra)

    def post(self, path: str, content: dict[str, Any] | None = None, **extra: Any) -> Any:
        """Post a form with the token that the page before it carried."""
        with django_as("unblinded"):
            page = self.client.get("/login/", follow=True)
            token = page.cookies.get("trialsite_closed_csrf") or self.client.cookies["trialsite_closed_csrf"]
            form = {"csrfmiddlewaretoken": token.value, **(content or {})}
            return self.client.post(path, form, **extra)

    def sign_in(self, username: str, password: str = PASSWORD) -> Any:
        return self.post("/login/", {"username": username, "password": password})

    def trail(self) -> list[tuple[str, str]]:
        """Who did what, as the concealed trail says."""
        with django_as("unblinded"), connection.cursor() as cursor:
            cursor.execute("SELECT actor, what FROM concealed.event ORDER BY id")
            return list(cursor.fetchall())


@contextmanager
def opened(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClosedDoor]:
    found = closed_settings(monkeypatch)
    for name in TAKEN_OVER:
        setattr(settings, name, found[name])
    # The door has no axes at all; in this process its signals are connected already.
    settings.AXES_ENABLED = False
    # Argon2 is slow on purpose; that it is used is the settings' business.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    yield ClosedDoor()
