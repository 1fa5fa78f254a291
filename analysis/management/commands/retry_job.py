from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.jobs import retry
from analysis.models import Job
from studies.acting import Program
from studies.errors import TrialError


class Command(BaseCommand):
    help = "Order a failed job again, with those that failed because they waited for it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", type=int)

    def handle(self, *_: Any, job: int, **__: Any) -> None:
        try:
            retry(Program("retry_job"), job=Job.objects.get(pk=job))
        except Job.DoesNotExist as error:
            raise CommandError(f"There is no job {job}.") from error
        except TrialError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Job {job} is queued again")
