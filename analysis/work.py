"""What each kind of job does, what it waits for, and which record shows how it went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from analysis import closed_store, cuts
from analysis.design_simulation import chunks
from analysis.look_results import make_closed_report, make_open_report
from analysis.models import DataCut, DesignSimulation, Job, Look, SimulationChunk
from studies.acting import Program

Progress = Callable[[int, int], None]
_Failure = Job.Failure


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of job: `waits_for` names what is missing, or is empty; `do` may be repeated without harm."""

    waits_for: Callable[[Job], Job.Failure]
    do: Callable[[Job, Progress], None]


def _waits_for_nothing(_: Job) -> Job.Failure:
    return _Failure.NONE


def _waits_for_the_cut(job: Job) -> Job.Failure:
    return _Failure.NONE if _cut_of(job).status == DataCut.Status.TAKEN else _Failure.NOT_READY


def _waits_for_the_closed_side(job: Job) -> Job.Failure:
    """The unblinded cut, the plan's registration, and the earlier looks, whose spending a boundary needs."""
    look = _look_of(job)
    if not closed_store.is_registered(look.plan):
        return _Failure.PLAN_NOT_REGISTERED
    unblinded = Job.objects.filter(kind=Job.Kind.CLOSED_CUT, cut=look.cut, status=Job.Status.DONE)
    earlier = Look.objects.filter(study=look.study, pk__lt=look.pk).values_list("pk", flat=True)
    if unblinded.exists() and set(earlier) <= closed_store.sealed_looks(look.study_id):
        return _Failure.NONE
    return _Failure.NOT_READY


def _take_cut(job: Job, progress: Progress) -> None:
    cuts.take(_cut_of(job), progress=progress)


def _take_unblinded_cut(job: Job, progress: Progress) -> None:
    cuts.take_unblinded(Program("unblinded worker"), cut=_cut_of(job))
    progress(1, 1)


def _make_open_report(job: Job, progress: Progress) -> None:
    make_open_report(_look_of(job), progress=progress)


def _make_closed_report(job: Job, progress: Progress) -> None:
    make_closed_report(_look_of(job), progress=progress, note=partial(closed_store.note_detail, job.pk))


def _simulate(job: Job, progress: Progress) -> None:
    chunks.run(_chunk_of(job), job, progress=progress)


WORK = {
    Job.Kind.CUT: Work(_waits_for_nothing, _take_cut),
    Job.Kind.CLOSED_CUT: Work(_waits_for_the_cut, _take_unblinded_cut),
    Job.Kind.OPEN_REPORT: Work(_waits_for_the_cut, _make_open_report),
    Job.Kind.CLOSED_REPORT: Work(_waits_for_the_closed_side, _make_closed_report),
    Job.Kind.SIMULATION: Work(_waits_for_nothing, _simulate),
}


def show_on_record(job: Job, *, failed: bool) -> None:
    """Let the cut or look of a job say that it failed, or (failed=False) that it is ordered again.

    Only the one column that belongs to the job's side is written.
    """
    if job.kind == Job.Kind.CUT:
        status = DataCut.Status.FAILED if failed else DataCut.Status.ORDERED
        DataCut.objects.filter(pk=job.cut_id or 0).update(status=status)
        return
    if job.kind == Job.Kind.SIMULATION:
        before, after = DesignSimulation.Status.ORDERED, DesignSimulation.Status.FAILED
        was, becomes = (before, after) if failed else (after, before)
        # One that was cancelled, or is done, stays so.
        DesignSimulation.objects.filter(chunks=job.chunk_id or 0, status=was).update(status=becomes)
        return
    column = {Job.Kind.OPEN_REPORT: "status", Job.Kind.CLOSED_REPORT: "closed_status"}.get(Job.Kind(job.kind))
    if column:
        look_status = Look.Status.FAILED if failed else Look.Status.ORDERED
        Look.objects.filter(pk=job.look_id or 0).update(**{column: look_status})


def _cut_of(job: Job) -> DataCut:
    return DataCut.objects.select_related("study").get(pk=job.cut_id or 0)


def _look_of(job: Job) -> Look:
    return Look.objects.select_related("study", "plan", "cut__study").get(pk=job.look_id or 0)


def _chunk_of(job: Job) -> SimulationChunk:
    return SimulationChunk.objects.select_related("simulation__study", "simulation__protocol_version").get(
        pk=job.chunk_id or 0
    )
