from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from studies.acting import Program
from studies.closed_side import make_list
from studies.errors import TrialError
from studies.models import ProtocolVersion, Study


class Command(BaseCommand):
    help = "Generate a study's randomisation list, once (unblinded side: DB_ROLE=unblinded)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study")
        parser.add_argument("--seed", type=int, help="demonstrations only; otherwise the operating system gives it")

    def handle(self, *_: Any, study: str, seed: int | None, **__: Any) -> None:
        if settings.DB_ROLE != "unblinded":
            raise CommandError("Only the unblinded side makes lists: set DB_ROLE=unblinded.")
        found = Study.objects.filter(code=study).first()
        if found is None:
            raise CommandError(f"There is no study {study}; load its protocol first.")
        protocol = found.protocol_versions.latest("id")
        try:
            rows = make_list(Program("make_list"), study=found, protocol=protocol, seed=seed)
        except TrialError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{study}: {rows} rows in {found.strata.count()} strata, {_design(protocol)}.")


def _design(protocol: ProtocolVersion) -> str:
    """What the list was made from. The open side keeps the protocol: who makes lists compares it with the file."""
    definition = protocol.definition
    ratio = ", ".join(f"{arm} {share}" for arm, share in definition.ratio.items())
    sizes = definition.randomisation.block_sizes if definition.randomisation else ()
    sha256 = hashlib.sha256(protocol.source.encode()).hexdigest()
    return f"{ratio}, blocks of {', '.join(map(str, sizes))}, from protocol {protocol.version} (SHA-256 {sha256})"
