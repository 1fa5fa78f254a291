"""What a plan may get wrong in its further analyses: every mistake at its place, with what to do."""

# ruff: noqa: E501 - one mistake a line, old and new side by side

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from studies.protocol import DocumentInvalid, load
from studies.protocol.further_analyses import Deltas, Multiplicity
from studies.protocol.planned_looks import Looks

TEXT = (Path(__file__).parents[3] / "studies" / "protocols" / "kalm-1.0.yaml").read_text()
START = TEXT.index("\nanalysis:\n")
CASES = [
    ("    endpoints: [pain_week4, affective_week4,", "    endpoints: [pain_week4, affective,", "analysis.multiplicity", "affective_week4 is not among the endpoints that are tested."),
    ("    endpoints: [pain_week4, affective_week4,", "    endpoints: [affective_week4, pain_week4,", "analysis.multiplicity.endpoints[1]", "The first endpoint that is tested must be the primary one."),
    ("dissociation_week4]\n    spending", "dissociation_week4, qst_week4]\n    spending", "analysis.multiplicity.endpoints[8]", "No model of the plan judges 'qst_week4'"),
    ("procedure: fixed_sequence", "procedure: graphical", "analysis.multiplicity", "weights go with procedure: graphical"),
    ("method: reference_based, model: primary_mmrm, strategy: CR", "method: reference_based, model: mmrm, strategy: CR", "analysis.sensitivity[copy_reference].model", "'mmrm' is not a model of the plan."),
    ("method: reference_based, model: primary_mmrm, strategy: CR", "method: reference_based, model: sensitivity_ancova, strategy: CR", "analysis.sensitivity[copy_reference].model", "must be an mmrm of differences"),
    ("events: [ICE-2]", "events: [ICE-3]", "analysis.sensitivity[rescue_as_reference].events", "'ICE-3' is not an intercurrent event with recorded_as."),
    (", deltas: {start: 0, to: 3, step: 0.25}", "", "analysis.sensitivity[tipping_point]", "deltas go with method: tipping_point"),
    ("to: 3, step: 0.25", "to: 3, step: 0.001", "analysis.sensitivity[tipping_point].deltas", "are none, or more than 100"),
    ("factors: [pain_stratum, site, sex]", "factors: [pain_class]", "analysis.subgroups.factors", "'pain_class' is not a factor that makes subgroups here."),
    ("      analysis: rescue_as_reference\n", "", "analysis.supplementary_estimands[hypothetical]", "Say which analysis estimates 'hypothetical'"),
    ("      analysis: rescue_as_reference\n", "      analysis: nothing\n", "analysis.supplementary_estimands[hypothetical].analysis", "'nothing' is not an analysis of the plan."),
    ("{endpoint: qst_week4, days: {D1: 1,", "{endpoint: qst_week4, days: {D2: 1,", "analysis.mechanism.dimensions[Q].sources[1].days", "'D2' is not a timepoint of qst_week4."),
    ("first: S, second: Q, day: 28", "first: S, second: Z, day: 28", "analysis.mechanism", "Z is not one of the dimensions A, M, Q, S."),
    ("    population: FAS\n    active: KET\n", "    population: ITT\n    active: KET\n", "analysis.mechanism.population", "'ITT' is not a population of the plan."),
    ("    guesses: {KET: 1, MDZ: 2}", "    guesses: {KET: 1, SAL: 2}", "analysis.blinding", "guesses must give the answers for KET and MDZ."),
    ("      arm: KET\n      method: exact", "      arm: SAL\n      method: exact", "analysis.stopping_rules[severe_related_events].arm", "'SAL' is not an arm."),
    ("      alpha: 0.05\n      not_before", "      not_before", "analysis.stopping_rules[severe_related_events]", "alpha goes with method: exact"),
    ("recorded_as: {kind: infusion_incomplete, below_percent: 95}", "recorded_as: {kind: infusion_incomplete}", "analysis.estimand.intercurrent_events[ICE-1].recorded_as", "infusion_incomplete needs below_percent"),
    ("above: 6, days: [22, 28]}", "above: 6, days: [22, 48]}", "analysis.estimand.intercurrent_events[ICE-2].recorded_as", "The diary does not ask 'diary_daily' on all days 22 to 48."),
    ("{code: D1, visit: D1, instrument: sf_mpq_2_24h}", "{code: D1, visit: D1, instrument: sf_mpq_2}", "analysis.endpoints[affective_week4]", "'sf_mpq_2' is not collected at D1."),
    ("    spending: lan_demets_of\n    power", "    spending: kim_demets\n    power", "analysis.looks", "spending_parameter goes with hwang_shih_decani and kim_demets"),
    ("label: First interim}", "label: First interim, triggers: [enrolled]}", "analysis.looks.planned[1]", "'enrolled' goes with the trigger enrolled"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "path", "message"), CASES, ids=[f"{case[2]} {n}" for n, case in enumerate(CASES)]
)
def test_a_mistake_is_reported_where_it_stands_with_what_to_do(old: str, new: str, path: str, message: str):
    plan = TEXT[START:]
    assert plan.count(old) == 1, "the file no longer holds this once"
    with pytest.raises(DocumentInvalid) as invalid:
        load(TEXT[:START] + plan.replace(old, new), source="changed.yaml")
    found = [problem for problem in invalid.value.problems if message in problem.message]
    assert [problem.path for problem in found] == [path]


def test_deltas_are_every_step_with_both_ends():
    assert Deltas(to=1, step=0.25).values() == (0, 0.25, 0.5, 0.75, 1)
    assert Deltas(start=0.1, to=0.4, step=0.1).values() == (0.1, 0.2, 0.3, 0.4)


def test_a_graph_hands_on_no_more_than_there_is():
    about = {"procedure": "graphical", "endpoints": ("a", "b")}
    assert Multiplicity(**about, weights={"a": 1}, transitions={"a": {"b": 1}}).weights == {"a": 1}
    for wrong in ({"weights": {"a": 0.7, "b": 0.7}}, {"weights": {"a": 1}, "transitions": {"a": {"a": 0.6, "b": 0.6}}}):
        with pytest.raises(ValidationError, match="at most 1"):
            Multiplicity(**about, **wrong)
    with pytest.raises(ValidationError, match="twice"):
        Multiplicity(procedure="fixed_sequence", endpoints=("a", "a"))


def test_the_parameter_of_kim_and_demets_is_above_0():
    looks = load(TEXT, source="kalm").analysis.looks
    assert looks is not None
    content = looks.model_dump() | {"spending": "kim_demets", "spending_parameter": 2}
    assert Looks.model_validate(content).spending_parameter == 2
    with pytest.raises(ValidationError, match="must be above 0"):
        Looks.model_validate(content | {"spending_parameter": 0})
