from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outcomes import rescoring
from outcomes.models import Score
from outcomes.scoring import UnknownInstrument
from studies.acting import Program
from studies.errors import TrialError

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Recompute scores from the raw answers, showing old and new; --check changes nothing and fails if one differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a score differs")
        parser.add_argument("--instrument", default="", help="only scores of this instrument")
        parser.add_argument("--reason", default="", help="why, for the audit trail")
        parser.add_argument("--all", action="store_true", help=f"show every difference, not the first {SHOWN}")

    def handle(self, *_: Any, check: bool, instrument: str, reason: str, **options: Any) -> None:
        try:
            if check:
                self._check(instrument, everything=options["all"])
                return
            changed = rescoring.rescore(Program("rescore"), instrument=instrument, reason=reason)
        except (TrialError, UnknownInstrument) as error:
            raise CommandError(str(error)) from error
        self._show(changed, everything=options["all"])
        relabelled = sum(difference.same_value for difference in changed)
        self.stdout.write(f"{len(changed) - relabelled} scores changed")
        if relabelled:
            self.stdout.write(f"{relabelled} scores are the same by a later version of their rule")

    def _check(self, instrument: str, *, everything: bool) -> None:
        wrong = list(rescoring.differences(instrument))
        if wrong:
            self._show(wrong, everything=everything)
            raise CommandError(f"{len(wrong)} stored scores differ from what their answers give.")
        computed = Score.objects.filter(imported=False)
        if instrument:
            computed = computed.filter(response__instrument__key=instrument)
        self.stdout.write(f"{computed.count()} stored scores equal their recomputation")

    def _show(self, found: Iterable[rescoring.Difference], *, everything: bool) -> None:
        told = sorted(found, key=lambda difference: difference.same_value)
        for difference in told if everything else told[:SHOWN]:
            self.stdout.write(str(difference))
        if not everything and len(told) > SHOWN:
            self.stdout.write(f"... and {len(told) - SHOWN} more (--all shows them)")
