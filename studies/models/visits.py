"""Visits with their windows."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from studies.models.record import Record


class Visit(Record):
    """One planned or unscheduled visit of one participant. Windows are moments: a day ends at the site's midnight."""

    class Status(models.TextChoices):
        PLANNED = "planned", "Planned"
        DONE = "done", "Done"
        MISSED = "missed", "Missed"

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="visits")
    code = models.CharField(max_length=10)
    position = models.PositiveSmallIntegerField()
    target_on = models.DateField(null=True, blank=True)
    opens_at = models.DateTimeField(null=True, blank=True)
    closes_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.PLANNED)
    missed_reason = models.CharField(max_length=200, blank=True)
    out_of_window = models.BooleanField(default=False)

    class Meta:
        ordering = ["participant", "position"]
        constraints = [
            models.UniqueConstraint(name="visit_once", fields=["participant", "position"]),
            models.UniqueConstraint(
                name="visit_code_once",
                fields=["participant", "code"],
                violation_error_message="The participant has this visit already.",
            ),
            models.UniqueConstraint(name="visit_of_participant", fields=["id", "participant"]),
            # An imported visit took place on a day that nobody tells; one that did not has no start.
            models.CheckConstraint(
                name="only_a_visit_that_took_place_has_a_start",
                condition=Q(status="done") | Q(started_at__isnull=True),
                violation_error_message="A visit that did not take place has no start.",
            ),
            models.CheckConstraint(
                name="visit_window_opens_before_it_closes",
                condition=Q(opens_at__isnull=True, closes_at__isnull=True) | Q(opens_at__lte=F("closes_at")),
            ),
            models.CheckConstraint(
                name="missed_visit_has_a_reason",
                condition=(~Q(status="missed") & Q(missed_reason="")) | (Q(status="missed") & ~Q(missed_reason="")),
                violation_error_message="Say why the visit was missed.",
            ),
        ]

    def __str__(self) -> str:
        return self.code
