"""Participants, and apart from them, encrypted, how to reach them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from studies.models.record import Record
from studies.models.same_owner import SameOwner


class Participant(Record):
    """A person in the study, known by numbers only. The arm is never stored here."""

    class Status(models.TextChoices):
        SCREENING = "screening", "In screening"
        SCREEN_FAILURE = "screen_failure", "Screen failure"
        RANDOMISED = "randomised", "Randomised"
        COMPLETED = "completed", "Completed"
        WITHDRAWN = "withdrawn", "Withdrawn"

    class Sex(models.TextChoices):
        FEMALE = "F", "Female"
        MALE = "M", "Male"

    study = models.ForeignKey("studies.Study", on_delete=models.PROTECT, related_name="participants")
    site = models.ForeignKey("studies.Site", on_delete=models.PROTECT, related_name="participants")
    protocol_version = models.ForeignKey("studies.ProtocolVersion", on_delete=models.PROTECT)
    identifier = models.CharField(max_length=30)
    screening_number = models.PositiveIntegerField()
    status = models.CharField(max_length=20, choices=Status, default=Status.SCREENING)
    sex = models.CharField(max_length=1, choices=Sex, blank=True)
    birth = models.CharField(max_length=10, blank=True, help_text="Year, or year and month (ISO 8601)")
    age_years = models.PositiveSmallIntegerField(null=True, blank=True, help_text="On the day of consent")
    stratum = models.ForeignKey("studies.Stratum", on_delete=models.PROTECT, null=True, blank=True)
    planned_infusion_on = models.DateField(null=True, blank=True)
    ended_on = models.DateField(null=True, blank=True)
    end_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["identifier"]
        constraints = [
            models.UniqueConstraint(name="participant_identifier_once", fields=["study", "identifier"]),
            models.UniqueConstraint(name="screening_number_once", fields=["site", "screening_number"]),
            models.CheckConstraint(
                name="participant_birth_is_a_partial_date",
                condition=Q(birth="") | Q(birth__regex=r"^\d{4}(-(0[1-9]|1[0-2])(-\d\d)?)?$"),
                violation_error_message="Give the year (1974) or the year and month (1974-05) of birth.",
            ),
            models.CheckConstraint(
                name="participant_age_is_plausible",
                condition=Q(age_years__isnull=True) | Q(age_years__range=(0, 120)),
            ),
            # An imported participation was completed on a day that nobody tells: the trigger of
            # database/sql/invariants.sql asks for it in a study that is conducted here.
            models.CheckConstraint(
                name="a_participation_that_ended_has_its_day",
                condition=Q(status__in=["screening", "randomised"], ended_on__isnull=True, end_reason="")
                | Q(status__in=["screen_failure", "withdrawn"], ended_on__isnull=False)
                | Q(status="completed"),
                violation_error_message="A participation that has ended has its last day, and no other has one.",
            ),
            SameOwner(
                name="participant_at_a_site_of_the_study",
                through="site",
                owner="study",
                violation_error_message="The site belongs to another study. Choose one of this study.",
            ),
            SameOwner(
                name="participant_under_a_protocol_of_the_study",
                through="protocol_version",
                owner="study",
                violation_error_message="The protocol belongs to another study.",
            ),
            SameOwner(
                name="participant_in_a_stratum_of_the_study",
                through="stratum",
                owner="study",
                violation_error_message="The stratum belongs to another study. Choose one of this study.",
            ),
        ]

    def __str__(self) -> str:
        return self.identifier


class ContactDetails(Record):
    """How to reach a participant: one encrypted text (studies/identity.py), read by the site's staff only."""

    participant = models.OneToOneField(Participant, on_delete=models.PROTECT, related_name="contact")
    ciphertext = models.BinaryField()

    class Meta:
        verbose_name_plural = "contact details"
