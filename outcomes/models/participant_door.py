"""What opens the participants' door, and who failed at it. Secrets are kept as keyed hashes only.

Neither stamped nor audited: nothing here says anything about a participant's health, rows are removed when they are
of no more use, and what people did with the door (asked for a form, took it back, sent a reminder) is audited where it
belongs (Invitation, Reminder).
"""

from __future__ import annotations

from django.db import models


class DoorKey(models.Model):
    """One way to an invitation: a link or a code, each used once, or a device that holds a cookie."""

    class Kind(models.TextChoices):
        LINK = "link", "Link"
        CODE = "code", "Code"
        DEVICE = "device", "Device"

    invitation = models.ForeignKey("outcomes.Invitation", on_delete=models.CASCADE, related_name="keys")
    kind = models.CharField(max_length=6, choices=Kind)
    digest = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class DoorFailure(models.Model):
    """How often the door was tried in vain from one place, in one stretch of time. The place is a keyed hash."""

    place = models.CharField(max_length=64)
    since = models.DateTimeField()
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(name="door_failures_once", fields=["place", "since"])]
