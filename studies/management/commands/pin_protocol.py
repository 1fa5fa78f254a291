from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from studies.acting import Program
from studies.errors import TrialError
from studies.pinned_protocols import pin_protocol
from studies.protocol import DocumentInvalid


class Command(BaseCommand):
    help = "Let the unblinded side go by a later protocol version (DB_ROLE=unblinded), from a file of its own."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the approved file, not a copy from the open side")

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        if settings.DB_ROLE != "unblinded":
            raise CommandError("Only the unblinded side pins protocols: set DB_ROLE=unblinded.")
        try:
            new = pin_protocol(Program("pin_protocol"), text=file.read_text(), source=file.name)
        except DocumentInvalid as error:
            raise CommandError(str(error)) from error
        except TrialError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{file.name}: {'pinned' if new else 'was pinned before'}")
