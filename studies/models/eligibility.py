"""Eligibility: each criterion answered or derived, and the decision taken on them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from studies.models.record import Record


class CriterionResult(Record):
    """The state of one criterion for one participant. Unknown blocks randomisation."""

    class Result(models.TextChoices):
        MET = "met", "Met"
        NOT_MET = "not_met", "Not met"
        UNKNOWN = "unknown", "Not yet known"

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="criteria")
    criterion = models.CharField(max_length=10)
    result = models.CharField(max_length=8, choices=Result)
    answer = models.BooleanField(null=True, help_text="What a person answered, where the protocol asks")
    comment = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="criterion_once", fields=["participant", "criterion"]),
        ]

    def __str__(self) -> str:
        return f"{self.criterion}: {self.get_result_display()}"


class EligibilityDecision(Record):
    """The investigator's decision to include or not."""

    participant = models.OneToOneField(
        "studies.Participant", on_delete=models.PROTECT, related_name="eligibility_decision"
    )
    included = models.BooleanField()
    decided_at = models.DateTimeField()
    decided_by = models.ForeignKey("studies.User", on_delete=models.PROTECT, related_name="+")
    failed_criteria = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="nobody_is_included_with_failed_criteria",
                condition=Q(included=False) | Q(failed_criteria=[]),
                violation_error_message="A participant with a failed criterion cannot be included.",
            )
        ]
