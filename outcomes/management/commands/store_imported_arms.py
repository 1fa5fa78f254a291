from __future__ import annotations

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from outcomes.imports.arms import ARMS_DIFFER, READY, ArmsDiffer, store_arms
from studies.acting import Program
from studies.errors import TrialError
from studies.models import Study


class Command(BaseCommand):
    help = "Keep the arms of an imported trial (DB_ROLE=unblinded); import_trial calls it and hands them over."

    def handle(self, *_: Any, **__: Any) -> None:
        if settings.DB_ROLE != "unblinded":
            raise CommandError("Only the unblinded side keeps arms: set DB_ROLE=unblinded.")
        connection.ensure_connection()
        self.stdout.write(READY)
        self.stdout.flush()
        request = sys.stdin.read()
        # The import was refused: nothing is handed over.
        if not request:
            return
        wanted = json.loads(request)
        arms = {int(key): arm for key, arm in wanted["arms"].items()}
        try:
            store_arms(Program("import_trial"), study=Study.objects.get(pk=wanted["study"]), arms=arms)
        except ArmsDiffer as error:
            raise CommandError(error.message, returncode=ARMS_DIFFER) from error
        except TrialError as error:
            raise CommandError(error.message) from error
