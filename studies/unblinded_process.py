"""Starting a process of the unblinded side from one of the blinded side, in a demonstration or an import."""

from __future__ import annotations

import os


def unblinded_environment() -> dict[str, str] | None:
    """The environment of a process that is `unblinded`, without this process's own credentials.

    None where servers are named by DATABASE_URL and TRIALSITE_UNBLINDED_DATABASE_URL does not say how that role
    reaches them; the embedded servers are found by themselves.
    """
    environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
    environment["DB_ROLE"] = "unblinded"
    if url := os.environ.get("TRIALSITE_UNBLINDED_DATABASE_URL"):
        environment["DATABASE_URL"] = url
    elif "DATABASE_URL" in os.environ and "TRIALSITE_VAR" not in os.environ:
        return None
    return environment
