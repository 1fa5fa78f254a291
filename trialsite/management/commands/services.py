"""Start, stop and look at the embedded servers of this checkout."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from trialsite.services.__main__ import main


class Command(BaseCommand):
    help = "Start the embedded PostgreSQL and Valkey in the background, stop them, or say whether they answer."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=("start", "stop", "status"))

    def handle(self, *_: Any, **options: Any) -> None:
        sys.exit(main([options["action"]]))
