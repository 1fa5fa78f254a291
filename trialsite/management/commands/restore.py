"""Restore a backup into an empty server and prove that everything is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trialsite.services.backup.archive import read_backup
from trialsite.services.backup.encryption import backup_key
from trialsite.services.backup.site import site_of_environment
from trialsite.services.failure import ServicesError


class Command(BaseCommand):
    help = (
        "Restore a backup into an empty database and empty folders, then compare every table and file "
        "with the hashes taken at the backup. Keys and addresses as for backup."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            with options["file"].open("rb") as file:
                manifest = read_backup(site_of_environment(), file, backup_key(os.environ))
        except (ServicesError, FileNotFoundError) as failure:
            raise CommandError(str(failure)) from failure
        self.stdout.write(
            f"Restored the site as of {manifest.taken_at}: {len(manifest.tables)} tables and "
            f"{len(manifest.files)} files, all equal to the backup."
        )
