"""The work on one chunk of trials, done once whoever dies meanwhile, and the result when the last chunk is in."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray

from analysis.canonical import sha256_of
from analysis.design_simulation.results import result_bytes
from analysis.job_queue import order_job
from analysis.models import DesignResult, DesignSimulation, Job, SimulationChunk
from analysis.statistics import simulation as statistics
from studies.acting import Program, acting
from studies.protocol import ProtocolDefinition

Progress = Callable[[int, int], None]
FloatArray = NDArray[np.float64]
# Chunks on the queue at a time: enough for as many workers, few enough that a look ordered later does not wait long.
AT_ONCE = 8
_NUMBERS = np.dtype("<f8")
_Status = DesignSimulation.Status


def run(chunk: SimulationChunk, job: Job, *, progress: Progress) -> None:
    """Simulate a chunk unless its rows are there, then go on: the next chunks, or the result.

    Nothing is done for a simulation that was cancelled.
    """
    if chunk.rows is None and not _simulate(chunk, progress):
        return
    _go_on(chunk.simulation, job)


def order_next_chunks(simulation: DesignSimulation, *, besides: Job | None = None) -> None:
    """Order jobs until AT_ONCE of a simulation are under way, not counting one that is about to end."""
    going_on = [Job.Status.QUEUED, Job.Status.RUNNING]
    under_way = Job.objects.filter(chunk__simulation=simulation, status__in=going_on)
    if besides:
        under_way = under_way.exclude(pk=besides.pk)
    for chunk in simulation.chunks.filter(jobs=None).defer("rows")[: max(AT_ONCE - under_way.count(), 0)]:
        order_job(Job.Kind.SIMULATION, study=simulation.study, ordered_by=simulation.ordered_by, chunk=chunk)


def _simulate(chunk: SimulationChunk, progress: Progress) -> bool:
    """Simulate block by block and keep the rows; False where the simulation was cancelled meanwhile."""
    run_of = chunk.simulation
    model = statistics.trial_model(run_of.protocol_version.definition, statistics.scenario(chunk.scenario))
    found = []
    for done in range(0, chunk.count, statistics.BLOCK):
        if _cancelled(run_of):
            return False
        progress(done, chunk.count)
        size = min(statistics.BLOCK, chunk.count - done)
        found.append(statistics.simulate(model, seed=run_of.seed, first=chunk.first + done, count=size))
    progress(chunk.count, chunk.count)
    # A worker believed dead may come second: the rows are the same, and the first ones stay.
    SimulationChunk.objects.filter(pk=chunk.pk, rows=None).update(rows=packed(np.concatenate(found)))
    return True


def _cancelled(simulation: DesignSimulation) -> bool:
    return DesignSimulation.objects.filter(pk=simulation.pk, status=_Status.CANCELLED).exists()


def _go_on(simulation: DesignSimulation, job: Job) -> None:
    with acting(Program("blinded worker"), "design simulated"), transaction.atomic():
        # One worker at a time looks at what is missing: none is ordered twice, and one makes the result.
        locked = DesignSimulation.objects.select_for_update().get(pk=simulation.pk)
        if locked.status != _Status.ORDERED:
            return
        if locked.chunks.filter(rows=None).exists():
            order_next_chunks(locked, besides=job)
            return
        content = _gathered(locked)
        DesignResult.objects.create(
            simulation=locked, content=content, sha256=sha256_of(content), made_at=timezone.now()
        )
        locked.status = _Status.DONE
        locked.save(update_fields=["status"])


def _gathered(simulation: DesignSimulation) -> bytes:
    definition: ProtocolDefinition = simulation.protocol_version.definition
    scenarios = statistics.several(simulation.scenarios)
    models = [statistics.trial_model(definition, each) for each in scenarios]
    rows = [np.concatenate([unpacked(each, model) for each in _chunks(simulation, model)]) for model in models]
    return result_bytes(definition, models, rows, seed=simulation.seed)


def _chunks(simulation: DesignSimulation, model: statistics.TrialModel) -> list[bytes]:
    of_scenario = simulation.chunks.filter(scenario=model.scenario.label).order_by("first")
    return [bytes(rows or b"") for rows in of_scenario.values_list("rows", flat=True)]


def packed(rows: FloatArray) -> bytes:
    """The rows of trials as bytes."""
    return zlib.compress(rows.astype(_NUMBERS).tobytes(), 6)


def unpacked(content: bytes, model: statistics.TrialModel) -> FloatArray:
    """The rows of trials from their bytes."""
    numbers = np.frombuffer(zlib.decompress(content), dtype=_NUMBERS)
    width = len(statistics.columns(len(model.looks.planned)))
    return np.asarray(numbers.reshape(-1, width), dtype=np.float64)
