"""The roles of the database: the same in the embedded server, in tests and on a real server.

owner      migrates; not a superuser; may become concealer and recorder, but never is them unawares
app        the open door and the blinded worker
unblinded  the closed door and the unblinded worker
auditor    reads, nothing concealed
concealer  cannot log in; owns the concealed tables and the functions that touch them
recorder   cannot log in; owns the audit tables and the functions that write them
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

LOGIN_ROLES = ("owner", "app", "unblinded", "auditor")
KEEPER_ROLES = ("concealer", "recorder")
PLAIN = "NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS"
ROLE_ATTRIBUTES = {
    "owner": f"LOGIN CREATEDB {PLAIN}",
    "app": f"LOGIN NOCREATEDB {PLAIN}",
    "unblinded": f"LOGIN NOCREATEDB {PLAIN}",
    "auditor": f"LOGIN NOCREATEDB {PLAIN}",
    "concealer": f"NOLOGIN NOCREATEDB {PLAIN}",
    "recorder": f"NOLOGIN NOCREATEDB {PLAIN}",
}


def prepare_cluster(connection: psycopg.Connection, passwords: Mapping[str, str]) -> None:
    """Create or correct the roles of a whole server; may be repeated.

    `connection` is a superuser's, in autocommit; `passwords` holds one for each of LOGIN_ROLES. They travel
    as SCRAM verifiers, so that no server log can hold them.
    """
    present = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
    for role, attributes in ROLE_ATTRIBUTES.items():
        verb = "ALTER" if role in present else "CREATE"
        connection.execute(sql.SQL(f"{verb} ROLE {{}} {attributes}").format(sql.Identifier(role)))
    for role in LOGIN_ROLES:
        verifier = connection.pgconn.encrypt_password(
            passwords[role].encode(), role.encode(), b"scram-sha-256"
        ).decode()
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)))
    connection.execute("GRANT concealer, recorder TO owner WITH INHERIT FALSE, SET TRUE")
    connection.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
    # Django connects there to create and drop test databases.
    connection.execute("GRANT CONNECT ON DATABASE postgres TO owner")


def prepare_database(connection: psycopg.Connection, name: str) -> None:
    """Create the database `name` when it is missing and say who may enter it; may be repeated.

    `connection` is a superuser's or the owner's, in autocommit, to any database of the server. Nobody but the
    owner and the keepers may create anything, and nobody else gets temporary tables.
    """
    database = sql.Identifier(name)
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER owner").format(database))
    for statement in (
        "REVOKE ALL ON DATABASE {} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {{}} TO {', '.join(LOGIN_ROLES)}",
        f"GRANT CREATE ON DATABASE {{}} TO owner, {', '.join(KEEPER_ROLES)}",
    ):
        connection.execute(sql.SQL(statement).format(database))
