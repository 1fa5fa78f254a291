from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.cuts import order_cut
from analysis.models import DataCut
from analysis.waiting import wait_for
from studies.acting import Program
from studies.models import Study


class Command(BaseCommand):
    help = "Order a data cut of a study; the blinded worker takes it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study")
        parser.add_argument("--wait", action="store_true", help="until it is taken")

    def handle(self, *_: Any, study: str, wait: bool, **__: Any) -> None:
        found = Study.objects.filter(code=study).first()
        if found is None:
            raise CommandError(f"There is no study {study}.")
        cut = order_cut(Program("take_cut"), study=found)
        if wait:
            wait_for(list(cut.jobs.all()), self.stdout.write)
        cut = DataCut.objects.get(pk=cut.pk)
        self.stdout.write(f"{cut.name}: {cut.get_status_display().lower()} {cut.manifest_sha256}".rstrip())
