from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.models import Look
from analysis.replay import replay_closed, replay_open
from studies.errors import TrialError

DIFFERS, CANNOT = 1, 2
_SHOWN = 40


class Command(BaseCommand):
    help = (
        "Run a past look again from its cut and plan and compare byte for byte: the open report, or, with "
        "DB_ROLE=unblinded, the closed one. Exit code 0: the same; 1: different, and where; 2: it cannot be run."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("look", type=int, help="the key of a look (list: /api/v1/looks/)")

    def handle(self, *_: Any, look: int, **__: Any) -> None:
        found = Look.objects.select_related("study", "plan", "cut__study").filter(pk=look).first()
        if found is None:
            raise CommandError(f"There is no look with the key {look}.", returncode=CANNOT)
        replay = replay_closed if settings.DB_ROLE == "unblinded" else replay_open
        try:
            discrepancies = replay(found)
        except TrialError as error:
            raise CommandError(error.message, returncode=CANNOT) from error
        for each in discrepancies[:_SHOWN]:
            self.stdout.write(str(each))
        if discrepancies:
            raise CommandError(f"{found}: {len(discrepancies)} places differ.", returncode=DIFFERS)
        self.stdout.write(f"{found}: every byte is the same.")
