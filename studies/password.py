"""The password entered again by somebody who is signed in: part of an electronic signature (21 CFR 11.200)."""

from __future__ import annotations

from django.contrib.auth import authenticate
from django.http import HttpRequest

from studies.errors import InvalidEntry
from studies.models import User


def require_password(request: HttpRequest, user: User, password: str) -> None:
    """Raises InvalidEntry for a wrong password. Wrong ones count as failed sign-ins do, and lock as those do."""
    if authenticate(request, username=user.get_username(), password=password) is None:
        raise InvalidEntry("The password is not right. A signature is given by entering it again.", field="password")
