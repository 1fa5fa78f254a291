"""The PostgreSQL backend with one addition: a statement inside a transaction runs in the name of who acts.

The audit triggers read actor and reason from transaction-local settings, so nothing leaks over a kept connection.
The settings are written only when they differ from what this transaction was told last: nested verbs of one person
cost nothing, and a transaction that is never used costs nothing.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base

from studies.acting import TELL, Acting, current, told


class DatabaseWrapper(base.DatabaseWrapper):
    # What the open transaction knows of who acts; None where that is not sure.
    _told: Acting | None = None

    def set_autocommit(self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False) -> None:
        self._told = None
        super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)

    def connect(self) -> None:
        self._told = None
        super().connect()

    def _commit(self) -> None:
        self._told = None
        super()._commit()  # type: ignore[misc]

    def _rollback(self) -> None:
        self._told = None
        super()._rollback()  # type: ignore[misc]

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)  # type: ignore[misc]
        # What was set inside the savepoint is gone with it.
        self._told = None

    def _cursor(self, name: str | None = None) -> Any:
        cursor = super()._cursor(name)  # type: ignore[misc]
        if self.in_atomic_block and not self.needs_rollback:
            self._tell()
        return cursor

    def _tell(self) -> None:
        now = current()
        if now == (self._told or Acting()):
            return
        with self.connection.cursor() as cursor:
            cursor.execute(TELL, told())
        self._told = now
