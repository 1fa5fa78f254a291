from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from outcomes.interchange.exporting import export_odm
from studies.errors import TrialError
from studies.models import Study


class Command(BaseCommand):
    help = "Write what was imported of a study as CDISC ODM-XML 1.3.2."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study")
        parser.add_argument("--out", type=Path, help="the file; standard output without it")
        parser.add_argument(
            "--without-identifying", action="store_true", help="leave out what its definition calls identifying"
        )

    def handle(self, *_: Any, study: str, out: Path | None, without_identifying: bool, **__: Any) -> None:
        found = Study.objects.filter(code=study).first()
        if found is None:
            raise CommandError(f"There is no study {study}.")
        created_at = timezone.now().isoformat(timespec="seconds")
        try:
            with out.open("w", encoding="utf-8") if out else nullcontext(sys.stdout) as stream:
                count = export_odm(found, stream, created_at=created_at, identifying=not without_identifying)
        except TrialError as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"{count} values written")
