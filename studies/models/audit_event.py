"""The audit trail, as the open door reads it. Written by the database only."""

from __future__ import annotations

from django.db import models


class AuditEvent(models.Model):
    """One change of one record: who, when (the database's clock), why, from what to what."""

    class Operation(models.TextChoices):
        INSERT = "insert", "Entered"
        UPDATE = "update", "Changed"
        DELETE = "delete", "Removed"

    id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    simulated_at = models.DateTimeField(null=True)
    transaction = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    reason = models.TextField()
    database_role = models.CharField(max_length=63)
    operation = models.CharField(max_length=6, choices=Operation)
    kind = models.CharField(max_length=40)
    record = models.BigIntegerField()
    participant = models.ForeignKey(
        "studies.Participant", on_delete=models.DO_NOTHING, null=True, db_constraint=False, related_name="+"
    )
    old = models.JSONField(null=True)
    new = models.JSONField(null=True)

    class Meta:
        managed = False
        db_table = 'audit"."event'
        ordering = ["-id"]
