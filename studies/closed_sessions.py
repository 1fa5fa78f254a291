"""Sessions of the closed door, kept in the concealed schema."""

from __future__ import annotations

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore

from studies.models import ClosedSession


class SessionStore(DatabaseSessionStore):
    @classmethod
    def get_model_class(cls) -> type[ClosedSession]:
        return ClosedSession
