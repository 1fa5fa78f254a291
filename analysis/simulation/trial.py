"""The simulated trial, in two phases, because the randomisation in between happens in the database.

    trial = Trial(design, seed=7)
    screening = trial.screening(0)           # consent to decision; no arm anywhere
    course = trial.course(0, "active")       # infusion to end of study; on the unblinded side

The same seed, version of `defaults.yaml` and scenario give the same bytes; a longer trial only adds.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

from .after_randomisation import follow
from .appointments import Appointments, book, waiting_days
from .before_randomisation import screen
from .design import TrialDesign
from .latent import ArmFree, arm_free_course
from .parameters import Arm, Parameters, load_parameters
from .people import Person, draw_person
from .records import Course, Screening, SimulatedParticipant
from .visit_forms import Setting


class Trial:
    """One simulated trial: candidates by index from 0, in the order of their consent.

    design: the trial's schedule, sites and instruments. seed: an integer >= 0. scenario: a name in
    `defaults.yaml`. Raises ValueError for an unknown scenario or too many sites.
    """

    def __init__(self, design: TrialDesign, *, seed: int, scenario: str = "default") -> None:
        self.parameters: Parameters = load_parameters(scenario)
        self.setting = Setting(seed, design, self.parameters)
        self._consent_days: list[float] = []
        self._known = lru_cache(maxsize=64)(self._candidate)

    @property
    def provenance(self) -> dict[str, str]:
        """What the numbers depend on besides the design: seed, scenario, versions of model and numpy."""
        return {
            "seed": str(self.setting.seed),
            "scenario": self.parameters.scenario,
            "model": self.parameters.version,
            "numpy": np.__version__,
        }

    def screening(self, index: int) -> Screening:
        """Phase 1: one candidate from consent to the decision to randomise."""
        person, arm_free, booked = self._known(index)
        return screen(self.setting, person, arm_free, booked)

    def course(self, index: int, arm: Arm) -> Course:
        """Phase 2: everything from the infusion on, in the given arm."""
        person, arm_free, booked = self._known(index)
        return follow(self.setting, person, arm_free, booked, arm)

    def candidates(self, participants: int) -> Iterator[Screening]:
        """Candidates in the order of their consent until as many as wanted are eligible."""
        index = eligible = 0
        while eligible < participants:
            screening = self.screening(index)
            yield screening
            index += 1
            eligible += screening.eligible

    def _candidate(self, index: int) -> tuple[Person, ArmFree, Appointments]:
        person = draw_person(self.setting.seed, index, self.parameters, sites=len(self.setting.design.sites))
        arm_free = arm_free_course(self.setting.seed, index, site=person.site, parameters=self.parameters)
        booked = book(
            self.setting.seed,
            index,
            consent_day=self._consent_day(index),
            site=person.site,
            design=self.setting.design,
            parameters=self.parameters,
        )
        return person, arm_free, booked

    def _consent_day(self, index: int) -> float:
        while len(self._consent_days) <= index:
            before = self._consent_days[-1] if self._consent_days else 0.0
            waited = waiting_days(self.setting.seed, len(self._consent_days), self.parameters)
            self._consent_days.append(before + waited)
        return self._consent_days[index]


def simulate(
    design: TrialDesign,
    *,
    participants: int,
    seed: int,
    allocate: Callable[[Screening], Arm],
    scenario: str = "default",
) -> Iterator[SimulatedParticipant]:
    """A whole trial: every candidate until `participants` are randomised.

    allocate: gives the arm of an eligible candidate; in a real run this is the database.
    """
    trial = Trial(design, seed=seed, scenario=scenario)
    for screening in trial.candidates(participants):
        if not screening.eligible:
            yield SimulatedParticipant(screening, None, None)
            continue
        arm = allocate(screening)
        yield SimulatedParticipant(screening, arm, trial.course(screening.person.index, arm))
