from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.look_results import make_masked_report
from analysis.models import Look
from studies.errors import TrialError


class Command(BaseCommand):
    help = "Make the report of a look with masked arms, A and B, for a half-blind DSMB (DB_ROLE=unblinded)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study")
        parser.add_argument("number", type=int)

    def handle(self, *_: Any, study: str, number: int, **__: Any) -> None:
        if settings.DB_ROLE != "unblinded":
            raise CommandError("Only the unblinded side masks arms: set DB_ROLE=unblinded.")
        looks = Look.objects.select_related("study", "plan", "cut__study")
        look = looks.filter(study__code=study, number=number).first()
        if look is None:
            raise CommandError(f"There is no look {number} of {study}.")
        try:
            sha256 = make_masked_report(look, note=self.stderr.write)
        except TrialError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{look}: masked report sealed, SHA-256 {sha256}")
