"""The closed report with masked arms, for a DSMB that looks half-blind: A and B side by side, no decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.reports import figures_by_arm
from analysis.reports.blocks import Block, Facts, Heading, Paragraph, Report, table
from analysis.reports.closed_efficacy import endpoint_tables, loss_blocks, model_blocks, responder_blocks
from analysis.reports.shared_tables import (
    adverse_event_tables,
    baseline_table,
    disposition_tables,
    provenance,
    report_of,
)

Result = Mapping[str, Any]
AUDIENCE = "Confidential: DSMB, arms masked"


def masked_report(result: Result) -> Report:
    """The report of a masked result (analysis.interim.masked). What stands in it tells no arm by name or order."""
    return report_of(
        result,
        kind="masked report",
        audience=AUDIENCE,
        readers="For the DSMB only.",
        answer=_answer(result),
        blocks=_blocks(result),
    )


def _answer(result: Result) -> str:
    stopped = [rule["label"] for rule in result["stopping_rules"] if rule["stops"]]
    if stopped:
        return f"A safety stopping rule is met: {'; '.join(stopped)}."
    return "No safety stopping rule is met. The arms are masked; the decision on efficacy is in the closed report."


def _blocks(result: Result) -> list[Block]:
    labels = {group["code"]: group["label"] for group in result["arms"]}
    blocks: list[Block] = [
        Facts(tuple((str(group["n"]), group["label"], "randomised") for group in result["arms"])),
        Paragraph("Which arm is A was drawn by chance and is kept apart from this report.", "note"),
        _stopping_rules(result),
        Heading("Primary endpoint", page=True),
    ]
    for model in result["models"]:
        blocks += model_blocks(model, labels, result)
    blocks += [Heading("Responders"), *responder_blocks(result["responders"])]
    blocks += [Heading("Loss of response"), *loss_blocks(result["loss_of_response"], list(labels))]
    blocks += [Heading("Participants"), *disposition_tables(result["disposition"]), Heading("Safety", page=True)]
    figure = figures_by_arm.harms(result["safety"])
    blocks += [figure] if figure else []
    blocks += adverse_event_tables(result["safety"])
    blocks += [Heading("Before treatment", page=True), baseline_table(result["baseline"])]
    blocks += [Heading("All endpoints by arm and time", page=True), *endpoint_tables(result["descriptives"], labels)]
    return [*blocks, *provenance(result)]


def _stopping_rules(result: Result) -> Block:
    rows = [
        (rule["label"], cell["arm"], _events(cell), "yes" if cell["stops"] else "no")
        for rule in result["stopping_rules"]
        for cell in rule["cells"]
    ]
    return table("Safety stopping rules, judged in every arm", ("Rule", "Arm", "Events", "Stops"), rows, texts=[1])


def _events(cell: Result) -> str:
    return f"{cell['events']} of {cell['n']}" if cell["estimable"] else "nobody treated"
