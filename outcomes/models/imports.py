"""Files that data came from."""

from __future__ import annotations

from django.db import models
from django.db.models import CharField, F, Func, Value
from django.db.models.lookups import Exact

from studies.models import Record, Stamped


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


class OriginalFile(Stamped):
    """The bytes of an imported file and the mapping that read them, unchanged for ever.

    Not audited row by row: the audited `ImportedFile` names the hash, the database holds the bytes to it, and nobody
    may change or remove them.
    """

    imported_file = models.OneToOneField(ImportedFile, on_delete=models.PROTECT, related_name="original")
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    mapping_name = models.CharField(max_length=200)
    mapping = models.TextField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="original_file_is_what_its_hash_says",
                condition=Exact(
                    Func(
                        Func(F("content"), function="sha256"), Value("hex"), function="encode", output_field=CharField()
                    ),
                    F("sha256"),
                ),
                violation_error_message="The content is not what its SHA-256 says.",
            )
        ]

    def __str__(self) -> str:
        return self.imported_file.name
