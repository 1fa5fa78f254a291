from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from studies.demonstration import block_of, make_open_accounts
from studies.errors import TrialError
from studies.models import Study


class Command(BaseCommand):
    help = "Make one account per role at the open door, in demonstrations only (DB_ROLE=app; safe to repeat)."

    def handle(self, *_: Any, **__: Any) -> None:
        studies = list(Study.objects.order_by("pk"))
        if not studies:
            raise CommandError("There is no study yet; load a protocol first.")
        try:
            logins = make_open_accounts(studies)
        except TrialError as error:
            raise CommandError(error.message) from error
        self.stdout.write(block_of("Open", logins))
