"""Wording that licence-holders bring: that it is there is audited, its text stays on this installation."""

from __future__ import annotations

from django.db import models

from studies.models import Record, Stamped


class InstrumentWording(Record):
    """One version of an instrument's wording in one language, and who permitted its use. The text is apart."""

    instrument = models.ForeignKey("outcomes.InstrumentVersion", on_delete=models.PROTECT, related_name="wordings")
    language = models.CharField(max_length=20, help_text="A language tag such as de or pt-BR")
    version = models.CharField(max_length=20)
    permission = models.CharField(max_length=300, help_text="Who allowed its use here, and until when")
    source_name = models.CharField(max_length=200, help_text="The file it came from")
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="wording_once", fields=["instrument", "language", "version"]),
        ]

    def __str__(self) -> str:
        return f"{self.instrument.key} {self.language} {self.version}"


class WordingText(Stamped):
    """The text of a wording. No record kind: the audit trail, cuts and exports must not carry it; the wording's
    hash in the trail proves it. Never changed: a new text is a new version."""

    wording = models.OneToOneField(InstrumentWording, on_delete=models.PROTECT, related_name="text")
    content = models.JSONField()
