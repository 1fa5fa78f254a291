from __future__ import annotations

from getpass import getpass
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from studies.closed_door import create_account
from studies.models import ClosedAccount, Study


class Command(BaseCommand):
    help = "Create an account of the closed door, or renew it with a new password (DB_ROLE=unblinded)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study")
        parser.add_argument("username")
        parser.add_argument("role", choices=ClosedAccount.Role.values)
        parser.add_argument("--name", help="as it stands in the trail; without it, the user name")
        parser.add_argument("--password", help="without it, it is asked for: others see the command line")

    def handle(self, *_: Any, **options: Any) -> None:
        if settings.DB_ROLE != "unblinded":
            raise CommandError("Only the unblinded side makes its accounts: set DB_ROLE=unblinded.")
        study = Study.objects.filter(code=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']}; load its protocol first.")
        password = options["password"] or getpass(f"Password of {options['username']}: ")
        try:
            validate_password(password)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        account = create_account(
            study=study,
            username=options["username"],
            name=options["name"] or options["username"],
            role=options["role"],
            password=password,
        )
        self.stdout.write(f"{account.username}: {account.get_role_display()} of {study}")
