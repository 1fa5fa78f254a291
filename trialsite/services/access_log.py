"""Gunicorn's log of requests, without the links that open participants' forms."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from trialsite.participant_door.logged import without_links


class AccessLog(Logger):  # type: ignore[misc]
    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> dict[str, Any]:
        """The parts of a line; a link stands in the request, and in where the next one came from."""
        parts: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        return {name: without_links(part) if isinstance(part, str) else part for name, part in parts.items()}
