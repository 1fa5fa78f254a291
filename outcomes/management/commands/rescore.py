from __future__ import annotations

import itertools
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outcomes import rescoring
from outcomes.models import Score
from studies.acting import Program

SHOWN = 20


class Command(BaseCommand):
    help = "Recompute scores from the raw answers; --check changes nothing and fails if one differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *_: Any, check: bool, **__: Any) -> None:
        if not check:
            changed = rescoring.rescore(Program("rescore"))
            self.stdout.write(f"{len(changed)} scores changed")
            return
        wrong = list(itertools.islice(rescoring.differences(), SHOWN))
        for difference in wrong:
            self.stdout.write(
                f"response {difference.response_id}, {difference.instrument} {difference.name}:"
                f" stored {difference.stored}, recomputed {difference.recomputed}"
            )
        if wrong:
            raise CommandError("Stored scores differ from what their answers give.")
        computed = Score.objects.filter(imported=False).count()
        self.stdout.write(f"{computed} stored scores equal their recomputation")
