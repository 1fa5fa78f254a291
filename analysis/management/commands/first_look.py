from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.looks import LookTaken, order_look
from analysis.models import Job, Look
from analysis.waiting import wait_for
from studies.acting import Program
from studies.errors import TrialError
from studies.models import Study


class Command(BaseCommand):
    help = "Have the workers run the first look of every study with a frozen plan, and wait (safe to repeat)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", nargs="*", help="codes; without them, all studies with a frozen plan")

    def handle(self, *_: Any, study: list[str], **__: Any) -> None:
        studies = Study.objects.filter(plans__isnull=False).distinct().order_by("pk")
        if study:
            studies = studies.filter(code__in=study)
        if not studies:
            raise CommandError("No study has a frozen plan: run freeze_plan first.")
        looks = [self._first_look(each) for each in studies]
        wait_for(list(Job.objects.filter(cut__looks__in=looks)), self.stdout.write)

    def _first_look(self, study: Study) -> Look:
        try:
            return order_look(Program("first_look"), study=study, number=1)
        except LookTaken:  # by the schedule, or by an earlier run of this
            return Look.objects.get(study=study, number=1)
        except TrialError as error:
            raise CommandError(error.message) from error
