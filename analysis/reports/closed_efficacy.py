"""Efficacy in the closed report: the models, responders, loss of response, and all endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.reports import figures_by_arm
from analysis.reports.blocks import Block, Cell, Figure, Heading, Paragraph, row, table
from analysis.reports.shared_tables import counts, group_head, why_not
from analysis.reports.wording import NONE, interval, mean_sd, number, p_value

Result = Mapping[str, Any]
_METHODS = {
    "mmrm": "Mixed model for repeated measures",
    "ancova": "Analysis of covariance",
    "difference_of_means": "Difference of means",
}


def model_blocks(model: Result, labels: Mapping[str, str], result: Result) -> list[Block]:
    """One model: effects, plots over time, and what exactly was fitted."""
    name = _METHODS[model["method"]] + (" (primary)" if model["primary"] else "")
    if not model["estimable"]:
        return [why_not(model, f"{name}, {model['label']}")]
    named = {**model, "timepoint_labels": timepoint_labels(result, model["endpoint"])}
    blocks: list[Block] = [_effects(name, named)]
    if model["method"] == "mmrm":
        blocks += _present(figures_by_arm.means_over_time(named, labels))
        if model["effect"] == "difference":
            blocks += _present(figures_by_arm.effects_over_time(named, model["better"]))
    blocks.append(Paragraph(_fitted(named), "note"))
    if model["primary"]:
        blocks += _effect_sizes(result["effect_sizes"])
    return blocks


def _present(figure: Figure | None) -> list[Block]:
    return [] if figure is None else [figure]


def timepoint_labels(result: Result, endpoint: str) -> dict[str, str]:
    """Code and label of an endpoint's timepoints."""
    cells = next(each["cells"] for each in result["descriptives"] if each["endpoint"] == endpoint)
    return {cell["timepoint"]: cell["label"] for cell in cells}


def _effects(name: str, model: Result) -> Block:
    people = model["participants"]
    rows = [
        row(
            Cell(
                f"{each['active']} minus {each['reference']}",
                f"n {people[each['active']]} and {people[each['reference']]}",
            ),
            number(each["estimate"]),
            interval(each),
            number(each["se"], 3),
            number(each["df"], 1),
            number(each["statistic"]),
            p_value(each["p"]),
        )
        for each in model["effects"]
    ]
    when = model["timepoint_labels"].get(model["at"], model["at"])
    what = "Difference in change" if model["effect"] == "difference_in_change" else "Difference"
    head = ("Comparison", what, "95 % interval", "SE", "df", "t", "p, two-sided")
    return table(f"{name}: {model['label']}, {when}", head, rows)


def _fitted(model: Result) -> str:
    covariates = ", ".join(model["covariates"]) or "none"
    parts = [f"{model['population']}: {model['subjects']} participants, {model['observations']} values."]
    parts.append(f"Covariates: {covariates}.")
    if model["covariates_left_out"]:
        parts.append(f"Left out, the same for everybody: {', '.join(model['covariates_left_out'])}.")
    if model["method"] == "mmrm":
        used, planned = model["covariance_structure"], model["covariance_planned"]
        covariance = f"Covariance {used}" + ("" if used == planned else f" ({planned} as planned did not converge)")
        parts.append(f"{covariance}; degrees of freedom: {model['df_method'].replace('_', '-')}; REML.")
    return " ".join(parts)


def _effect_sizes(sizes: Sequence[Result]) -> list[Block]:
    rows = [
        row(
            f"{each['active']} against {each['reference']}, {'value' if each['measure'] == 'post' else 'change'}",
            f"{each['n_active']} and {each['n_reference']}",
            number(each["hedges_g"]["estimate"]) if each["estimable"] else NONE,
            interval(each["hedges_g"]) if each["estimable"] else each["why"],
        )
        for each in sizes
    ]
    return [table("Standardised differences (Hedges g), as observed", ("", "n", "g", "95 % interval"), rows)]


def responder_blocks(responders: Result) -> list[Block]:
    """Responders by arm, each definition compared, and the cumulative curve."""
    if not responders["estimable"]:
        return [why_not(responders, "Responders")]
    groups = responders["groups"]
    rows = [row(each["definition"], *counts(each["cells"], groups)) for each in responders["rows"]]
    missing = [str(each["missing"]) for each in responders["missing"]]
    rows.append(row("Missing, counted as not responding", *missing))
    if responders["non_responder_after"]:
        names = " or ".join(responders["non_responder_after"])
        rows.append(row(f"Had {names}, counted as not responding", *counts(responders["after_event"], groups)))
    blocks: list[Block] = [table("Responders", group_head("", groups), rows), _compared(responders)]
    return blocks + _present(figures_by_arm.responder_curve(responders))


def _compared(responders: Result) -> Block:
    rows = []
    for each in responders["rows"]:
        for contrast in each["contrasts"]:
            name = Cell(each["definition"], f"{contrast['active']} minus {contrast['reference']}")
            rows.append(row(name, *_difference(contrast)))
    head = ("", "Difference (percentage points)", "95 % interval", "Needed to treat", "p (Fisher)")
    note = "Miettinen-Nurminen intervals. The number needed to treat is given only where the interval excludes 0."
    return table("Responders compared", head, rows, note=note)


def _difference(contrast: Result) -> tuple[str, str, str, str]:
    if not contrast["estimable"]:
        return NONE, contrast["why"], NONE, NONE
    found, needed = contrast["risk_difference"], contrast["number_needed_to_treat"]
    points = {key: 100 * found[key] for key in ("lower", "upper")}
    treat = f"{number(needed['estimate'], 1)} ({interval(needed, 1)})" if needed["estimable"] else NONE
    return number(100 * found["estimate"], 1), interval(points, 1), treat, p_value(contrast["fisher_p"])


def loss_blocks(loss: Result, labels: list[str]) -> list[Block]:
    """Kaplan-Meier of the early responders; descriptive."""
    if not loss["estimable"]:
        return [why_not(loss, "Time to loss of response")]
    rows = [
        row(each["code"], str(each["responders"]), str(each["events"]), _median(loss["medians"].get(each["code"])))
        for each in loss["groups"]
    ]
    logrank = loss["logrank"]
    note = loss["note"]
    if logrank["estimable"]:
        note += f" Log-rank chi-square {number(logrank['chi_square'])}, p {p_value(logrank['p'])}."
    head = ("Arm", "Early responders", "Lost response", "Median days (95 % interval)")
    return [table("Loss of response", head, rows, note=note), figures_by_arm.response_kept(loss, labels)]


def _median(found: Result | None) -> str:
    if found is None or found["estimate"] is None:
        return "not reached"
    return f"{number(found['estimate'], 0)} ({interval(found, 0)})"


def endpoint_tables(descriptives: Sequence[Result], labels: Mapping[str, str]) -> list[Block]:
    """Means of every endpoint by arm and time."""
    blocks: list[Block] = []
    for endpoint in descriptives:
        if not any(cell["n"] for cell in endpoint["cells"]):
            blocks.append(Paragraph(f"{endpoint['label']}: no values in this cut.", "missing"))
            continue
        cells = {(cell["timepoint"], cell["arm"]): cell for cell in endpoint["cells"]}
        names = {cell["timepoint"]: cell["label"] for cell in endpoint["cells"]}
        rows = [row(label, *(mean_sd(cells[code, arm]) for arm in labels)) for code, label in names.items()]
        blocks.append(table(endpoint["label"], ("Time", *labels), rows))
    return blocks or [Heading("No endpoints")]
