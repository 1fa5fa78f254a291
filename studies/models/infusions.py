"""Infusion day: the blinded record. Volume and rate are the same in every arm; milligrams are never here."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from studies.models.record import Record
from studies.models.same_owner import SameOwner


class Infusion(Record):
    """One administration of blinded study drug. Holds volumes and rates; the dose follows from the arm."""

    participant = models.OneToOneField("studies.Participant", on_delete=models.PROTECT, related_name="infusion")
    visit = models.OneToOneField("studies.Visit", on_delete=models.PROTECT, related_name="infusion")
    kit_number = models.CharField(max_length=20)
    weight_kg = models.DecimalField(max_digits=4, decimal_places=1)
    planned_volume_ml = models.DecimalField(max_digits=6, decimal_places=2)
    planned_rate_ml_h = models.DecimalField(max_digits=6, decimal_places=1)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    delivered_volume_ml = models.DecimalField(max_digits=7, decimal_places=3, null=True, blank=True)
    delivered_percent = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    pump_volume_ml = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="infusion_ends_after_it_starts",
                condition=Q(ended_at__isnull=True) | Q(ended_at__gt=F("started_at")),
                violation_error_message="The infusion ends before it starts.",
            ),
            models.CheckConstraint(
                name="infusion_weight_is_plausible",
                condition=Q(weight_kg__range=(35, 250)),
                violation_error_message="Weight is outside 35 to 250 kg.",
            ),
            models.UniqueConstraint(name="infusion_of_participant", fields=["id", "participant"]),
            SameOwner(
                name="infusion_at_a_visit_of_the_participant",
                through="visit",
                owner="participant",
                violation_error_message="The visit belongs to another participant. Choose one of this participant's.",
            ),
        ]

    def __str__(self) -> str:
        return f"Infusion of {self.started_at:%d %b %Y}"


class InfusionSegment(Record):
    """A stretch of the infusion at one rate. Rate 0 is a hold."""

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="+")
    infusion = models.ForeignKey(Infusion, on_delete=models.PROTECT, related_name="segments")
    start_min = models.DecimalField(max_digits=6, decimal_places=2)
    end_min = models.DecimalField(max_digits=6, decimal_places=2)
    rate_ml_h = models.DecimalField(max_digits=6, decimal_places=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="segment_start_once", fields=["infusion", "start_min"]),
            models.CheckConstraint(
                name="segment_ends_after_it_starts",
                condition=Q(end_min__gt=F("start_min")) & Q(start_min__gte=0) & Q(rate_ml_h__gte=0),
            ),
            SameOwner(
                name="segment_of_the_participants_infusion",
                through="infusion",
                owner="participant",
                violation_error_message="The infusion belongs to another participant. Open this participant's.",
            ),
        ]


class Reading(Record):
    """One vital sign or sedation score at one timepoint of the infusion clock. Arm-revealing.

    One taken before the start waits for its infusion, and joins it when the infusion starts.
    """

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="readings")
    infusion = models.ForeignKey(Infusion, on_delete=models.PROTECT, null=True, blank=True, related_name="readings")
    minute = models.SmallIntegerField(help_text="Nominal minutes from the start of the infusion")
    parameter = models.CharField(max_length=20)
    taken_at = models.DateTimeField()
    value = models.DecimalField(max_digits=7, decimal_places=2, null=True, blank=True)
    missing_reason = models.CharField(max_length=20, null=True, blank=True)  # noqa: DJ001 - null means "not missing"

    class Meta:
        ordering = ["minute", "parameter"]
        constraints = [
            models.UniqueConstraint(name="reading_once", fields=["participant", "minute", "parameter"]),
            models.CheckConstraint(
                name="only_an_early_reading_waits_for_its_infusion",
                condition=Q(infusion__isnull=False) | Q(minute__lt=0),
                violation_error_message="A reading from minute 0 on belongs to an infusion that has started.",
            ),
            models.CheckConstraint(
                name="reading_value_or_missing_reason",
                condition=Q(value__isnull=False, missing_reason__isnull=True)
                | Q(value__isnull=True, missing_reason__isnull=False),
                violation_error_message="Give a value, or say why there is none.",
            ),
            SameOwner(
                name="reading_of_the_participants_infusion",
                through="infusion",
                owner="participant",
                violation_error_message="The infusion belongs to another participant. Open this participant's.",
            ),
        ]


class SafetyEvent(Record):
    """A safety rule of the protocol that fired, with the readings that fired it. Never edited. Arm-revealing."""

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="+")
    infusion = models.ForeignKey(Infusion, on_delete=models.PROTECT, related_name="safety_events")
    rule = models.CharField(max_length=10)
    action = models.CharField(max_length=20)
    minute = models.SmallIntegerField()
    readings = models.JSONField()

    class Meta:
        constraints = [
            SameOwner(
                name="safety_event_of_the_participants_infusion",
                through="infusion",
                owner="participant",
                violation_error_message="The infusion belongs to another participant. Open this participant's.",
            ),
        ]
