from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from outcomes.concentrations.columns import Columns
from outcomes.concentrations.taking import Taken, take_file
from studies.errors import TrialError
from studies.models import ClosedAccount, Study


class Command(BaseCommand):
    help = "Take a laboratory's file of drug levels, all of it or nothing (DB_ROLE=unblinded; safe to repeat)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study")
        parser.add_argument("file", type=Path, help="CSV in UTF-8: ng/mL, minutes from the start of the infusion")
        parser.add_argument("--account", required=True, help="the account of the closed door that takes it")
        parser.add_argument("--laboratory", required=True)
        parser.add_argument("--batch", default="")
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="WHAT=NAME",
            help=f"a column that is called otherwise; WHAT is one of {', '.join(Columns.wanted())}",
        )
        parser.add_argument("--reason", default="", help="why stored values change, where the file changes any")

    def handle(self, *_: Any, study: str, file: Path, account: str, column: list[str], **options: Any) -> None:
        if settings.DB_ROLE != "unblinded":
            raise CommandError("Drug levels tell arms: only the unblinded side takes them. Set DB_ROLE=unblinded.")
        found = Study.objects.filter(code=study).first()
        by = ClosedAccount.objects.filter(username=account, is_active=True).first()
        if found is None or by is None:
            raise CommandError(f"There is no {'study ' + study if found is None else 'account ' + account} here.")
        try:
            taken = take_file(
                by,
                study=found,
                content=file.read_bytes(),
                name=file.name,
                columns=_columns(column),
                **{key: options[key] for key in ("laboratory", "batch", "reason")},
            )
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error
        except TrialError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_told(taken))
        for query in taken.queries:
            self.stdout.write(f"  row {query.row}: {query.question}")


def _columns(given: list[str]) -> Columns:
    pairs = [text.partition("=") for text in given]
    wrong = [what for what, is_pair, _ in pairs if not is_pair or what not in Columns.wanted()]
    if wrong:
        allowed = ", ".join(Columns.wanted())
        raise CommandError(f"--column {wrong[0]} names no column: write WHAT=NAME, WHAT one of {allowed}.")
    return Columns(**{what: name for what, _, name in pairs})


def _told(taken: Taken) -> str:
    if not taken.new:
        return f"This file was taken on {taken.file.taken_at:%-d %b %Y} by {taken.file.taken_by}. Nothing was changed."
    return (
        f"{taken.entered} results entered, {taken.corrected} corrected, {taken.known} stored already;"
        f" {taken.below_limit} below the limit; {taken.participants} participants."
    )
