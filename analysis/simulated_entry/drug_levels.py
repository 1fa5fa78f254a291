"""A laboratory's file of the simulated trial: the levels of the active arm, as they are sent to the unblinded side."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from analysis.simulation.parameters import Parameters, load_parameters
from analysis.simulation.pharmacokinetics import sample_levels
from analysis.simulation.records import PkSample, RateSegment
from outcomes.concentrations.analytes import UNIT
from outcomes.concentrations.columns import Columns
from studies.acting import Program
from studies.closed_side import read_arms
from studies.models import Infusion, Participant, Study

ANALYTES = ("ketamine", "norketamine", "hydroxynorketamine")
_NEXT_DAY = 1440


def laboratory_file(actor: Program, *, study: Study, seed: int, until: datetime) -> bytes:
    """CSV with a line for each analyte of each sample drawn by `until`; the arms read for it are logged.

    A participant's place among the identifiers of the study is the index of the `pk` stream, which nothing else draws
    from: the levels are those of the infusion that was recorded.
    """
    arms = read_arms(actor, study=study, purpose="drug levels of a demonstration")
    control = {arm.code for arm in study.protocol_versions.latest("pk").definition.arms if arm.control}
    parameters = load_parameters()
    infusions = Infusion.objects.filter(participant__study=study).select_related("participant")
    people = infusions.prefetch_related("segments").order_by("participant__identifier")
    lines = [",".join(Columns().names().values())]
    for index, infusion in enumerate(people):
        if arms[infusion.participant_id] not in control:
            lines += _lines(infusion, parameters, seed, index, until)
    return ("\n".join(lines) + "\n").encode()


def _lines(infusion: Infusion, parameters: Parameters, seed: int, index: int, until: datetime) -> Iterator[str]:
    segments = tuple(
        RateSegment(int(each.start_min), int(each.end_min), float(each.rate_ml_h))
        for each in sorted(infusion.segments.all(), key=lambda each: each.start_min)
    )
    if not segments:
        return
    weight = float(infusion.weight_kg)
    for sample in sample_levels(seed, index, weight_kg=weight, segments=segments, parameters=parameters):
        if _was_drawn(infusion.participant, infusion.started_at + timedelta(minutes=sample.minute), sample, until):
            for analyte in ANALYTES:
                yield _line(infusion.participant.identifier, analyte, sample, parameters.pk.lloq)


def _was_drawn(participant: Participant, at: datetime, sample: PkSample, until: datetime) -> bool:
    """Not yet, or no more: who left on the day of the infusion did not come on the next."""
    gone = participant.ended_on is not None and participant.ended_on < at.date()
    return at <= until and not (gone and sample.nominal >= _NEXT_DAY)


def _line(identifier: str, analyte: str, sample: PkSample, lloq: float) -> str:
    level: float = getattr(sample, analyte)
    told = f"{level:g}" if level >= lloq else f"<{lloq:g}"
    return f"{identifier},{analyte},{sample.nominal},{sample.minute:g},{told},{UNIT},{lloq:g}"
