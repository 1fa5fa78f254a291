"""How participants are asked for what they fill in themselves: their wishes, reminders, and whom they call."""

from __future__ import annotations

from datetime import time

from django.db import models

from studies.models import Record, SameOwner


class ContactPreference(Record):
    """How and when a participant wants to be asked. Addresses are elsewhere, encrypted (studies/identity.py)."""

    class Language(models.TextChoices):
        SITE = "", "As at the site"
        ENGLISH = "en", "English"
        GERMAN = "de", "Deutsch"

    participant = models.OneToOneField(
        "studies.Participant", on_delete=models.PROTECT, related_name="contact_preference"
    )
    language = models.CharField(max_length=2, choices=Language, blank=True, default="")
    time_zone = models.CharField(max_length=50, blank=True, help_text="Empty: that of the site")
    reminders = models.BooleanField(default=True)
    remind_at = models.TimeField(default=time(19))
    quiet_from = models.TimeField(default=time(21))
    quiet_to = models.TimeField(default=time(8))


class Reminder(Record):
    """One e-mail that asks for one diary day. The row is made before the e-mail is sent: at most one a day."""

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="reminders")
    invitation = models.ForeignKey("outcomes.Invitation", on_delete=models.PROTECT, related_name="reminders")
    day = models.DateField()
    sent_at = models.DateTimeField(null=True, blank=True)
    failure = models.CharField(max_length=200, blank=True, help_text="Why it was not sent; no address in it")

    class Meta:
        constraints = [
            models.UniqueConstraint(name="reminder_once_a_day", fields=["participant", "day"]),
            SameOwner(
                name="reminder_of_the_one_who_was_asked",
                through="invitation",
                owner="participant",
                violation_error_message="The form was meant for another participant.",
            ),
        ]


class SiteContact(Record):
    """Whom the participants of a site call, and the help line shown beside questions about suicidal thoughts."""

    site = models.OneToOneField("studies.Site", on_delete=models.PROTECT, related_name="contact")
    telephone = models.CharField(max_length=40, blank=True)
    help_line = models.CharField(max_length=200, blank=True)
