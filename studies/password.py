"""The password entered again by somebody who is signed in: part of an electronic signature (21 CFR 11.200)."""

from __future__ import annotations

from django.contrib.auth import authenticate
from django.http import HttpRequest

from studies.acting import Actor
from studies.errors import InvalidEntry


def require_password(request: HttpRequest, user: Actor, password: str) -> None:
    """Raises InvalidEntry for a wrong password. At either door wrong ones count, and lock, as failed sign-ins do."""
    if authenticate(request, username=user.get_username(), password=password) is None:
        raise InvalidEntry("The password is not right. A signature is given by entering it again.", field="password")
