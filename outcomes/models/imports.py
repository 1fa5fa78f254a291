"""Files that data came from."""

from __future__ import annotations

from django.db import models

from studies.models import Record


class ImportedFile(Record):
    """A file as it arrived, known by its SHA-256, with the mapping that read it."""

    study = models.ForeignKey("studies.Study", on_delete=models.PROTECT, related_name="imported_files")
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    bytes = models.PositiveIntegerField()
    mapping_sha256 = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(name="imported_file_once", fields=["study", "sha256"])]

    def __str__(self) -> str:
        return self.name
