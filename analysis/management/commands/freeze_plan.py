from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.plans import freeze_plan
from studies.acting import Program
from studies.errors import TrialError
from studies.models import Study


class Command(BaseCommand):
    help = "Freeze the analysis plan of a study's newest protocol version (safe to repeat)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study")

    def handle(self, *_: Any, study: str, **__: Any) -> None:
        found = Study.objects.filter(code=study).first()
        if found is None:
            raise CommandError(f"There is no study {study}; load its protocol first.")
        try:
            plan = freeze_plan(Program("freeze_plan"), protocol_version=found.protocol_versions.latest("id"))
        except TrialError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{plan}: SHA-256 {plan.sha256}")
