from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from outcomes.instrument_versions import load_instruments
from outcomes.models import InstrumentVersion
from studies.acting import Program
from studies.errors import ProtocolConflict
from studies.protocol import DocumentInvalid


class Command(BaseCommand):
    help = "Register every instrument file, and corrections of scoring rules. Safe to repeat."

    def handle(self, *_: Any, **__: Any) -> None:
        before = dict(InstrumentVersion.objects.values_list("pk", "scoring_version"))
        try:
            loaded = load_instruments(Program("load_instruments"))
        except (DocumentInvalid, ProtocolConflict) as error:
            raise CommandError(str(error)) from error
        for version in loaded:
            if version.pk not in before:
                self.stdout.write(f"{version.key} {version.version}: new")
            elif version.scoring_version != before[version.pk]:
                self.stdout.write(
                    f"{version.key} {version.version}: scoring version {before[version.pk]} ->"
                    f" {version.scoring_version}; run rescore --instrument {version.key}"
                )
        self.stdout.write(f"{len(loaded)} instruments are in use")
