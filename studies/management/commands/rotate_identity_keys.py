from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from studies import identity
from studies.acting import Program, acting
from studies.models import ContactDetails


class Command(BaseCommand):
    help = "Encrypt all contact details again, under the newest key (see docs/operations.md)."

    def handle(self, *_: Any, **__: Any) -> None:
        with acting(Program("rotate_identity_keys"), "identity keys rotated"), transaction.atomic():
            details = list(ContactDetails.objects.select_for_update())
            for each in details:
                each.ciphertext = identity.rotate(each.ciphertext)
            ContactDetails.objects.bulk_update(details, ["ciphertext"], batch_size=500)
        self.stdout.write(f"{len(details)} contact details now open with the newest key.")
