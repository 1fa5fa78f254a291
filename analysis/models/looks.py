"""Analysis plans and interim looks. What a look found by arm is in the concealed schema, never here."""

from __future__ import annotations

from django.db import models

from studies.models import Record


class Plan(Record):
    """The analysis plan of a protocol version, as frozen for looks. Its text never changes; it is signed once."""

    study = models.ForeignKey("studies.Study", on_delete=models.PROTECT, related_name="plans")
    protocol_version = models.ForeignKey("studies.ProtocolVersion", on_delete=models.PROTECT, related_name="plans")
    version = models.CharField(max_length=20)
    source = models.TextField(help_text="Canonical JSON")
    sha256 = models.CharField(max_length=64)
    change_reason = models.TextField(blank=True, help_text="Why it differs from the version before")
    signed_by = models.CharField(max_length=150, blank=True)
    signed_name = models.CharField(max_length=300, blank=True)
    signed_at = models.DateTimeField(null=True, blank=True)
    signed_meaning = models.CharField(max_length=300, blank=True, help_text="What the signature stands for")

    class Meta:
        constraints = [
            models.UniqueConstraint(name="plan_version_once", fields=["study", "version"]),
            models.CheckConstraint(
                name="plan_signature_is_whole",
                condition=models.Q(signed_at__isnull=True, signed_by="", signed_name="", signed_meaning="")
                | (models.Q(signed_at__isnull=False) & ~models.Q(signed_by="") & ~models.Q(signed_name="")),
                violation_error_message="A signature says who signed and when.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study} plan {self.version}"


class Look(Record):
    """One interim or final look: a number is taken once, for one cut under one plan."""

    class Status(models.TextChoices):
        ORDERED = "ordered", "Ordered"
        REPORTED = "reported", "Reported"
        FAILED = "failed", "Failed"

    study = models.ForeignKey("studies.Study", on_delete=models.PROTECT, related_name="looks")
    number = models.PositiveSmallIntegerField()
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="looks")
    cut = models.ForeignKey("analysis.DataCut", on_delete=models.PROTECT, related_name="looks")
    planned = models.BooleanField(default=True)
    unplanned_reason = models.TextField(blank=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.ORDERED)
    closed_status = models.CharField(max_length=8, choices=Status, default=Status.ORDERED)
    ordered_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["study", "number"]
        constraints = [
            models.UniqueConstraint(name="look_number_is_taken_once", fields=["study", "number"]),
            models.UniqueConstraint(name="one_look_per_cut", fields=["study", "cut"]),
            models.CheckConstraint(
                name="unplanned_look_has_a_reason",
                condition=models.Q(planned=True, unplanned_reason="")
                | (models.Q(planned=False) & ~models.Q(unplanned_reason="")),
                violation_error_message="Say why this look was not planned; it spends alpha.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study} look {self.number}"


class OpenReport(models.Model):
    """The open report of a look: pooled, computed from the blinded cut, the same bytes when arms are permuted."""

    look = models.OneToOneField(Look, on_delete=models.PROTECT, related_name="open_report")
    result = models.BinaryField(help_text="result.json, canonical bytes")
    sha256 = models.CharField(max_length=64)
    html = models.BinaryField()
    pdf = models.BinaryField()
    made_at = models.DateTimeField()


class Recommendation(Record):
    """What the DSMB recommended after a look, as far as it released it: one of three wordings, and no more.

    Written by the unblinded side. The grounds, and who recorded it, are in the concealed schema.
    """

    class Says(models.TextChoices):
        CONTINUE = "continue", "Continue as planned"
        MODIFY = "modify", "Continue with changes, which the DSMB writes to the sponsor"
        STOP = "stop", "Stop the trial; the DSMB writes to the sponsor"

    look = models.OneToOneField(Look, on_delete=models.PROTECT, related_name="recommendation")
    says = models.CharField(max_length=8, choices=Says)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="recommendation_is_one_of_three",
                condition=models.Q(says__in=["continue", "modify", "stop"]),
                violation_error_message="A recommendation is continue, modify or stop.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.look}: {self.get_says_display()}"
