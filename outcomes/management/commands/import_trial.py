from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from outcomes.imports.arms import unblinded_process
from outcomes.imports.mapping import load_mapping
from outcomes.imports.table import open_table
from outcomes.imports.taking import ProtocolFile, Source, import_trial, read_source, refuse_changes, stored_protocol
from studies.acting import Program
from studies.errors import TrialError
from studies.models import Study
from studies.protocol import DocumentInvalid, ProtocolDefinition, load


class Command(BaseCommand):
    help = "Bring a finished trial into the study's tables: all of its file or nothing (safe to repeat)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("mapping", type=Path, help="what the columns of the file are (YAML)")
        parser.add_argument("data", type=Path, help="the file (CSV); it is read and kept nowhere")
        parser.add_argument("--protocol", type=Path, help="load this protocol file first")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, and write nothing")

    def handle(self, *_: Any, mapping: Path, data: Path, protocol: Path | None, dry_run: bool, **__: Any) -> None:
        if settings.DB_ROLE != "app":
            raise CommandError("The open side imports: set DB_ROLE=app. Arms go to the unblinded side by themselves.")
        try:
            loaded = load_mapping(mapping.read_text(encoding="utf-8"), name=mapping.name)
            file = ProtocolFile(protocol.read_text(encoding="utf-8"), protocol.name) if protocol else None
            definition = load(file.text, source=file.name) if file else stored_protocol(loaded.mapping).definition
            source = read_source(loaded, definition, content=open_table(data), name=data.name)
            if dry_run:
                self._rehearse(source, definition)
            else:
                self._take(source, file)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise CommandError("Mapping and protocol files are written in UTF-8.") from error
        except (DocumentInvalid, TrialError) as error:
            raise CommandError(str(error)) from error

    def _rehearse(self, source: Source, definition: ProtocolDefinition) -> None:
        study = Study.objects.filter(code=definition.study.code).first()
        self._describe(source)
        if study is not None and study.participants.exists():
            refuse_changes(study, source)
            self.stdout.write(f"{study} holds all of this already. Nothing would be written.")
        else:
            self.stdout.write("Dry run: nothing was written.")

    def _take(self, source: Source, protocol_file: ProtocolFile | None) -> None:
        with unblinded_process() as closed_side:
            done = import_trial(
                Program("import_trial"), source=source, protocol_file=protocol_file, closed_side=closed_side
            )
        self._describe(source)
        if done.arms_handed_over:
            self.stdout.write(
                "The arms are with the unblinded side. The file still holds them: take it away from here."
            )
        if not done.new:
            self.stdout.write(f"{done.study} held all of this already. Nothing was changed.")

    def _describe(self, source: Source) -> None:
        trial = source.trial
        self.stdout.write(
            f"{source.loaded.mapping.study}: {len(trial.participants)} participants, {len(trial.visits_done)} visits,"
            f" {trial.values_given} values in {trial.rows} rows of {source.table.name}"
            f" (SHA-256 {source.table.sha256}); {trial.left_out} rows left out by the mapping"
        )
        if trial.columns_left_out:
            self.stdout.write(f"Columns the mapping does not take: {', '.join(trial.columns_left_out)}")
