"""What the open side knows of an allocation, and deviations from the protocol."""

from __future__ import annotations

from django.db import models

from studies.models.record import Record
from studies.models.same_owner import SameOwner


class Allocation(Record):
    """The randomisation number and kit of a participant. Written by the database's `allocate` only; never the arm.

    Strata are frozen here as they were. A later correction is a deviation, never an edit.
    """

    participant = models.OneToOneField("studies.Participant", on_delete=models.PROTECT, related_name="allocation")
    stratum = models.ForeignKey("studies.Stratum", on_delete=models.PROTECT, null=True)
    strata = models.JSONField()
    randomisation_number = models.CharField(max_length=20, unique=True)
    kit_number = models.CharField(max_length=20, unique=True)
    allocated_at = models.DateTimeField()
    allocated_by = models.CharField(max_length=150)

    def __str__(self) -> str:
        return self.randomisation_number


class StratumCorrection(Record):
    """The stratum in which a participant should have been randomised, found out afterwards. The newest one stands.

    The allocation keeps the stratum as it was, and the analysis goes by that; this is kept beside it (docs/adr/0011).
    """

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="stratum_corrections")
    stratum = models.ForeignKey("studies.Stratum", on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="stratum_correction_has_a_reason",
                condition=~models.Q(reason=""),
                violation_error_message="Say how the stratum came to be wrong.",
            ),
        ]

    def __str__(self) -> str:
        return str(self.stratum)


class Deviation(Record):
    """Something that did not go as the protocol says."""

    class Severity(models.TextChoices):
        MINOR = "minor", "Minor"
        MAJOR = "major", "Major"

    class Kind(models.TextChoices):
        STRATUM = "stratum", "Stratum recorded wrongly at randomisation"
        WINDOW = "window", "Visit out of its window"
        DOSE = "dose", "Infusion incomplete"
        OTHER = "other", "Other"

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="deviations")
    visit = models.ForeignKey("studies.Visit", on_delete=models.PROTECT, null=True, blank=True)
    kind = models.CharField(max_length=10, choices=Kind)
    severity = models.CharField(max_length=5, choices=Severity)
    occurred_on = models.DateField()
    description = models.TextField()

    class Meta:
        constraints = [
            SameOwner(
                name="deviation_at_a_visit_of_the_participant",
                through="visit",
                owner="participant",
                violation_error_message="The visit belongs to another participant. Choose one of this participant's.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.get_severity_display()})"
