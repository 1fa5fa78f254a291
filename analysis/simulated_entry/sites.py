"""Entering the participants of some sites, from enrolment to the end: one process's share of a simulated trial.

Sites do not depend on each other (every stratum belongs to one), so that shares can be entered at the same time and
the trial is the same for any number of processes.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connections, transaction

from analysis.simulated_entry.course import enter_course
from analysis.simulated_entry.design import design_of
from analysis.simulated_entry.people import staff_of
from analysis.simulated_entry.screening import enter_screening
from analysis.simulation.records import Course
from analysis.simulation.trial import Trial
from studies.models import Participant, ProtocolVersion, Site
from studies.unblinded_process import unblinded_environment

Tell = Callable[[str], object]


class UnblindedSideFailed(Exception):
    """The process of the unblinded side could not draw the courses; its own message is in its output."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What is simulated. participants: how many are randomised in the whole trial; until: when the story ends."""

    protocol_version: int
    participants: int
    seed: int
    scenario: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Entered:
    enrolled: int
    randomised: int


def shares(sites: Sequence[Site], processes: int) -> list[list[str]]:
    """The codes of the sites, dealt out so that the shares plan about equally many participants."""
    dealt: list[list[Site]] = [[] for _ in range(processes)]
    for site in sorted(sites, key=lambda site: (-site.planned_participants, site.code)):
        min(dealt, key=lambda share: sum(each.planned_participants for each in share)).append(site)
    return [[site.code for site in share] for share in dealt if share]


def enter_share(codes: Sequence[str], simulation: Simulation, tell: Tell) -> Entered:
    """Enter the participants of these sites, in a process of its own or in the only one."""
    connections.close_all()  # a connection that came along with a fork belongs to the parent
    version = ProtocolVersion.objects.select_related("study").get(pk=simulation.protocol_version)
    sites = {site.code: site for site in version.study.sites.filter(code__in=codes).select_related("study")}
    entered = _screen(version, sites, simulation, tell)
    randomised = {i: p for i, p in entered.items() if p.status == Participant.Status.RANDOMISED}
    _follow(version, sites, randomised, simulation, tell)
    connections.close_all()
    return Entered(len(entered), len(randomised))


def _screen(
    version: ProtocolVersion, sites: Mapping[str, Site], simulation: Simulation, tell: Tell
) -> dict[int, Participant]:
    trial = Trial(design_of(version.definition), seed=simulation.seed, scenario=simulation.scenario)
    staff = {code: staff_of(site) for code, site in sites.items()}
    entered = {}
    for screening in trial.candidates(simulation.participants):
        if screening.site not in sites:
            continue
        # One participant is one transaction: thousands of commits would wait for the disk.
        with transaction.atomic():
            participant = enter_screening(
                screening, site=sites[screening.site], staff=staff[screening.site], until=simulation.until
            )
        if participant is not None:
            participant.refresh_from_db()
            entered[screening.person.index] = participant
            _count(tell, "screened", len(entered))
    return entered


def _follow(
    version: ProtocolVersion,
    sites: Mapping[str, Site],
    randomised: Mapping[int, Participant],
    simulation: Simulation,
    tell: Tell,
) -> None:
    staff = {code: staff_of(site) for code, site in sites.items()}
    courses = _drawn_on_the_unblinded_side(version, randomised, simulation)
    for done, (index, participant) in enumerate(randomised.items(), start=1):
        with transaction.atomic():
            enter_course(participant, courses[index], staff=staff[participant.site.code], until=simulation.until)
        _count(tell, "followed", done)


def _count(tell: Tell, what: str, count: int) -> None:
    if count % 20 == 0:
        tell(f"{count} participants {what}")


def _drawn_on_the_unblinded_side(
    version: ProtocolVersion, randomised: Mapping[int, Participant], simulation: Simulation
) -> dict[int, Course]:
    """The courses of the randomised participants, drawn by a process with the credentials of `unblinded`.

    It is given keys and answers with courses; the arms stay with it.
    """
    wanted = {str(index): participant.pk for index, participant in randomised.items()}
    drawn = subprocess.run(  # noqa: S603 - our own command
        [
            sys.executable,
            str(settings.BASE_DIR / "manage.py"),
            "simulate_courses",
            str(version.pk),
            f"--seed={simulation.seed}",
            f"--scenario={simulation.scenario}",
            "--skip-checks",
        ],
        input=json.dumps(wanted).encode(),
        stdout=subprocess.PIPE,
        env=_unblinded_environment(),
        check=False,
    )
    if drawn.returncode:
        raise UnblindedSideFailed("The unblinded side could not draw the courses; its own message is above.")
    courses: dict[int, Course] = pickle.loads(drawn.stdout)  # noqa: S301 - written by our own child a moment ago
    return courses


def _unblinded_environment() -> dict[str, str]:
    environment = unblinded_environment()
    if environment is None:
        raise UnblindedSideFailed("Set TRIALSITE_UNBLINDED_DATABASE_URL: courses are drawn on the unblinded side.")
    return environment
