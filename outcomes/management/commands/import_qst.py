from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from outcomes.imports.table import open_table
from outcomes.qst_import import Plan, load_device_mapping, plan_export, take_export
from studies.acting import Program
from studies.errors import TrialError
from studies.protocol import DocumentInvalid


class Command(BaseCommand):
    help = "Take the export of a QST device: all of the file or nothing, and the same file once (safe to repeat)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("mapping", type=Path, help="what the columns of the file are (YAML)")
        parser.add_argument("data", type=Path, help="the file, as the device's program wrote it")
        parser.add_argument("--reason", default="", help="why saved sessions change, where the file changes any")
        parser.add_argument("--dry-run", action="store_true", help="show the difference, and write nothing")

    def handle(self, *_: Any, mapping: Path, data: Path, reason: str, dry_run: bool, **__: Any) -> None:
        if settings.DB_ROLE != "app":
            raise CommandError("The open side imports: set DB_ROLE=app.")
        actor = Program("import_qst")
        try:
            loaded = load_device_mapping(mapping.read_text(encoding="utf-8"), name=mapping.name)
            content = open_table(data)
            plan = plan_export(actor, loaded=loaded, content=content, name=data.name)
            self._describe(plan)
            if dry_run:
                self.stdout.write("Dry run: nothing was written.")
                return
            taken = take_export(actor, loaded=loaded, content=content, name=data.name, reason=reason)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise CommandError("Mapping files are written in UTF-8.") from error
        except (DocumentInvalid, TrialError) as error:
            raise CommandError(str(error)) from error
        if taken.new:
            said = f"{taken.sessions} sessions entered, {taken.corrected} corrected, {taken.trials} trials taken."
        else:
            said = f"This file was taken on {taken.file.entered_at:%-d %b %Y}. Nothing was changed."
        self.stdout.write(said)

    def _describe(self, plan: Plan) -> None:
        self.stdout.write(
            f"{plan.table.name} (SHA-256 {plan.table.sha256}): {plan.count('new')} readings are new,"
            f" {plan.count('changed')} differ from what is stored, {plan.count('equal')} are stored already."
        )
        for each in plan.differences:
            if each.kind == "changed":
                self.stdout.write(
                    f"  row {each.row}: {each.participant}, {each.visit}, {each.named}: {each.old} -> {each.new}"
                )
