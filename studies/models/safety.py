"""Adverse events and alerts to the site's physician."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from studies.models.record import Record
from studies.models.same_owner import SameOwner

PARTIAL_DATE = r"^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$"


class AdverseEvent(Record):
    """An untoward occurrence. Severity (grade) is not seriousness. Partial dates stay as they were told."""

    class Relatedness(models.TextChoices):
        NOT_RELATED = "not_related", "Not related"
        UNLIKELY = "unlikely", "Unlikely"
        POSSIBLE = "possible", "Possible"
        PROBABLE = "probable", "Probable"
        DEFINITE = "definite", "Definite"

    class Outcome(models.TextChoices):
        RECOVERED = "recovered", "Recovered"
        RECOVERING = "recovering", "Recovering"
        ONGOING = "ongoing", "Not recovered"
        SEQUELAE = "sequelae", "Recovered with sequelae"
        FATAL = "fatal", "Fatal"
        UNKNOWN = "unknown", "Unknown"

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="adverse_events")
    number = models.PositiveSmallIntegerField()
    term = models.CharField(max_length=200)
    started_on = models.CharField(max_length=10, help_text="ISO 8601; year or year and month when the day is not known")
    ended_on = models.CharField(max_length=10, blank=True)
    grade = models.PositiveSmallIntegerField(help_text="CTCAE v5, 1 to 5")
    serious = models.BooleanField(default=False)
    seriousness = models.JSONField(default=list, blank=True)
    relatedness = models.CharField(max_length=12, choices=Relatedness)
    outcome = models.CharField(max_length=12, choices=Outcome)
    treatment_emergent = models.BooleanField(default=False)

    class Meta:
        ordering = ["participant", "number"]
        constraints = [
            models.UniqueConstraint(name="adverse_event_number_once", fields=["participant", "number"]),
            models.CheckConstraint(name="adverse_event_grade_1_to_5", condition=Q(grade__range=(1, 5))),
            models.CheckConstraint(
                name="adverse_event_dates_are_partial_dates",
                condition=Q(started_on__regex=PARTIAL_DATE) & (Q(ended_on="") | Q(ended_on__regex=PARTIAL_DATE)),
                violation_error_message="Give the date as 2026, 2026-11 or 2026-11-24.",
            ),
            models.CheckConstraint(
                name="serious_event_names_its_criterion",
                condition=(Q(serious=True) & ~Q(seriousness=[])) | Q(serious=False, seriousness=[]),
                violation_error_message="A serious event names at least one criterion of seriousness.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number}. {self.term}"


class SafetyAlert(Record):
    """A task for the site's physician raised by what was entered, to be acknowledged in time.

    Whom it was mailed to, when, and to whom it went on when nobody acknowledged it: user names, never addresses.
    """

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="safety_alerts")
    code = models.CharField(max_length=40)
    source_kind = models.CharField(max_length=40)
    source_record = models.BigIntegerField()
    raised_at = models.DateTimeField()
    due_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=150, blank=True)
    action_taken = models.TextField(blank=True)
    told_at = models.DateTimeField(null=True, blank=True)
    told_to = models.JSONField(default=list, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    escalated_to = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="alert_once", fields=["code", "source_kind", "source_record"]),
            models.CheckConstraint(
                name="acknowledgement_time_name_and_action_together",
                condition=Q(acknowledged_at__isnull=True, acknowledged_by="", action_taken="")
                | (Q(acknowledged_at__isnull=False) & ~Q(acknowledged_by="") & ~Q(action_taken="")),
                violation_error_message="An alert is acknowledged by somebody, at a time, with what was done.",
            ),
        ]


class Finding(Record):
    """A named fact that measurement hands up to conduct (eligibility, stop rules, what is due), with its source."""

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="findings")
    visit = models.ForeignKey("studies.Visit", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    minute = models.SmallIntegerField(null=True, blank=True, help_text="Of the infusion clock")
    key = models.CharField(max_length=60)
    number = models.FloatField(null=True, blank=True)
    text = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001 - a finding is a number or a text
    source_kind = models.CharField(max_length=40)
    source_record = models.BigIntegerField()
    source_field = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="finding_once", fields=["key", "source_kind", "source_record", "source_field"]
            ),
            models.CheckConstraint(
                name="finding_is_a_number_or_a_text",
                condition=Q(number__isnull=False, text__isnull=True) | Q(number__isnull=True, text__isnull=False),
            ),
            SameOwner(
                name="finding_at_a_visit_of_the_participant",
                through="visit",
                owner="participant",
                violation_error_message="The visit belongs to another participant. Choose one of this participant's.",
            ),
        ]
        indexes = [models.Index(name="finding_by_participant", fields=["participant", "key"])]
