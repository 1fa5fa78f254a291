"""Data cuts: what is known of a snapshot. Its rows are in Parquet files, never here."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from studies.models import Record


class DataCut(Record):
    """One consistent snapshot of a study, written once and never changed."""

    class Status(models.TextChoices):
        ORDERED = "ordered", "Ordered"
        TAKEN = "taken", "Taken"
        FAILED = "failed", "Failed"

    study = models.ForeignKey("studies.Study", on_delete=models.PROTECT, related_name="cuts")
    name = models.CharField(max_length=60, unique=True, help_text="The folder's name; carries no meaning")
    status = models.CharField(max_length=7, choices=Status, default=Status.ORDERED)
    ordered_by = models.CharField(max_length=150)
    taken_at = models.DateTimeField(null=True, blank=True)
    manifest_sha256 = models.CharField(max_length=64, blank=True)
    rows = models.PositiveIntegerField(null=True, blank=True)
    cells = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="taken_cut_has_time_and_hash",
                condition=~Q(status="taken") | (Q(taken_at__isnull=False) & ~Q(manifest_sha256="")),
            )
        ]

    def __str__(self) -> str:
        return self.name
