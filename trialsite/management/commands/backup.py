"""Write one encrypted file that holds everything: the whole database, cuts and closed files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trialsite.services.backup.archive import write_backup
from trialsite.services.backup.encryption import backup_key
from trialsite.services.backup.site import site_of_environment
from trialsite.services.failure import ServicesError


class Command(BaseCommand):
    help = (
        "Back up the database (with its concealed part), cuts and closed files into one encrypted file. "
        "The key comes from TRIALSITE_BACKUP_KEY or TRIALSITE_BACKUP_KEY_FILE, a real server's superuser "
        "from TRIALSITE_BACKUP_DATABASE_URL."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, **options: Any) -> None:
        target: Path = options["file"]
        if target.exists():
            raise CommandError(f"{target} exists already; a backup never replaces another.")
        draft = target.with_name(f"{target.name}.unfinished")
        try:
            key = backup_key(os.environ)
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123
                manifest = write_backup(site_of_environment(), file, key)
                file.flush()
                os.fsync(file.fileno())
        except ServicesError as failure:
            draft.unlink(missing_ok=True)
            raise CommandError(str(failure)) from failure
        draft.rename(target)
        self.stdout.write(
            f"{target}: {len(manifest.tables)} tables and {len(manifest.files)} files "
            f"as of {manifest.taken_at}, {target.stat().st_size:,} bytes, encrypted."
        )
