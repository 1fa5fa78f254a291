"""The addresses of the embedded servers, for a role."""

from __future__ import annotations

from urllib.parse import quote

from trialsite.services.credentials import BROKER_ROLES, DATABASE_ROLES, passwords
from trialsite.services.layout import Layout

DATABASE = "trialsite"
# A database role that has no account of its own at the broker sends its tasks as the blinded side does.
BROKER_ACCOUNT = {"owner": "app", "auditor": "app"}


def database_url(role: str, database: str = DATABASE, layout: Layout | None = None) -> str:
    """The URL by which `role` reaches the embedded PostgreSQL.

    Raises ValueError for a role that does not log in.
    """
    if role not in DATABASE_ROLES:
        raise ValueError(f"There is no database role {role!r} to log in as; there are {', '.join(DATABASE_ROLES)}.")
    layout = layout or Layout.of_environment()
    password = passwords(layout.credentials)[f"database-{role}"]
    return f"postgresql://{role}:{password}@/{database}?host={quote(str(layout.sockets), safe='/')}"


def redis_url(role: str, layout: Layout | None = None) -> str:
    """The URL by which `role` (a database role, `beat`, or `keeper`, who stops it) reaches Valkey.

    In the form of redis-py; Celery wants `broker_url` of it. Raises ValueError for an unknown role.
    """
    account = BROKER_ACCOUNT.get(role, role)
    if account not in BROKER_ROLES:
        raise ValueError(f"There is no broker role {role!r}; there are {', '.join(BROKER_ROLES)}.")
    layout = layout or Layout.of_environment()
    password = passwords(layout.credentials)[f"broker-{account}"]
    return f"unix://{account}:{password}@{quote(str(layout.valkey_socket), safe='/')}?db=0"


def broker_url(url: str) -> str:
    """Celery's spelling of a redis-py URL: the same, but for unix sockets."""
    if not url.startswith("unix://"):
        return url
    return url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)
