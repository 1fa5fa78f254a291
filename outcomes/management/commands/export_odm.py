from __future__ import annotations

from io import StringIO
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
        text = StringIO()
        created_at = timezone.now().isoformat(timespec="seconds")
        try:
            count = export_odm(found, text, created_at=created_at, identifying=not without_identifying)
            if out is None:
                self.stdout.write(text.getvalue())
            else:
                out.write_text(text.getvalue(), encoding="utf-8")
        except TrialError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error
        self.stderr.write(f"{count} values written")
