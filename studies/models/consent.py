"""Consent: which version, when, obtained by whom; and its withdrawal."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Q

from studies.models.record import Record


class Consent(Record):
    """A participant's signature under one consent version. What may be collected follows from the one in force."""

    class Scope(models.TextChoices):
        TREATMENT = "treatment", "Treatment only: follow-up data may still be collected"
        COLLECTION = "collection", "Any further data: what was collected stays"

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="consents")
    version = models.CharField(max_length=20)
    signed_at = models.DateTimeField()
    obtained_by = models.ForeignKey("studies.User", on_delete=models.PROTECT, related_name="+")
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawal_scope = models.CharField(max_length=12, choices=Scope, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="consent_version_signed_once",
                fields=["participant", "version"],
                condition=Q(withdrawn_at__isnull=True),
                violation_error_message="This version has already been signed.",
            ),
            models.CheckConstraint(
                name="consent_withdrawal_time_and_scope_together",
                condition=Q(withdrawn_at__isnull=True, withdrawal_scope="")
                | (Q(withdrawn_at__isnull=False) & ~Q(withdrawal_scope="")),
            ),
            models.CheckConstraint(
                name="consent_withdrawn_after_it_was_signed",
                condition=Q(withdrawn_at__isnull=True) | Q(withdrawn_at__gte=models.F("signed_at")),
                violation_error_message="The withdrawal lies before the signature.",
            ),
        ]

    def __str__(self) -> str:
        return f"Consent {self.version}"

    @property
    def is_current(self) -> bool:
        """Whether it is the version that was in force at the site on the day it was signed."""
        site = self.participant.site
        day = self.signed_at.astimezone(ZoneInfo(site.time_zone)).date()
        in_force = self.participant.protocol_version.definition.consent_in_force(day, site.code)
        return in_force is not None and in_force.version == self.version

    @property
    def came_first(self) -> bool:
        """Whether nothing was found out about the participant before the signature."""
        return not self.participant.findings.filter(entered_at__lt=self.signed_at).exists()
