from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from studies.demonstration import block_of, make_closed_accounts
from studies.errors import TrialError
from studies.models import Study


class Command(BaseCommand):
    help = "Make one account per role at the closed door, in demonstrations only (DB_ROLE=unblinded; safe to repeat)."

    def handle(self, *_: Any, **__: Any) -> None:
        if settings.DB_ROLE != "unblinded":
            raise CommandError("Only the unblinded side makes its accounts: set DB_ROLE=unblinded.")
        studies = list(Study.objects.order_by("pk"))
        if not studies:
            raise CommandError("There is no study yet; load a protocol first.")
        try:
            logins = make_closed_accounts(studies)
        except TrialError as error:
            raise CommandError(error.message) from error
        self.stdout.write(block_of("Closed", logins))
