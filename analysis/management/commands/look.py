from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.dry_run import said, try_look
from analysis.looks import order_look
from analysis.models import DataCut, Job, Look
from analysis.waiting import wait_for
from studies.acting import Program
from studies.errors import TrialError
from studies.models import Study


class Command(BaseCommand):
    help = "Order a look at a study, on a new cut or on one that was taken. The workers run it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study")
        parser.add_argument("number", type=int)
        parser.add_argument("--cut", help="the name of a cut; without it a new one is taken")
        parser.add_argument("--unplanned", default="", metavar="REASON", help="a look outside the plan")
        parser.add_argument("--wait", action="store_true", help="until both reports are there")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="compute the open part (with DB_ROLE=unblinded the closed one) on --cut, and write nothing",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        if options["dry_run"]:
            self._try(options)
            return
        look = self._order(options)
        self.stdout.write(f"{look}: ordered on {look.cut}")
        if options["wait"]:
            wait_for(list(Job.objects.filter(cut=look.cut)), self.stdout.write)

    def _try(self, options: dict[str, Any]) -> None:
        if not options["cut"]:
            raise CommandError("A dry run needs a cut that was taken: --cut NAME.")
        try:
            study = Study.objects.get(code=options["study"])
            cut = DataCut.objects.select_related("study").get(name=options["cut"])
            values, report = try_look(study, number=options["number"], cut=cut)
        except (Study.DoesNotExist, DataCut.DoesNotExist) as error:
            raise CommandError("There is no such study, or no such cut.") from error
        except TrialError as error:
            raise CommandError(error.message) from error
        for line in said(values, report):
            self.stdout.write(line)

    def _order(self, options: dict[str, Any]) -> Look:
        try:
            study = Study.objects.get(code=options["study"])
            cut = DataCut.objects.get(name=options["cut"]) if options["cut"] else None
            return order_look(
                Program("look"),
                study=study,
                number=options["number"],
                cut=cut,
                unplanned_reason=options["unplanned"],
            )
        except (Study.DoesNotExist, DataCut.DoesNotExist) as error:
            raise CommandError("There is no such study, or no such cut.") from error
        except TrialError as error:
            raise CommandError(error.message) from error
