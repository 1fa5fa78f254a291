from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outcomes.scoring.checking import check_instrument
from studies.protocol import DocumentInvalid


class Command(BaseCommand):
    help = "Check instrument files without a database: every mistake with its line, then their worked examples."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="file")

    def handle(self, *_: Any, files: list[Path], **__: Any) -> None:
        wrong = [said for said in map(self._check, files) if said]
        if wrong:
            raise CommandError("\n".join(wrong))

    def _check(self, file: Path) -> str:
        """Say what a valid file holds; return what is wrong with another."""
        try:
            instrument = check_instrument(file.read_text(encoding="utf-8"), source=file.name)
        except DocumentInvalid as error:
            return str(error)
        except (OSError, UnicodeDecodeError) as error:
            return f"{file} cannot be read: {error}. Save it as UTF-8."
        if file.stem != instrument.key:
            return f"{file.name} holds the instrument {instrument.key!r}: name the file {instrument.key}.yaml."
        self.stdout.write(
            f"{file.name}: {instrument.name}, version {instrument.version}, is valid; {len(instrument.items)} items,"
            f" {len(instrument.reported_scores())} scores, {len(instrument.examples)} worked examples come out"
        )
        return ""
