"""The closed report, for the DSMB and the unblinded statistician: the decision, and the arms side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.reports import figures_by_arm
from analysis.reports.blocks import Block, Heading, Report, table
from analysis.reports.closed_analyses import (
    blinding_blocks,
    estimand_blocks,
    event_blocks,
    mechanism_blocks,
    missing_blocks,
    sensitivity_blocks,
    stopping_blocks,
    subgroup_blocks,
    testing_blocks,
)
from analysis.reports.closed_decision import (
    answer,
    decision_blocks,
    first_plot,
    questions,
    three_numbers,
    what_is_compared,
)
from analysis.reports.closed_efficacy import (
    endpoint_tables,
    loss_blocks,
    primary_blocks,
    responder_blocks,
    secondary_blocks,
)
from analysis.reports.closed_exposure import exposure_blocks
from analysis.reports.closed_safety import infusion_day_blocks
from analysis.reports.figures_consort import consort_flow
from analysis.reports.shared_tables import (
    adverse_event_tables,
    baseline_table,
    deviation_blocks,
    disposition_tables,
    not_finite_blocks,
    provenance,
    report_of,
)

Result = Mapping[str, Any]
AUDIENCE = "Confidential: DSMB"


def closed_report(result: Result) -> Report:
    """The closed report of a closed result (analysis.interim)."""
    labels = {group["code"]: group["label"] for group in result["arms"]}
    return report_of(
        result,
        kind="closed report",
        audience=AUDIENCE,
        readers="For the DSMB and the unblinded statistician only.",
        answer=answer(result),
        first=[
            three_numbers(result),
            what_is_compared(result),
            first_plot(result, labels),
            questions(result),
            _arms(result),
        ],
        blocks=[
            *_decision(result),
            *_participants(result),
            *_efficacy(result, labels),
            *_explanations(result),
            *_safety(result),
            Heading("All endpoints by arm and time"),
            *endpoint_tables(result["descriptives"], labels),
            *provenance(result),
        ],
    )


def _arms(result: Result) -> Block:
    rows = [(group["code"], group["label"], str(group["n"])) for group in result["arms"]]
    return table("Arms", ("Code", "Arm", "Randomised"), rows, texts=[1])


def _decision(result: Result) -> list[Block]:
    if "information" not in result["decision"]:
        blocks: list[Block] = [Heading("What was asked")]
    else:
        blocks = [Heading("Decision"), *decision_blocks(result)]
    return [*blocks, *estimand_blocks(result), *testing_blocks(result)]


def _participants(result: Result) -> list[Block]:
    return [
        Heading("Participants"),
        consort_flow(result["consort"]),
        *disposition_tables(result["disposition"]),
        *deviation_blocks(result),
        *event_blocks(result["intercurrent_events"], result["arms"]),
        Heading("Before treatment"),
        baseline_table(result["baseline"]),
    ]


def _efficacy(result: Result, labels: Mapping[str, str]) -> list[Block]:
    return [
        Heading("Primary endpoint"),
        *primary_blocks(result, labels),
        *subgroup_blocks(result["subgroups"]),
        *missing_blocks(result["missing_patterns"]),
        *sensitivity_blocks(result["sensitivity"]),
        *not_finite_blocks(result["not_finite"]),
        *secondary_blocks(result, labels),
        Heading("Responders"),
        *responder_blocks(result["responders"]),
        *loss_blocks(result["loss_of_response"], list(labels)),
    ]


def _explanations(result: Result) -> list[Block]:
    """Mechanism, exposure and the blind: what else could explain an effect."""
    return [
        *mechanism_blocks(result),
        *exposure_blocks(result["pharmacokinetics"]),
        *blinding_blocks(result["blinding"], result["trial"]["visits"]),
    ]


def _safety(result: Result) -> list[Block]:
    blocks: list[Block] = [Heading("Safety"), *stopping_blocks(result["stopping_rules"])]
    figure = figures_by_arm.harms(result["safety"])
    blocks += [figure] if figure else []
    blocks += adverse_event_tables(result["safety"])
    if "infusion_day" in result:
        blocks += [Heading("Infusion day"), *infusion_day_blocks(result["infusion_day"])]
    return blocks
