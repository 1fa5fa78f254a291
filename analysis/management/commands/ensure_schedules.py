from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from analysis.schedules import ensure_schedules


class Command(BaseCommand):
    help = "Write what beat runs into its table, where it is missing; what people changed there stays."

    def handle(self, *_: Any, **__: Any) -> None:
        for task in ensure_schedules():
            self.stdout.write(f"{task.name}: {task.schedule}")
