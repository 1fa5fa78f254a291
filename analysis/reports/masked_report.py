"""The closed report with masked arms, for a DSMB that looks half-blind: A and B side by side, no decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.reports import figures_by_arm
from analysis.reports.blocks import Block, Facts, Heading, Paragraph, Report, Table, table
from analysis.reports.closed_analyses import missing_blocks, stopping_blocks, subgroup_blocks
from analysis.reports.closed_decision import conduct_said, safety_said
from analysis.reports.closed_efficacy import (
    endpoint_tables,
    loss_blocks,
    primary_blocks,
    responder_blocks,
    secondary_blocks,
)
from analysis.reports.figures_consort import consort_flow
from analysis.reports.shared_tables import (
    adverse_event_tables,
    baseline_table,
    deviation_blocks,
    disposition_tables,
    provenance,
    report_of,
)

Result = Mapping[str, Any]
AUDIENCE = "Confidential: DSMB, arms masked"


def masked_report(result: Result) -> Report:
    """The report of a masked result (analysis.interim.masked). What stands in it tells no arm by name or order."""
    labels = {group["code"]: group["label"] for group in result["arms"]}
    harms = figures_by_arm.harms(result["safety"])
    return report_of(
        result,
        kind="masked report",
        audience=AUDIENCE,
        readers="For the DSMB only.",
        answer=_answer(result),
        first=[_three_numbers(result), *([harms] if harms else []), _questions(result), _masked()],
        blocks=[
            *_safety(result),
            *_participants(result),
            Heading("Primary endpoint"),
            *primary_blocks(result, labels),
            *subgroup_blocks(result["subgroups"]),
            *missing_blocks(result["missing_patterns"]),
            *secondary_blocks(result, labels),
            Heading("Responders"),
            *responder_blocks(result["responders"]),
            *loss_blocks(result["loss_of_response"], list(labels)),
            Heading("All endpoints by arm and time"),
            *endpoint_tables(result["descriptives"], labels),
            *provenance(result),
        ],
    )


def _answer(result: Result) -> str:
    stopped = [rule["label"] for rule in result["stopping_rules"] if rule["stops"]]
    if stopped:
        return f"A safety stopping rule is met: {'; '.join(stopped)}."
    return "No safety stopping rule is met. The arms are masked; the decision on efficacy is in the closed report."


def _three_numbers(result: Result) -> Facts:
    arms = [(str(group["n"]), group["label"], "randomised") for group in result["arms"]]
    serious = next(each for each in result["safety"]["overview"] if each["key"] == "serious")["cells"]
    total, treated = sum(cell["count"] for cell in serious), sum(cell["n"] for cell in serious)
    return Facts((*arms, (str(total), "With a serious adverse event", f"of {treated} treated, arms together")))


def _questions(result: Result) -> Table:
    rows = [
        ("Is it safe for participants to go on?", safety_said(result)),
        ("Can the trial still answer its question?", conduct_said(result)),
        ("Must the arms be named to judge this?", "Yes  ·  no (the unblinded statistician may name them)"),
        ("Recommendation of the committee", "Go on unchanged  ·  go on with changes  ·  pause  ·  stop"),
    ]
    return table("Questions to the committee", ("Question", "What the data say"), rows, texts=[1])


def _masked() -> Paragraph:
    return Paragraph(
        "Which arm is A was drawn by chance and is kept apart from this report. Every contrast is A minus B, and so on "
        "through all pairs, with two-sided p; stopping rules are judged in every arm. Drug levels are left out: one "
        "that can be quantified tells the arm.",
        "note",
    )


def _safety(result: Result) -> list[Block]:
    return [
        Heading("Safety"),
        *stopping_blocks(result["stopping_rules"]),
        *adverse_event_tables(result["safety"]),
    ]


def _participants(result: Result) -> list[Block]:
    return [
        Heading("Participants"),
        consort_flow(result["consort"]),
        *disposition_tables(result["disposition"]),
        *deviation_blocks(result),
        Heading("Before treatment"),
        baseline_table(result["baseline"]),
    ]
