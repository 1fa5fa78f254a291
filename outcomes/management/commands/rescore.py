from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outcomes import qst_rescoring, rescoring
from outcomes.models import QSTValue, Score
from outcomes.scoring import UnknownInstrument
from studies.acting import Program
from studies.errors import TrialError

SHOWN = 20
QST = "qst"
Differences = Iterable[rescoring.Difference | qst_rescoring.QSTDifference]


class Command(BaseCommand):
    help = (
        "Recompute scores from the raw answers, and QST values from their trials, showing old and new; --check changes"
        " nothing and fails if one differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a score or value differs")
        parser.add_argument("--instrument", default="", help=f"only scores of this instrument; {QST}: only QST values")
        parser.add_argument("--reason", default="", help="why, for the audit trail")
        parser.add_argument("--all", action="store_true", help=f"show every difference, not the first {SHOWN}")

    def handle(self, *_: Any, check: bool, instrument: str, reason: str, **options: Any) -> None:
        try:
            if check:
                self._check(instrument, everything=options["all"])
            else:
                self._rescore(instrument, reason, everything=options["all"])
        except (TrialError, UnknownInstrument) as error:
            raise CommandError(str(error)) from error

    def _rescore(self, instrument: str, reason: str, *, everything: bool) -> None:
        if instrument != QST:
            changed = rescoring.rescore(Program("rescore"), instrument=instrument, reason=reason)
            self._tell("scores", changed, "a later version of their rule", everything=everything)
        if instrument in ("", QST):
            values = qst_rescoring.rescore_qst(Program("rescore"), reason=reason)
            self._tell("QST values", values, "another reference file or later rules", everything=everything)

    def _tell(self, what: str, changed: Differences, by: str, *, everything: bool) -> None:
        found = list(changed)
        self._show(found, everything=everything)
        relabelled = sum(difference.same_value for difference in found)
        self.stdout.write(f"{len(found) - relabelled} {what} changed")
        if relabelled:
            self.stdout.write(f"{relabelled} {what} are the same by {by}")

    def _check(self, instrument: str, *, everything: bool) -> None:
        wrong = [] if instrument == QST else list(rescoring.differences(instrument))
        values = list(qst_rescoring.qst_differences()) if instrument in ("", QST) else []
        self._show([*wrong, *values], everything=everything)
        if wrong:
            raise CommandError(f"{len(wrong)} stored scores differ from what their answers give.")
        if values:
            raise CommandError(f"{len(values)} stored QST values differ from what their trials give.")
        if instrument != QST:
            computed = Score.objects.filter(imported=False)
            if instrument:
                computed = computed.filter(response__instrument__key=instrument)
            self.stdout.write(f"{computed.count()} stored scores equal their recomputation")
        if instrument in ("", QST):
            self.stdout.write(f"{QSTValue.objects.count()} stored QST values equal their recomputation")

    def _show(self, found: Differences, *, everything: bool) -> None:
        told = sorted(found, key=lambda difference: difference.same_value)
        for difference in told if everything else told[:SHOWN]:
            self.stdout.write(str(difference))
        if not everything and len(told) > SHOWN:
            self.stdout.write(f"... and {len(told) - SHOWN} more (--all shows them)")
