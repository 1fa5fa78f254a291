"""The work on one chunk of trials, done once whoever dies meanwhile, and the result when the last chunk is in."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from analysis.canonical import sha256_of
from analysis.job_queue import order_job
from analysis.models import DesignResult, DesignSimulation, Job, SimulationChunk
from studies.acting import Program, acting

Progress = Callable[[int, int], None]
# Chunks on the queue at a time: enough for as many workers, few enough that a look ordered later does not wait long.
AT_ONCE = 8
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
    from analysis.design_simulation import trials  # noqa: PLC0415 - SciPy, only where trials are simulated

    found = []
    for done, rows in trials.blocks(chunk):
        if _cancelled(chunk.simulation):
            return False
        progress(done, chunk.count)
        found.append(rows)
    # A worker believed dead may come second: the rows are the same, and the first ones stay.
    SimulationChunk.objects.filter(pk=chunk.pk, rows=None).update(rows=trials.packed(found))
    return True


def _cancelled(simulation: DesignSimulation) -> bool:
    return DesignSimulation.objects.filter(pk=simulation.pk, status=_Status.CANCELLED).exists()


def _go_on(simulation: DesignSimulation, job: Job) -> None:
    from analysis.design_simulation import trials  # noqa: PLC0415 - SciPy, only where trials are simulated

    with acting(Program("blinded worker"), "design simulated"), transaction.atomic():
        # One worker at a time looks at what is missing: none is ordered twice, and one makes the result.
        locked = DesignSimulation.objects.select_for_update().get(pk=simulation.pk)
        if locked.status != _Status.ORDERED:
            return
        if locked.chunks.filter(rows=None).exists():
            order_next_chunks(locked, besides=job)
            return
        content = trials.gathered(locked)
        DesignResult.objects.create(
            simulation=locked, content=content, sha256=sha256_of(content), made_at=timezone.now()
        )
        locked.status = _Status.DONE
        locked.save(update_fields=["status"])
