from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis import cuts
from analysis.models import DataCut
from studies.errors import TrialError


class Command(BaseCommand):
    help = "Recompute the SHA-256 of every file of a cut and compare it with the manifest and the database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("cut", help="the cut's name, for example KALM-cut-1")

    def handle(self, *_: Any, cut: str, **__: Any) -> None:
        known = DataCut.objects.filter(name=cut).first()
        if known is None:
            raise CommandError(f"There is no cut {cut}.")
        try:
            verified = cuts.verify_pair(cut, sha256=known.manifest_sha256)
        except TrialError as error:
            raise CommandError(error.message) from error
        files = len(verified.manifest["files"])
        self.stdout.write(f"{cut}: {files} files are as its manifest says (SHA-256 {verified.sha256})")
