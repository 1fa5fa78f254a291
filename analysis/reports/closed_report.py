"""The closed report, for the DSMB and the unblinded statistician: the decision, and the arms side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.reports import figures_by_arm
from analysis.reports.blocks import Block, Facts, Heading, Paragraph, Report, row, table
from analysis.reports.closed_analyses import (
    blinding_blocks,
    estimand_blocks,
    event_blocks,
    mechanism_blocks,
    missing_blocks,
    not_finite_blocks,
    sensitivity_blocks,
    stopping_blocks,
    subgroup_blocks,
    testing_blocks,
)
from analysis.reports.closed_efficacy import (
    endpoint_tables,
    loss_blocks,
    model_blocks,
    responder_blocks,
    timepoint_labels,
)
from analysis.reports.closed_safety import infusion_day_blocks
from analysis.reports.figures_consort import consort_flow
from analysis.reports.shared_tables import (
    adverse_event_tables,
    baseline_table,
    disposition_tables,
    provenance,
    report_of,
    why_not,
)
from analysis.reports.wording import interval, number, p_value

Result = Mapping[str, Any]
AUDIENCE = "Confidential: DSMB"


def closed_report(result: Result) -> Report:
    """The closed report of a closed result (analysis.interim)."""
    return report_of(
        result,
        kind="closed report",
        audience=AUDIENCE,
        readers="For the DSMB and the unblinded statistician only.",
        answer=_answer(result),
        blocks=_blocks(result),
    )


def _answer(result: Result) -> str:
    decision = result["decision"]
    if decision["estimable"]:
        return f"{decision['recommendation']}."
    primary = next(model for model in result["models"] if model["primary"])
    if "information" not in decision and primary["estimable"]:
        effects = (f"{e['active']} minus {e['reference']} {number(e['estimate'])}" for e in primary["effects"])
        return f"Analysed once, without interim looks. {'; '.join(effects)}."
    return f"No decision. {decision['why']}"


def _blocks(result: Result) -> list[Block]:
    labels = {group["code"]: group["label"] for group in result["arms"]}
    primary = next(model for model in result["models"] if model["primary"])
    blocks: list[Block] = [_three_numbers(result, primary), *_first_plot(result, primary, labels), _arms(result)]
    if "information" in result["decision"]:
        blocks += [Heading("Decision", page=True), *_decision(result["decision"])]
    blocks += estimand_blocks(result["estimands"]) + testing_blocks(result["multiplicity"])
    blocks += [Heading("Primary endpoint", page=True)]
    for model in result["models"]:
        blocks += model_blocks(model, labels, result)
    blocks += subgroup_blocks(result["subgroups"])
    blocks += missing_blocks(result["missing_patterns"]) + sensitivity_blocks(result["sensitivity"])
    blocks += event_blocks(result["intercurrent_events"], result["arms"])
    blocks += not_finite_blocks(result["not_finite"])
    blocks += [Heading("Responders"), *responder_blocks(result["responders"])]
    blocks += [Heading("Loss of response"), *loss_blocks(result["loss_of_response"], list(labels))]
    blocks += mechanism_blocks(result) + blinding_blocks(result["blinding"])
    blocks += [Heading("Participants", page=True), consort_flow(result["consort"])]
    blocks += disposition_tables(result["disposition"])
    blocks += [Heading("Safety", page=True), *stopping_blocks(result["stopping_rules"])]
    figure = figures_by_arm.harms(result["safety"])
    blocks += [figure] if figure else []
    blocks += adverse_event_tables(result["safety"])
    if "infusion_day" in result:
        blocks += [Heading("Infusion day"), *infusion_day_blocks(result["infusion_day"])]
    blocks += [Heading("Before treatment", page=True), baseline_table(result["baseline"])]
    blocks += [Heading("All endpoints by arm and time", page=True), *endpoint_tables(result["descriptives"], labels)]
    return [*blocks, *provenance(result)]


def _three_numbers(result: Result, primary: Result) -> Facts:
    decision = result["decision"]
    items = []
    if "information" in decision:
        information = decision["information"]
        units = f"{information['units']} of {information['maximum']} units"
        items.append((f"{number(100 * information['fraction'], 0)} %", "Information", units))
    else:
        randomised = sum(group["n"] for group in result["arms"])
        items.append((str(randomised), "Randomised", f"in {len(result['arms'])} arms"))
    if not primary["estimable"]:
        return Facts((*items, ("–", "Difference", "not estimable")))
    effect = primary["effects"][0]
    compared = f"{effect['active']} minus {effect['reference']}"
    items.append((number(effect["estimate"]), compared, f"95 % interval {interval(effect)}"))
    if decision["estimable"]:
        items.append((number(decision["z"]), "z", f"bound {number(decision['bound'])}"))
    else:
        items.append(
            (p_value(effect["p"]), "p, two-sided", f"t {number(effect['statistic'])}, df {number(effect['df'], 1)}")
        )
    return Facts(tuple(items))


def _first_plot(result: Result, primary: Result, labels: Mapping[str, str]) -> list[Block]:
    if result["decision"]["estimable"]:
        return [figures_by_arm.boundary(result["decision"])]
    named = {**primary, "timepoint_labels": timepoint_labels(result, primary["endpoint"])}
    figure = figures_by_arm.means_over_time(named, labels) if primary["estimable"] else None
    return [figure] if figure else [Paragraph("There is nothing to plot yet.", "missing")]


def _decision(decision: Result) -> list[Block]:
    if not decision["estimable"]:
        return [why_not(decision, "Decision")]
    blocks: list[Block] = [_trail(decision), _bounds(decision)]
    if decision["repeated_interval"]["estimable"]:
        ends = interval(decision["repeated_interval"])
        blocks.append(
            Paragraph(f"Repeated interval for the difference, valid whether or not the trial goes on: {ends}.")
        )
    after = decision["after_stopping"]
    if after["estimable"]:
        blocks.append(
            Paragraph(
                f"Allowing for the looks: median-unbiased estimate {number(after['estimate'])}, 95 % interval "
                f"{interval(after)}, p {p_value(after['p'])} (stage-wise ordering)."
            )
        )
    return blocks + _prospects(decision)


def _trail(decision: Result) -> Block:
    rows = [row(each["step"], _step_value(each["value"]), each["source"]) for each in decision["trail"]]
    note = "Each step from the cut to the decision. z is positive towards benefit."
    return table("Number trail", ("Step", "Value", "From"), rows, note=note, texts=[2])


def _step_value(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    if 0 < abs(value) < 0.0001:
        return f"{value:.2e}".replace("-", "\u2212")
    return number(value, 1 if abs(value) >= 10 else 4)


def _bounds(decision: Result) -> Block:
    rows = []
    for each in decision["path"]:
        numbers = (number(each["bound"], 3), number(each["z"], 3), "yes" if each["crossed"] else "no")
        rows.append(row(f"Look {each['look']}", str(each["units"]), _percent(each["fraction"]), *numbers))
    rows += [
        row("To come", number(each["units"], 0), _percent(each["fraction"]), number(each["bound"], 3), "", "")
        for each in decision["bounds_to_come"]
    ]
    planned = "; ".join(f"{each['units']} units {number(each['bound'], 3)}" for each in decision["planned_bounds"])
    sides = "one-sided" if decision["sides"] == 1 else "on each of two sides"
    note = f"{decision['spending']}, alpha {decision['alpha']:g} {sides}. As planned: {planned}."
    head = ("", "Units", "Information", "Bound (z)", "z", "Crossed")
    return table("Bounds at the information that came", head, rows, note=note)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _prospects(decision: Result) -> list[Block]:
    """Conditional power and futility: shown, never binding."""
    power, futility = decision["conditional_power"], decision["futility"]
    if not power["estimable"]:
        return [why_not(power, "Conditional power")]
    names = (("design", "The planned effect"), ("trend", "The trend so far"), ("null", "No effect"))
    rows = [(label, number(power[key], 3)) for key, label in names]
    blocks: list[Block] = [table("Conditional power if this is true", ("", "Probability"), rows)]
    if futility["estimable"]:
        word = "below" if futility["below"] else "not below"
        blocks.append(
            Paragraph(
                f"Futility: conditional power {number(futility['conditional_power'], 3)} is {word} "
                f"{futility['threshold']:g}. This is shown and never binding; the level holds whatever is decided."
            )
        )
    curve = figures_by_arm.power_curve(decision)
    return [*blocks, curve] if curve else blocks


def _arms(result: Result) -> Block:
    rows = [(group["code"], group["label"], str(group["n"])) for group in result["arms"]]
    return table("Arms", ("Code", "Arm", "Randomised"), rows, texts=[1])
