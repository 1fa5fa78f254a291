from __future__ import annotations

import os
from getpass import getpass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.models import Plan
from analysis.plans import changes_of, freeze_plan, sign_plan
from studies.acting import Program
from studies.demonstration import PASSWORD, require_demonstration
from studies.errors import TrialError
from studies.models import Study, User

ENVIRONMENT = "TRIALSITE_SIGNING_PASSWORD"


class Command(BaseCommand):
    help = "Freeze the analysis plan of the newest protocol version of each study, and sign it (safe to repeat)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", nargs="+")
        parser.add_argument("--file", type=Path, help="a plan file, of one study; without it the plan in the protocol")
        parser.add_argument("--reason", default="", help="why the plan changes, where there is another version")
        parser.add_argument(
            "--signed-by",
            metavar="NAME",
            help=f"sign as this person, whose password is asked for, or taken from {ENVIRONMENT}",
        )
        parser.add_argument("--demonstration", action="store_true", help="sign with the demonstration's password")

    def handle(self, *_: Any, study: list[str], **options: Any) -> None:
        if options["file"] and len(study) > 1:
            raise CommandError("A plan file is of one study: name that one only.")
        for code in study:
            found = Study.objects.filter(code=code).first()
            if found is None:
                raise CommandError(f"There is no study {code}; load its protocol first.")
            try:
                self._say(self._frozen_and_signed(found, options))
            except TrialError as error:
                raise CommandError(error.message) from error

    def _frozen_and_signed(self, study: Study, options: dict[str, Any]) -> Plan:
        plan, signed_by = self._freeze(study, options), options["signed_by"]
        if signed_by and plan.signed_at is None:
            plan = self._sign(plan, signed_by, demonstration=options["demonstration"])
        return plan

    def _freeze(self, study: Study, options: dict[str, Any]) -> Plan:
        file: Path | None = options["file"]
        return freeze_plan(
            Program("freeze_plan"),
            protocol_version=study.protocol_versions.latest("id"),
            text=file.read_text() if file else "",
            source=file.name if file else "",
            reason=options["reason"],
        )

    def _sign(self, plan: Plan, name: str, *, demonstration: bool) -> Plan:
        user = User.objects.filter(username=name, is_active=True).first()
        if user is None:
            raise CommandError(f"There is no account {name}.")
        if demonstration:
            require_demonstration()
            return sign_plan(user, plan=plan, password=PASSWORD)
        password = os.environ.get(ENVIRONMENT) or getpass(f"Password of {name}: ")
        return sign_plan(user, plan=plan, password=password)

    def _say(self, plan: Plan) -> None:
        self.stdout.write(f"{plan}: SHA-256 {plan.sha256}")
        for change in changes_of(plan):
            self.stdout.write(f"  {change}")
        when = f"{plan.signed_at:%d %b %Y %H:%M} UTC" if plan.signed_at else ""
        self.stdout.write(f"Signed by {plan.signed_name} at {when}" if when else "Not signed")
