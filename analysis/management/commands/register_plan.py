from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.closed_store import register_plan
from analysis.plans import current_plan
from studies.acting import Program
from studies.errors import TrialError
from studies.models import Study


class Command(BaseCommand):
    help = "Let the closed side run the frozen analysis plan of each study (unblinded side: DB_ROLE=unblinded)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", nargs="+")
        parser.add_argument("--sha256", help="refuse any other plan; compare it with the one that was signed")

    def handle(self, *_: Any, study: list[str], sha256: str | None, **__: Any) -> None:
        if settings.DB_ROLE != "unblinded":
            raise CommandError("Only the unblinded side registers plans: set DB_ROLE=unblinded.")
        if sha256 is not None and len(study) > 1:
            raise CommandError("A hash is of one plan: name one study.")
        for code in study:
            self._register(code, sha256)

    def _register(self, code: str, sha256: str | None) -> None:
        found = Study.objects.filter(code=code).first()
        if found is None:
            raise CommandError(f"There is no study {code}.")
        try:
            plan = current_plan(found)
            if sha256 is not None and plan.sha256 != sha256:
                raise CommandError(f"The frozen plan has SHA-256 {plan.sha256}, not {sha256}.")
            new = register_plan(Program("register_plan"), plan=plan)
        except TrialError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{plan}: {'registered' if new else 'was registered before'}")
