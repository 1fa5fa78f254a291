from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from analysis.simulated_entry.drug_levels import laboratory_file
from outcomes.concentrations.taking import take_file
from studies.acting import Program
from studies.errors import TrialError
from studies.models import ClosedAccount, Installation, Study


class Command(BaseCommand):
    help = "Draw the drug levels of a simulated trial and take them as a laboratory's file (DB_ROLE=unblinded)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study")
        parser.add_argument("--seed", type=int, required=True)

    def handle(self, *_: Any, study: str, seed: int, **__: Any) -> None:
        if settings.DB_ROLE != "unblinded" or not Installation.objects.filter(demonstration=True).exists():
            raise CommandError("Drug levels are drawn by the unblinded side of a demonstration only.")
        found = Study.objects.filter(code=study).first()
        if found is None:
            raise CommandError(f"There is no study {study}.")
        by = ClosedAccount.objects.filter(study_id=found.pk, role=ClosedAccount.Role.PHARMACIST).first()
        if by is None:
            raise CommandError("Nobody can take them: run demo_closed_accounts first.")
        program = Program("demo_concentrations")
        try:
            content = laboratory_file(program, study=found, seed=seed, until=timezone.now())
            done = take_file(by, study=found, content=content, name="pk-1.csv", laboratory="Simulated", batch="1")
        except TrialError as error:
            raise CommandError(str(error)) from error
        told = f"{done.entered} drug levels taken, {done.below_limit} below the limit" if done.new else "taken before"
        self.stdout.write(told)
