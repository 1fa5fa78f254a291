"""Quantitative sensory testing: sessions, single trials as measured, and the values computed from them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from studies.models import Record, Stamped


class Area(models.TextChoices):
    TEST = "test", "Test area"
    CONTROL = "control", "Control area"


class QSTSession(Record):
    """One session of the DFNS protocol at one visit."""

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="qst_sessions")
    visit = models.OneToOneField("studies.Visit", on_delete=models.PROTECT, related_name="qst_session")
    tested_at = models.DateTimeField()
    tester = models.CharField(max_length=150)
    tester_masked = models.BooleanField(default=True)
    test_area = models.CharField(max_length=30)
    control_area = models.CharField(max_length=30, blank=True)
    room_temperature_c = models.DecimalField(max_digits=3, decimal_places=1, null=True, blank=True)
    device = models.CharField(max_length=100, blank=True)

    class Meta:
        verbose_name = "QST session"

    def __str__(self) -> str:
        return f"QST of {self.tested_at:%d %b %Y}"


class QSTTrial(Record):
    """One stimulus as it was measured, or the reason why it was not."""

    session = models.ForeignKey(QSTSession, on_delete=models.PROTECT, related_name="trials")
    area = models.CharField(max_length=7, choices=Area)
    parameter = models.CharField(max_length=6)
    direction = models.CharField(max_length=12, blank=True)
    trial = models.PositiveSmallIntegerField()
    value = models.FloatField(null=True, blank=True)
    missing_reason = models.CharField(max_length=20, null=True, blank=True)  # noqa: DJ001 - null: not missing
    cutoff = models.BooleanField(default=False, help_text="The device's limit was reached: the value is censored")

    class Meta:
        verbose_name = "QST trial"
        constraints = [
            models.UniqueConstraint(
                name="qst_trial_once", fields=["session", "area", "parameter", "direction", "trial"]
            ),
            models.CheckConstraint(
                name="qst_trial_value_or_missing_reason",
                condition=Q(value__isnull=False, missing_reason__isnull=True)
                | Q(value__isnull=True, missing_reason__isnull=False),
                violation_error_message="Give a value, or say why there is none.",
            ),
        ]


class QSTValue(Stamped):
    """A parameter computed from its trials, with its z-score and the reference it was compared with."""

    session = models.ForeignKey(QSTSession, on_delete=models.PROTECT, related_name="values")
    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="qst_values")
    area = models.CharField(max_length=7, choices=Area)
    parameter = models.CharField(max_length=20)
    value = models.FloatField(null=True)
    z = models.FloatField(null=True)
    missing_reason = models.CharField(max_length=60, null=True)  # noqa: DJ001 - null: not missing
    reference = models.CharField(max_length=40, blank=True)
    reference_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = "QST value"
        constraints = [
            models.UniqueConstraint(name="qst_value_once", fields=["session", "area", "parameter"]),
            models.CheckConstraint(
                name="qst_value_or_missing_reason",
                condition=Q(value__isnull=False, missing_reason__isnull=True)
                | Q(value__isnull=True, missing_reason__isnull=False),
            ),
        ]
