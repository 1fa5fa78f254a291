"""What every row of the trial carries: who entered it when, who changed it last, and its change number.

The database stamps these columns itself (studies/database/sql/stamp.sql), so that raw SQL and bulk
statements are stamped too. Python never writes them.
"""

from __future__ import annotations

from django.db import models


class Stamped(models.Model):
    """A row that knows when it was entered and which transaction last changed it.

    (changed_in, change_no) orders all changes: "changed since" hands out rows whose `changed_in` lies
    below the oldest running transaction, so that a slow one is never missed (docs/adr/0006).
    """

    entered_at = models.DateTimeField(editable=False, blank=True)
    entered_by = models.CharField(max_length=150, editable=False, blank=True)
    changed_at = models.DateTimeField(editable=False, blank=True)
    changed_by = models.CharField(max_length=150, editable=False, blank=True)
    changed_in = models.BigIntegerField(editable=False, blank=True)
    change_no = models.BigIntegerField(editable=False, blank=True)
    simulated = models.BooleanField(editable=False, default=False)

    class Meta:
        abstract = True


class Record(Stamped):
    """A clinical record: every change of it is written to the audit trail, with its actor and reason.

    A record kind is the model's name in lower case; with the record's key and a field's name it makes the
    address of a data point, the same in audit events, findings, the API and exports.
    """

    class Meta:
        abstract = True


def record_kinds() -> dict[str, type[Record]]:
    """All record kinds, by name."""
    from django.apps import apps  # noqa: PLC0415 - the registry is filled after this module

    return {m._meta.model_name or "": m for m in apps.get_models() if issubclass(m, Record)}


def stamped_models() -> list[type[Stamped]]:
    from django.apps import apps  # noqa: PLC0415

    return [m for m in apps.get_models() if issubclass(m, Stamped)]
