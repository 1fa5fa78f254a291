from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from studies.acting import Program
from studies.errors import ProtocolConflict
from studies.protocol import DocumentInvalid
from studies.protocols import load_protocol


class Command(BaseCommand):
    help = "Load a protocol file (safe to repeat; a changed file needs a new version number)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        try:
            version = load_protocol(Program("load_protocol"), text=file.read_text(), source=file.name)
        except (DocumentInvalid, ProtocolConflict) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{version}: {version.study.sites.count()} sites, {version.study.strata.count()} strata")
