from __future__ import annotations

import dataclasses
import json
import pickle
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.simulated_entry.design import design_of
from analysis.simulation.trial import Trial
from studies.acting import Program
from studies.closed_side import read_arms
from studies.models import Installation, ProtocolVersion


class Command(BaseCommand):
    help = "Draw the courses of simulated participants in their arms (DB_ROLE=unblinded); simulate_trial calls it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("protocol_version", type=int)
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--scenario", required=True)

    def handle(self, *_: Any, protocol_version: int, seed: int, scenario: str, **__: Any) -> None:
        if settings.DB_ROLE != "unblinded" or not Installation.objects.filter(demonstration=True).exists():
            raise CommandError("Courses are drawn by the unblinded side of a demonstration only.")
        wanted: dict[str, int] = json.load(sys.stdin)
        version = ProtocolVersion.objects.get(pk=protocol_version)
        arms = read_arms(Program("simulate_courses"), study=version.study, purpose="simulation of a demonstration")
        control = {arm.code for arm in version.definition.arms if arm.control}
        trial = Trial(design_of(version.definition), seed=seed, scenario=scenario)
        courses = {
            # Drug levels tell the arm: they do not go back.
            int(index): dataclasses.replace(
                trial.course(int(index), "control" if arms[key] in control else "active"), pk=()
            )
            for index, key in wanted.items()
        }
        sys.stdout.buffer.write(pickle.dumps(courses))
