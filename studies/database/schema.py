"""Runs the SQL files beside it, each as the role that shall own what it creates."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).parent / "sql"


def sql_file(name: str, *, role: str, undo: str = migrations.RunSQL.noop) -> migrations.RunSQL:
    """A migration step that runs sql/<name>.sql as `role`, one that cannot log in."""
    text = (_SQL / f"{name}.sql").read_text()
    return migrations.RunSQL(f"SET ROLE {role};\n{text}\nRESET ROLE;", undo)
