"""Accounts of the closed door: signing in, and what each role may see there."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import check_password, make_password
from django.db import connection
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from studies.models import ClosedAccount, Study

FAILURES_BEFORE_LOCK = 10
LOCKED_FOR = timedelta(minutes=15)
Role = ClosedAccount.Role


def create_account(*, study: Study, username: str, name: str, role: str, password: str) -> ClosedAccount:
    """Create or renew an account of the closed door, from the command line of the unblinded side."""
    account, _ = ClosedAccount.objects.update_or_create(
        username=username,
        defaults={"study_id": study.pk, "name": name, "role": role, "password": make_password(password)},
    )
    return account


def new_token(account: ClosedAccount) -> str:
    """A token for the closed API; only its SHA-256 is kept."""
    token = secrets.token_urlsafe(32)
    account.token_sha256 = hashlib.sha256(token.encode()).hexdigest()
    account.save(update_fields=["token_sha256"])
    return token


def account_of_token(token: str) -> ClosedAccount | None:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return ClosedAccount.objects.filter(token_sha256=digest, is_active=True).first()


class ClosedAccountBackend(BaseBackend):
    """Signs in accounts of the concealed schema; none of the open door's users exists here."""

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> ClosedAccount | None:
        if not username or password is None:
            return None
        account = ClosedAccount.objects.filter(username=username, is_active=True).first()
        if account is None:
            make_password(password)  # takes the time a real check takes
            return None
        if _locked(account) or not check_password(password, account.password):
            _count_failure(account)
            return None
        _forget_failures(account)
        return account

    def get_user(self, user_id: int) -> ClosedAccount | None:  # type: ignore[override]
        return ClosedAccount.objects.filter(pk=user_id, is_active=True).first()


def _locked(account: ClosedAccount) -> bool:
    return account.locked_until is not None and account.locked_until > timezone.now()


def _count_failure(account: ClosedAccount) -> None:
    ClosedAccount.objects.filter(pk=account.pk).update(failed_logins=F("failed_logins") + 1)
    account.refresh_from_db()
    if account.failed_logins >= FAILURES_BEFORE_LOCK:
        ClosedAccount.objects.filter(pk=account.pk).update(failed_logins=0, locked_until=timezone.now() + LOCKED_FOR)


def _forget_failures(account: ClosedAccount) -> None:
    if account.failed_logins:
        ClosedAccount.objects.filter(pk=account.pk).update(failed_logins=0)


def may_read_closed_results(account: ClosedAccount, study: Study) -> bool:
    return account.study_id == study.pk and (account.role == Role.UNBLINDED_STATISTICIAN or of_dsmb(account))


def of_dsmb(account: ClosedAccount) -> bool:
    """Members of the committee, its chair among them."""
    return account.role in (Role.DSMB_MEMBER, Role.DSMB_CHAIR)


def may_recommend(account: ClosedAccount, study: Study) -> bool:
    """The chair records what the committee recommends, and releases it."""
    return account.study_id == study.pk and account.role == Role.DSMB_CHAIR


def may_read_failures(account: ClosedAccount, study: Study) -> bool:
    """Why a job of the unblinded side failed may tell arms: for the one who can repair it."""
    return account.study_id == study.pk and account.role == Role.UNBLINDED_STATISTICIAN


def may_read_masking(account: ClosedAccount, study: Study) -> bool:
    """Which label of a masked report is which arm: who reads the masked reports asks the one who knows both."""
    return account.study_id == study.pk and account.role == Role.UNBLINDED_STATISTICIAN


def may_prepare_kits(account: ClosedAccount, study: Study) -> bool:
    return account.study_id == study.pk and account.role == Role.PHARMACIST


def may_take_concentrations(account: ClosedAccount, study: Study) -> bool:
    """Drug levels tell arms: for who sees arms anyway and receives what laboratories send."""
    return account.study_id == study.pk and account.role in (Role.PHARMACIST, Role.UNBLINDED_STATISTICIAN)


def log(account: ClosedAccount, what: str) -> None:
    """Write what an account did into the concealed trail."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO concealed.event (actor, what, study_id) VALUES (%s, %s, %s)",
            [account.username, what, account.study_id],
        )
