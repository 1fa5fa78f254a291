"""The study, its protocol versions, sites and strata."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from studies.models.record import Record

if TYPE_CHECKING:
    from studies.protocol import ProtocolDefinition


class Installation(models.Model):
    """One row that says what this database is for. Only the owner can write it (see database/grants.py)."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    demonstration = models.BooleanField(default=False)

    class Meta:
        constraints = [models.CheckConstraint(name="installation_is_one_row", condition=Q(id=1))]


class Study(Record):
    """A trial. What it is follows from its protocol versions."""

    class Origin(models.TextChoices):
        CONDUCTED = "conducted", "Conducted here"
        IMPORTED = "imported", "Finished elsewhere and imported"

    code = models.SlugField(max_length=20, unique=True)
    title = models.CharField(max_length=300)
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.CONDUCTED)
    demonstration = models.BooleanField(default=False)
    time_zone = models.CharField(max_length=50, default="UTC")
    import_attestation = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return self.code


class ProtocolVersion(Record):
    """One version of a protocol file, kept as it was loaded. Participants stay under the version they enrolled in."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="protocol_versions")
    version = models.CharField(max_length=20)
    source = models.TextField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="protocol_version_once", fields=["study", "version"]),
            models.UniqueConstraint(name="protocol_version_of_study", fields=["id", "study"]),
        ]

    def __str__(self) -> str:
        return f"{self.study} protocol {self.version}"

    @cached_property
    def definition(self) -> ProtocolDefinition:
        from studies.protocol import cached_definition  # noqa: PLC0415 - pydantic only when needed

        return cached_definition(self.source)


class Site(Record):
    """A place that enrols participants. Its time zone decides on which day a window closes."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="sites")
    code = models.CharField(max_length=10)
    name = models.CharField(max_length=200)
    country = models.CharField(max_length=2)
    time_zone = models.CharField(max_length=50)
    planned_participants = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="site_code_once", fields=["study", "code"]),
            models.UniqueConstraint(name="site_of_study", fields=["id", "study"]),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class Stratum(Record):
    """One cell of the stratification: it has a randomisation list of its own, in the concealed schema."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="strata")
    code = models.CharField(max_length=80)
    levels = models.JSONField()

    class Meta:
        verbose_name_plural = "strata"
        constraints = [
            models.UniqueConstraint(name="stratum_code_once", fields=["study", "code"]),
            models.UniqueConstraint(name="stratum_of_study", fields=["id", "study"]),
        ]

    def __str__(self) -> str:
        return self.code
