from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from django.utils import timezone

from analysis.simulated_entry.people import staff_of
from analysis.simulated_entry.sites import Entered, Simulation, UnblindedSideFailed, enter_share, shares
from analysis.simulation.parameters import scenario_names
from outcomes.instrument_versions import load_instruments
from studies.acting import Program
from studies.models import Installation, ProtocolVersion
from studies.protocols import load_protocol


class Command(BaseCommand):
    help = "Enter a simulated trial through the verbs (demonstrations only)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("protocol", type=Path)
        parser.add_argument("--participants", type=int, required=True, help="how many are randomised in the end")
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--scenario", default="default", choices=scenario_names())
        parser.add_argument("--processes", type=int, default=2, help="how many enter at the same time, by site")
        parser.add_argument(
            "--until", type=datetime.fromisoformat, help="nothing after this moment has happened yet (default: now)"
        )

    def handle(self, *_: Any, protocol: Path, processes: int, **options: Any) -> None:
        version = self._prepare(protocol)
        until = options["until"] or timezone.now()
        simulation = Simulation(
            version.pk,
            options["participants"],
            options["seed"],
            options["scenario"],
            until if until.tzinfo else until.replace(tzinfo=timezone.get_default_timezone()),
        )
        try:
            entered = self._enter(version, simulation, processes)
        except UnblindedSideFailed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{sum(e.enrolled for e in entered)} enrolled, {sum(e.randomised for e in entered)} randomised"
            f" (seed {simulation.seed}, scenario {simulation.scenario})"
        )

    def _prepare(self, protocol: Path) -> ProtocolVersion:
        if not Installation.objects.filter(demonstration=True).exists():
            raise CommandError("This database is not a demonstration: nothing may be simulated in it.")
        program = Program("simulate_trial")
        load_instruments(program)
        version = load_protocol(program, text=protocol.read_text(), source=protocol.name)
        if version.study.participants.exists():
            raise CommandError(f"{version.study} already has participants: it is left as it is.")
        for site in version.study.sites.all():
            staff_of(site)
        return version

    def _enter(self, version: ProtocolVersion, simulation: Simulation, processes: int) -> list[Entered]:
        dealt = shares(list(version.study.sites.all()), processes)
        connections.close_all()
        if len(dealt) == 1:
            return [enter_share(dealt[0], simulation, self.stdout.write)]
        # Forked: the children begin with everything imported and read.
        with ProcessPoolExecutor(len(dealt), mp_context=multiprocessing.get_context("fork")) as pool:
            running = [pool.submit(enter_share, share, simulation, _tell) for share in dealt]
            return [each.result() for each in running]


def _tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a child has no command to write through
