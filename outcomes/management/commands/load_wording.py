from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outcomes.wording import load_wording
from studies.acting import Program
from studies.errors import TrialError
from studies.protocol import DocumentInvalid


class Command(BaseCommand):
    help = "Load a licence-holder's wording of an instrument (docs/wording.md). Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        try:
            loaded = load_wording(Program("load_wording"), text=file.read_text(encoding="utf-8"), source=file.name)
        except (DocumentInvalid, TrialError) as error:
            raise CommandError(str(error)) from error
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}. Save it as UTF-8.") from error
        self.stdout.write(f"{loaded}: loaded; shown on forms from now on")
