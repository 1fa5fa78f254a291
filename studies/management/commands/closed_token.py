from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from studies.closed_door import log, new_token
from studies.models import ClosedAccount


class Command(BaseCommand):
    help = "Give an account of the closed door a token for its API; the one before stops working (DB_ROLE=unblinded)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *_: Any, username: str, **__: Any) -> None:
        if settings.DB_ROLE != "unblinded":
            raise CommandError("Only the unblinded side gives tokens to its accounts: set DB_ROLE=unblinded.")
        account = ClosedAccount.objects.filter(username=username, is_active=True).first()
        if account is None:
            raise CommandError(f"There is no account {username} at the closed door.")
        token = new_token(account)
        log(account, "new token")
        self.stdout.write(token)
