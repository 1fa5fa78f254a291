from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.dataset_files import write_blinded, write_unblinded
from analysis.models import DataCut
from studies.errors import TrialError


class Command(BaseCommand):
    help = (
        "Write the analysis data sets of a cut: participant level, and one row a participant, parameter and timepoint. "
        "With DB_ROLE=unblinded those with the arms. Safe to repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("cut", help="the cut's name, for example KALM-cut-1")

    def handle(self, *_: Any, cut: str, **__: Any) -> None:
        known = DataCut.objects.select_related("study").filter(name=cut).first()
        if known is None:
            raise CommandError(f"There is no cut {cut}.")
        write = write_unblinded if settings.DB_ROLE == "unblinded" else write_blinded
        try:
            folder = write(known)
        except TrialError as error:
            raise CommandError(error.message) from error
        for file in sorted(path.name for path in folder.iterdir()):
            self.stdout.write(str(folder / file))
