from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from analysis.simulated_entry.course import enter_course
from analysis.simulated_entry.design import design_of
from analysis.simulated_entry.people import Staff, staff_of
from analysis.simulated_entry.screening import enter_screening
from analysis.simulation.parameters import scenario_names
from analysis.simulation.records import Course
from analysis.simulation.trial import Trial
from outcomes.instrument_versions import load_instruments
from studies.acting import Program
from studies.models import Installation, Participant, ProtocolVersion
from studies.protocols import load_protocol


class Command(BaseCommand):
    help = "Enter a simulated trial through the verbs (demonstrations only)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("protocol", type=Path)
        parser.add_argument("--participants", type=int, required=True, help="how many are randomised in the end")
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--scenario", default="default", choices=scenario_names())
        parser.add_argument(
            "--until",
            type=datetime.fromisoformat,
            help="nothing after this moment has happened yet (default: now)",
        )

    def handle(self, *_: Any, protocol: Path, participants: int, seed: int, scenario: str, **options: Any) -> None:
        if not Installation.objects.filter(demonstration=True).exists():
            raise CommandError("This database is not a demonstration: nothing may be simulated in it.")
        until = options["until"] or timezone.now()
        until = until if until.tzinfo else until.replace(tzinfo=timezone.get_default_timezone())
        program = Program("simulate_trial")
        load_instruments(program)
        version = load_protocol(program, text=protocol.read_text(), source=protocol.name)
        if version.study.participants.exists():
            raise CommandError(f"{version.study} already has participants: it is left as it is.")
        trial = Trial(design_of(version.definition), seed=seed, scenario=scenario)
        staff = {site.code: staff_of(site) for site in version.study.sites.all()}
        entered = self._screen(trial, version, staff, participants, until)
        randomised = {i: p for i, p in entered.items() if p.status == Participant.Status.RANDOMISED}
        self._follow(version, randomised, staff, seed, scenario, until)
        self.stdout.write(f"{len(entered)} enrolled, {len(randomised)} randomised (seed {seed}, scenario {scenario})")

    def _screen(
        self,
        trial: Trial,
        version: ProtocolVersion,
        staff: Mapping[str, Staff],
        participants: int,
        until: datetime,
    ) -> dict[int, Participant]:
        sites = {site.code: site for site in version.study.sites.all()}
        entered = {}
        for screening in trial.candidates(participants):
            # One participant is one transaction: thousands of commits would wait for the disk.
            with transaction.atomic():
                participant = enter_screening(
                    screening, site=sites[screening.site], staff=staff[screening.site], until=until
                )
            if participant is not None:
                participant.refresh_from_db()
                entered[screening.person.index] = participant
                self._tell("screened", len(entered))
        return entered

    def _follow(
        self,
        version: ProtocolVersion,
        randomised: Mapping[int, Participant],
        staff: Mapping[str, Staff],
        seed: int,
        scenario: str,
        until: datetime,
    ) -> None:
        courses = _drawn_on_the_unblinded_side(version, randomised, seed, scenario)
        for done, (index, participant) in enumerate(randomised.items(), start=1):
            with transaction.atomic():
                enter_course(participant, courses[index], staff=staff[participant.site.code], until=until)
            self._tell("followed", done)

    def _tell(self, what: str, count: int) -> None:
        if count % 20 == 0:
            self.stdout.write(f"{count} participants {what}")
            self.stdout.flush()


def _drawn_on_the_unblinded_side(
    version: ProtocolVersion, randomised: Mapping[int, Participant], seed: int, scenario: str
) -> dict[int, Course]:
    """The courses of the randomised participants, drawn by a process with the credentials of `unblinded`.

    It is given keys and answers with courses; the arms stay with it.
    """
    wanted = {str(index): participant.pk for index, participant in randomised.items()}
    environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
    environment["DB_ROLE"] = "unblinded"
    if url := os.environ.get("TRIALSITE_UNBLINDED_DATABASE_URL"):
        environment["DATABASE_URL"] = url
    elif "DATABASE_URL" in os.environ and "TRIALSITE_VAR" not in os.environ:
        raise CommandError("Set TRIALSITE_UNBLINDED_DATABASE_URL: courses are drawn on the unblinded side.")
    drawn = subprocess.run(  # noqa: S603 - our own command
        [
            sys.executable,
            str(settings.BASE_DIR / "manage.py"),
            "simulate_courses",
            str(version.pk),
            f"--seed={seed}",
            f"--scenario={scenario}",
        ],
        input=json.dumps(wanted).encode(),
        stdout=subprocess.PIPE,
        env=environment,
        check=False,
    )
    if drawn.returncode:
        raise CommandError("The unblinded side could not draw the courses; its own message is above.")
    courses: dict[int, Course] = pickle.loads(drawn.stdout)  # noqa: S301 - written by our own child a moment ago
    return courses
