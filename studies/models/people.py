"""People of the open door and what they may do where. Those of the closed door are in closed_accounts.py."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q

from studies.models.record import Record
from studies.models.same_owner import SameOwner


class User(AbstractUser):
    """A person who signs in at the open door. Never deleted, so that the audit trail keeps its names."""

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.username


class Role(models.TextChoices):
    COORDINATOR = "coordinator", "Study coordinator"
    INVESTIGATOR = "investigator", "Investigator"
    INFUSION_NURSE = "infusion_nurse", "Infusion nurse"
    EFFICACY_RATER = "efficacy_rater", "Efficacy rater"
    DATA_MANAGER = "data_manager", "Data manager"
    MONITOR = "monitor", "Monitor"
    STATISTICIAN = "statistician", "Statistician (blinded)"
    AUDITOR = "auditor", "Auditor"
    ADMINISTRATOR = "administrator", "System administrator"


class Membership(Record):
    """One role of one person in one study, at one site or (site empty) at all of them."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    study = models.ForeignKey("studies.Study", on_delete=models.PROTECT, related_name="memberships")
    site = models.ForeignKey(
        "studies.Site", on_delete=models.PROTECT, null=True, blank=True, related_name="memberships"
    )
    role = models.CharField(max_length=20, choices=Role)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="membership_once",
                fields=["user", "study", "site", "role"],
                condition=Q(ended_at__isnull=True),
                nulls_distinct=False,
                violation_error_message="This person already holds this role there.",
            ),
            SameOwner(
                name="membership_at_a_site_of_the_study",
                through="site",
                owner="study",
                violation_error_message="The site belongs to another study. Choose one of this study.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user.username}: {self.get_role_display()}"
