"""Quantitative sensory testing: sessions, single trials as measured, and the values computed from them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from studies.models import Record, SameOwner, Stamped


class Area(models.TextChoices):
    TEST = "test", "Test area"
    CONTROL = "control", "Control area"


class ValueArea(models.TextChoices):
    """Where a value belongs; `side` is the test area minus the control area."""

    TEST = "test", "Test area"
    CONTROL = "control", "Control area"
    SIDE = "side", "Test minus control"


class Side(models.TextChoices):
    LEFT = "left", "Left"
    RIGHT = "right", "Right"
    MIDLINE = "midline", "Midline"


class QSTSession(Record):
    """One session of the DFNS protocol at one visit.

    test_area, control_area: as the reference table names them. tester_membership: the role under which the tester
    belonged to the site's team, where the name is that of one of its members.
    """

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="qst_sessions")
    visit = models.OneToOneField("studies.Visit", on_delete=models.PROTECT, related_name="qst_session")
    tested_at = models.DateTimeField()
    tester = models.CharField(max_length=150)
    tester_masked = models.BooleanField(default=True)
    test_area = models.CharField(max_length=30)
    control_area = models.CharField(max_length=30, blank=True)
    room_temperature_c = models.DecimalField(max_digits=3, decimal_places=1, null=True, blank=True)
    device = models.CharField(max_length=100, blank=True)
    tester_membership = models.ForeignKey(
        "studies.Membership", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    room = models.CharField(max_length=60, blank=True)
    test_side = models.CharField(max_length=7, choices=Side, blank=True)
    test_body_site = models.CharField(max_length=80, blank=True)
    control_side = models.CharField(max_length=7, choices=Side, blank=True)
    control_body_site = models.CharField(max_length=80, blank=True)
    skin_temperature_c = models.DecimalField(max_digits=3, decimal_places=1, null=True, blank=True)
    start_temperature_c = models.DecimalField(max_digits=3, decimal_places=1, null=True, blank=True)
    duration_minutes = models.PositiveSmallIntegerField(null=True, blank=True)
    analgesic_last_12h = models.BooleanField(null=True, blank=True)
    imported_file = models.ForeignKey(
        "outcomes.ImportedFile", on_delete=models.PROTECT, null=True, blank=True, related_name="qst_sessions"
    )

    class Meta:
        verbose_name = "QST session"
        constraints = [
            models.UniqueConstraint(name="qst_session_of_participant", fields=["id", "participant"]),
            SameOwner(
                name="qst_session_at_a_visit_of_the_participant",
                through="visit",
                owner="participant",
                violation_error_message="The visit belongs to another participant. Choose one of this participant's.",
            ),
            models.CheckConstraint(
                name="qst_session_conditions_are_possible",
                condition=(Q(room_temperature_c__isnull=True) | Q(room_temperature_c__range=(5, 45)))
                & (Q(skin_temperature_c__isnull=True) | Q(skin_temperature_c__range=(10, 45)))
                & (Q(start_temperature_c__isnull=True) | Q(start_temperature_c__range=(0, 50)))
                & (Q(duration_minutes__isnull=True) | Q(duration_minutes__range=(1, 480))),
                violation_error_message="A room has 5 to 45 °C, skin 10 to 45 °C, a thermode 0 to 50 °C;"
                " a session takes 1 to 480 minutes.",
            ),
        ]

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
                name="qst_trial_is_of_an_area",
                condition=Q(area__in=["test", "control"]),
                violation_error_message="A trial belongs to the test or the control area.",
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
    area = models.CharField(max_length=7, choices=ValueArea)
    parameter = models.CharField(max_length=30)
    value = models.FloatField(null=True)
    z = models.FloatField(null=True)
    missing_reason = models.CharField(max_length=60, null=True)  # noqa: DJ001 - null: not missing
    reference = models.CharField(max_length=40, blank=True)
    reference_sha256 = models.CharField(max_length=64, blank=True)
    rules_version = models.CharField(max_length=20, default="1", help_text="Of the rules it was computed by")

    class Meta:
        verbose_name = "QST value"
        constraints = [
            models.UniqueConstraint(name="qst_value_once", fields=["session", "area", "parameter"]),
            models.CheckConstraint(
                name="qst_value_or_missing_reason",
                condition=Q(value__isnull=False, missing_reason__isnull=True)
                | Q(value__isnull=True, missing_reason__isnull=False),
            ),
            SameOwner(
                name="qst_value_of_the_participants_session",
                through="session",
                owner="participant",
                violation_error_message="The session belongs to another participant.",
            ),
        ]
