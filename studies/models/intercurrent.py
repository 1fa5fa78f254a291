"""Intercurrent events that people record; those that follow from other records are read from there."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from studies.models.record import Record


class IntercurrentEvent(Record):
    """A dated event after randomisation that changes what a value means (ICH E9(R1)), by its number in the protocol.

    It deletes no data: what it means is decided where an estimand's analysis uses it.
    """

    class Source(models.TextChoices):
        PARTICIPANT = "participant", "Told by the participant"
        DIARY = "diary", "Diary"
        MEDICAL_RECORD = "medical_record", "Medical record or prescriber"
        OTHER = "other", "Other"

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="intercurrent_events")
    event = models.CharField(max_length=10, help_text="Its number in the protocol, such as ICE-2")
    started_on = models.DateField()
    ended_on = models.DateField(null=True, blank=True)
    description = models.CharField(max_length=300, help_text="What was taken or done, and how much")
    source = models.CharField(max_length=14, choices=Source)

    class Meta:
        ordering = ["participant", "started_on", "id"]
        constraints = [
            models.UniqueConstraint(
                name="intercurrent_event_once",
                fields=["participant", "event", "started_on"],
                violation_error_message="This event is recorded with this first day already. Open it to correct it.",
            ),
            models.CheckConstraint(
                name="intercurrent_event_ends_after_it_starts",
                condition=Q(ended_on__isnull=True) | Q(ended_on__gte=F("started_on")),
                violation_error_message="The event ends before it starts.",
            ),
            models.CheckConstraint(
                name="intercurrent_event_is_described",
                condition=~Q(description=""),
                violation_error_message="Say what was taken or done.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} from {self.started_on:%-d %b %Y}"
