from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from studies import protocol


class Command(BaseCommand):
    help = "Check a protocol file without a database: every mistake with its path and line."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        try:
            definition = protocol.load(file.read_text(), source=file.name)
        except protocol.DocumentInvalid as error:
            raise CommandError(str(error)) from error
        for warning in protocol.check(definition):
            self.stdout.write(self.style.WARNING(f"warning: {warning.path}: {warning.message}"))
        self.stdout.write(f"{file.name}: {definition.study.code} version {definition.study.version} is valid")
