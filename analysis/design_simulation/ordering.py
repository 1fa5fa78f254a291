"""Ordering, cancelling and continuing a simulation of the design."""

from __future__ import annotations

from collections.abc import Sequence

from analysis import jobs
from analysis.canonical import sha256_of
from analysis.code_version import code_version
from analysis.design_simulation.chunks import order_next_chunks
from analysis.models import DesignSimulation, Job, SimulationChunk
from analysis.permissions import may_simulate_design
from analysis.plans import plan_source
from studies.acting import Program, verb
from studies.errors import AlreadyDone, InvalidEntry
from studies.models import ProtocolVersion, User
from studies.permissions import require

# Some seconds of work, in whole blocks: long enough to be worth a job, short enough not to keep a look waiting.
CHUNK = 250
MOST_TRIALS = 100_000
MOST_SCENARIOS = 20
MOST_SEED = 2**63 - 1


@verb(because="design simulation ordered")
def order_simulation(
    user: User | Program, *, protocol_version: ProtocolVersion, scenarios: Sequence[str], trials: int, seed: int
) -> DesignSimulation:
    """Order the simulation of a protocol's design, `trials` under each scenario; the blinded workers share it.

    Raises NotAllowed; InvalidEntry for a scenario, number or seed that cannot be, or a protocol whose trial the
    simulation model does not have.
    """
    study = protocol_version.study
    require(may_simulate_design(user, study), f"simulate the design of {study}")
    chosen = _checked(protocol_version, scenarios, trials, seed)
    ordered = DesignSimulation.objects.create(
        study=study,
        protocol_version=protocol_version,
        plan_version=protocol_version.definition.analysis.version,
        plan_sha256=sha256_of(plan_source(protocol_version).encode()),
        scenarios=chosen,
        trials=trials,
        seed=seed,
        code_version=code_version(),
        ordered_by=user.get_username(),
    )
    SimulationChunk.objects.bulk_create(
        SimulationChunk(simulation=ordered, scenario=label, first=first, count=min(CHUNK, trials - first))
        for label in chosen
        for first in range(0, trials, CHUNK)
    )
    order_next_chunks(ordered)
    return ordered


@verb(because="design simulation cancelled")
def cancel_simulation(user: User | Program, *, simulation: DesignSimulation) -> DesignSimulation:
    """Stop a simulation: workers leave its chunks at the next block. What was simulated is kept, without a result.

    Raises NotAllowed; AlreadyDone for one that is not under way.
    """
    require(may_simulate_design(user, simulation.study), "cancel this simulation")
    locked = DesignSimulation.objects.select_for_update().get(pk=simulation.pk)
    if locked.status not in (DesignSimulation.Status.ORDERED, DesignSimulation.Status.FAILED):
        raise AlreadyDone(f"The simulation is {locked.get_status_display().lower()}: there is nothing to cancel.")
    locked.status = DesignSimulation.Status.CANCELLED
    locked.save(update_fields=["status"])
    return locked


@verb(because="design simulation ordered again")
def retry_simulation(user: User | Program, *, simulation: DesignSimulation) -> DesignSimulation:
    """Order the failed chunks of a simulation again; those that are done stay. Raises NotAllowed, AlreadyDone."""
    require(may_simulate_design(user, simulation.study), "order this simulation again")
    failed = Job.objects.filter(chunk__simulation=simulation, status=Job.Status.FAILED)
    if simulation.status != DesignSimulation.Status.FAILED or not failed:
        raise AlreadyDone("Only a simulation that has failed can be ordered again.")
    for job in failed:
        jobs.order_again(job)
    simulation.refresh_from_db()
    return simulation


def _checked(version: ProtocolVersion, scenarios: Sequence[str], trials: int, seed: int) -> list[str]:
    """The labels of the scenarios. Raises InvalidEntry naming the entry at fault."""
    from analysis.statistics import simulation as statistics  # noqa: PLC0415 - SciPy, only where it is needed

    if not 1 <= trials <= MOST_TRIALS:
        raise InvalidEntry(f"{trials} trials: 1 to {MOST_TRIALS} can be ordered.", field="trials")
    if not 0 <= seed <= MOST_SEED:
        raise InvalidEntry(f"The seed is {seed}: a whole number from 0 to {MOST_SEED} is needed.", field="seed")
    if len(scenarios) > MOST_SCENARIOS:
        raise InvalidEntry(f"{len(scenarios)} scenarios: at most {MOST_SCENARIOS} at a time.", field="scenarios")
    try:
        chosen = statistics.several(scenarios)
    except ValueError as error:
        raise InvalidEntry(str(error), field="scenarios") from None
    try:
        for each in chosen:
            statistics.trial_model(version.definition, each)
    except ValueError as error:
        raise InvalidEntry(f"{version} cannot be simulated. {error}", field="protocol") from None
    return [each.label for each in chosen]
