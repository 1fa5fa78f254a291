"""Accounts and sessions of the closed door. Their tables are in the concealed schema: `app` cannot read them."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models


class ClosedAccount(AbstractBaseUser):
    """A person who may see arms. Whoever works on both sides has two accounts."""

    class Role(models.TextChoices):
        PHARMACIST = "pharmacist", "Pharmacist"
        UNBLINDED_STATISTICIAN = "unblinded_statistician", "Unblinded statistician"
        DSMB_MEMBER = "dsmb_member", "DSMB member"
        DSMB_CHAIR = "dsmb_chair", "DSMB chair"

    username = models.CharField(max_length=150, unique=True)
    name = models.CharField(max_length=150)
    role = models.CharField(max_length=30, choices=Role)
    study_id = models.BigIntegerField()
    is_active = models.BooleanField(default=True)
    token_sha256 = models.CharField(max_length=64, blank=True)
    failed_logins = models.PositiveIntegerField(default=0)
    locked_until = models.DateTimeField(null=True, blank=True)

    USERNAME_FIELD = "username"

    class Meta:
        managed = False
        db_table = 'concealed"."account'

    @property
    def display_name(self) -> str:
        return self.name


class ClosedSession(AbstractBaseSession):
    class Meta:
        managed = False
        db_table = 'concealed"."session'

    @classmethod
    def get_session_store_class(cls) -> type:
        from studies.closed_sessions import SessionStore  # noqa: PLC0415 - it imports this module

        return SessionStore
