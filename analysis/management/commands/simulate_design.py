from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.canonical import sha256_of
from analysis.design_simulation.numbers_table import result_csv
from analysis.design_simulation.ordering import MOST_TRIALS, order_simulation
from studies.acting import Program
from studies.errors import TrialError
from studies.models import ProtocolVersion
from studies.protocol import DocumentInvalid, load

DEFAULT = ("null_global", "default:0.5", "default")


class Command(BaseCommand):
    help = (
        "Simulate the design of a protocol file: power, type-I error, stopping, expected size. Here, on this machine's"
        " processors and without a database; or on the workers, as a run that is recorded."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("protocol", type=Path, metavar="PROTOCOL", help="a protocol file")
        parser.add_argument(
            "--scenario",
            action="append",
            metavar="NAME[:SHARE]",
            help=f"a scenario of the simulation model, its effect multiplied by SHARE; may be given again"
            f" (without any: {', '.join(DEFAULT)})",
        )
        parser.add_argument("--trials", type=int, default=1000, help="under each scenario (1000)")
        parser.add_argument("--seed", type=int, default=20261124, help="(20261124)")
        parser.add_argument("--workers", choices=("local", "celery"), default="local")
        parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="of --workers local")
        parser.add_argument("--json", type=Path, metavar="FILE", help="keep the result (--workers local)")
        parser.add_argument("--csv", type=Path, metavar="FILE", help="keep the numbers (--workers local)")

    def handle(self, *_: Any, **options: Any) -> None:
        text = self._text(options["protocol"])
        scenarios = options["scenario"] or list(DEFAULT)
        if options["workers"] == "celery":
            self._order(text, scenarios, options)
        else:
            self._simulate(text, scenarios, options)

    def _text(self, path: Path) -> str:
        try:
            text = path.read_text(encoding="utf-8")
            load(text, source=str(path))
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
        except DocumentInvalid as error:
            raise CommandError(str(error)) from error
        return text

    def _order(self, text: str, scenarios: list[str], options: dict[str, Any]) -> None:
        """A recorded run of the version that was loaded from this file."""
        version = ProtocolVersion.objects.filter(sha256=sha256_of(text.encode())).order_by("pk").last()
        if version is None:
            raise CommandError("This protocol is not loaded here: run load_protocol first, or use --workers local.")
        try:
            ordered = order_simulation(
                Program("simulate_design"),
                protocol_version=version,
                scenarios=scenarios,
                trials=options["trials"],
                seed=options["seed"],
            )
        except TrialError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{ordered}: ordered, {ordered.chunks.count()} chunks. Follow it under Reports.")

    def _simulate(self, text: str, scenarios: list[str], options: dict[str, Any]) -> None:
        from analysis.design_simulation.local import simulate_here  # noqa: PLC0415 - SciPy, only where it is needed

        if not 1 <= options["trials"] <= MOST_TRIALS or options["processes"] < 1:
            raise CommandError(f"--trials is a number from 1 to {MOST_TRIALS}, --processes one of 1 or more.")
        try:
            content = simulate_here(
                text,
                scenarios=scenarios,
                trials=options["trials"],
                seed=options["seed"],
                processes=options["processes"],
                progress=self._progress if self.stderr.isatty() else None,
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        self._tell(content, options)

    def _progress(self, done: int, of: int) -> None:
        self.stderr.write(f"\r{done} of {of} trials", ending="\n" if done == of else "")

    def _tell(self, content: bytes, options: dict[str, Any]) -> None:
        result = orjson.loads(content)
        if options["json"]:
            options["json"].write_bytes(content)
        if options["csv"]:
            options["csv"].write_text(result_csv(result), encoding="utf-8", newline="")
        self.stdout.write(f"{'scenario':<18}{'true difference':>16}{'rejects':>20}{'participants':>18}")
        for each in result["scenarios"]:
            self.stdout.write(_line(each))
        self.stdout.write(f"In brackets: Monte Carlo error. SHA-256 {sha256_of(content)}")


def _line(scenario: dict[str, Any]) -> str:
    rate, people = scenario["rejected"], scenario["expected_participants"]
    rejects = f"{100 * rate['estimate']:.2f} % ({100 * rate['se']:.2f})"
    participants = f"{people['estimate']:.1f} ({people['se'] or 0:.1f})"
    return f"{scenario['scenario']:<18}{scenario['effect']:>16.3f}{rejects:>20}{participants:>18}"
