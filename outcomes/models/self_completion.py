"""What participants fill in themselves: who was asked for which form, each answer as it came, notes beside it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from outcomes.models.responses import Response
from studies.models import Record, SameOwner, Stamped

# The widest offsets from UTC that a clock can show, in minutes.
OFFSETS = (-14 * 60, 14 * 60)


class Invitation(Record):
    """One form that a participant is asked to fill in alone: at a visit, or for one day of the diary.

    How it is opened (link, code, device) is kept apart in DoorKey. `submitted_at` is the server's clock when the
    participant sent the form off, `submitted_device_at` with its offset the device's.
    """

    class Ending(models.TextChoices):
        SUBMITTED = "submitted", "Sent off by the participant"
        EXPIRED = "expired", "Not finished in time"
        REVOKED = "revoked", "Taken back by the site"
        ENTERED = "entered", "Entered by the site meanwhile"

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="invitations")
    instrument = models.ForeignKey("outcomes.InstrumentVersion", on_delete=models.PROTECT, related_name="+")
    visit = models.ForeignKey("studies.Visit", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    day = models.DateField(null=True, blank=True, help_text="The diary day")
    minute = models.SmallIntegerField(null=True, blank=True, help_text="Minutes from the start of the infusion")
    respondent = models.CharField(max_length=14, blank=True, default="", choices=Response.Respondent)
    opens_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    language = models.CharField(max_length=20, blank=True, default="", help_text="In which it was shown last")
    opened_up_at = models.DateTimeField(null=True, blank=True, help_text="When a link or code to it was last made")
    begun_at = models.DateTimeField(null=True, blank=True, help_text="When a device first opened it")
    submitted_at = models.DateTimeField(null=True, blank=True)
    submitted_device_at = models.DateTimeField(null=True, blank=True)
    submitted_offset_minutes = models.SmallIntegerField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_because = models.CharField(max_length=9, choices=Ending, blank=True)
    response = models.OneToOneField(
        Response, on_delete=models.PROTECT, null=True, blank=True, related_name="invitation"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="invitation_open_once",
                fields=["participant", "instrument", "visit", "day", "minute", "respondent"],
                condition=Q(closed_at__isnull=True),
                nulls_distinct=False,
                violation_error_message="The participant has been asked for this form already.",
            ),
            models.UniqueConstraint(name="invitation_of_participant", fields=["id", "participant"]),
            SameOwner(
                name="invitation_at_a_visit_of_the_participant",
                through="visit",
                owner="participant",
                violation_error_message=(
                    "The visit belongs to another participant. Choose one of this participant's own."
                ),
            ),
            SameOwner(
                name="invitation_gave_a_response_of_the_participant",
                through="response",
                owner="participant",
                violation_error_message="The response belongs to another participant.",
            ),
            models.CheckConstraint(
                name="invitation_has_a_visit_or_a_day",
                condition=Q(visit__isnull=False, day__isnull=True) | Q(visit__isnull=True, day__isnull=False),
            ),
            models.CheckConstraint(
                name="invitation_expires_after_it_opens", condition=Q(expires_at__gt=models.F("opens_at"))
            ),
            models.CheckConstraint(
                name="invitation_closed_and_why_together",
                condition=Q(closed_at__isnull=True, closed_because="")
                | (Q(closed_at__isnull=False) & ~Q(closed_because="")),
            ),
            models.CheckConstraint(
                name="invitation_submitted_is_closed",
                condition=(Q(submitted_at__isnull=True) & ~Q(closed_because="submitted"))
                | Q(submitted_at__isnull=False, closed_because__in=["submitted", "entered"]),
            ),
            models.CheckConstraint(
                name="invitation_device_time_with_its_offset",
                condition=Q(submitted_device_at__isnull=True, submitted_offset_minutes__isnull=True)
                | Q(submitted_device_at__isnull=False, submitted_offset_minutes__range=OFFSETS),
            ),
        ]
        indexes = [
            models.Index(name="invitation_open", fields=["expires_at"], condition=Q(closed_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.instrument}, {self.visit.code if self.visit else self.day}"


class OwnAnswer(Stamped):
    """One answer as it came from a device. Never changed: a change of mind is a further row (database/sql).

    Not a record kind: it is itself the trail of how the response came about. `key` is chosen by the device, so that
    an answer that was sent twice is kept once. `device_at` with its offset is the device's clock, empty where no script
    ran there; `answered_at` is the server's: the receipt less the time that the answer waited on the device.
    """

    invitation = models.ForeignKey(Invitation, on_delete=models.PROTECT, related_name="answers")
    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="+")
    key = models.UUIDField()
    item = models.CharField(max_length=30)
    value = models.FloatField(null=True)
    missing_reason = models.CharField(max_length=20, null=True)  # noqa: DJ001 - null: not missing
    device_at = models.DateTimeField(null=True)
    device_offset_minutes = models.SmallIntegerField(null=True)
    answered_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="own_answer_received_after_it_was_given", condition=Q(answered_at__lte=models.F("received_at"))
            ),
            models.UniqueConstraint(name="own_answer_once", fields=["invitation", "key"]),
            SameOwner(
                name="own_answer_of_the_one_who_was_asked",
                through="invitation",
                owner="participant",
                violation_error_message="The form was meant for another participant.",
            ),
            models.CheckConstraint(
                name="own_answer_value_or_missing_reason",
                condition=Q(value__isnull=False, missing_reason__isnull=True)
                | Q(value__isnull=True, missing_reason__isnull=False),
            ),
            models.CheckConstraint(
                name="own_answer_device_time_with_its_offset",
                condition=Q(device_at__isnull=True, device_offset_minutes__isnull=True)
                | Q(device_at__isnull=False, device_offset_minutes__range=OFFSETS),
            ),
        ]


class Clarification(Record):
    """What the site writes beside a participant's own answers, which nobody edits. `item` may be empty: the form."""

    response = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="clarifications")
    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="+")
    item = models.CharField(max_length=30, blank=True)
    text = models.TextField()

    class Meta:
        constraints = [
            SameOwner(
                name="clarification_of_the_participants_response",
                through="response",
                owner="participant",
                violation_error_message="The response belongs to another participant.",
            ),
            models.CheckConstraint(
                name="clarification_says_something",
                condition=~Q(text=""),
                violation_error_message="Write what was clarified.",
            ),
        ]
