"""Instruments as loaded from their files (outcomes/instruments/*.yaml)."""

from __future__ import annotations

from django.db import models

from studies.models import Record


class InstrumentVersion(Record):
    """One version of an instrument. A response points to the version it was answered under."""

    key = models.SlugField(max_length=40)
    version = models.CharField(max_length=20)
    scoring_version = models.CharField(max_length=20)
    name = models.CharField(max_length=200)
    arm_revealing = models.BooleanField(default=False)
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(name="instrument_version_once", fields=["key", "version"])]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
