"""The demo, also for those who look for it among the commands."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from trialsite.demo import main


class Command(BaseCommand):
    help = "Run the demo trial on this machine until Ctrl-C (what `make demo` does)."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *_: Any, **options: Any) -> None:
        sys.exit(main(["--port", str(options["port"])]))
