"""The PostgreSQL backend with one addition: each transaction starts by naming its actor and reason.

The audit triggers read them from transaction-local settings, so nothing leaks over a kept
connection, and a savepoint that is rolled back takes nothing away that was set outside it.
"""

from __future__ import annotations

from django.db.backends.postgresql import base

from studies.acting import apply_to


class DatabaseWrapper(base.DatabaseWrapper):
    def set_autocommit(
        self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False
    ) -> None:
        super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
        if not autocommit:
            apply_to(self)
