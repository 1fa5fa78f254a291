from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from studies.models import Installation, Participant


class Command(BaseCommand):
    help = "Declare an empty database a demonstration, for ever (DB_ROLE=owner): seeds and entry times may be given."

    def handle(self, *_: Any, **__: Any) -> None:
        if settings.DB_ROLE != "owner":
            raise CommandError("Only the owner may: set DB_ROLE=owner.")
        marked = Installation.objects.filter(demonstration=True).exists()
        if not marked and Participant.objects.exists():
            raise CommandError("This database has participants: it stays what it is.")
        Installation.objects.update_or_create(pk=1, defaults={"demonstration": True})
        self.stdout.write("This database is a demonstration.")
