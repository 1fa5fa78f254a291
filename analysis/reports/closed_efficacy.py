"""Efficacy in the closed report: the models, responders, loss of response, and all endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.reports import figures_by_arm, figures_over_time
from analysis.reports.blocks import Block, Cell, Figure, Heading, Paragraph, row, table
from analysis.reports.shared_tables import counts, group_head, why_not
from analysis.reports.wording import NONE, interval, mean_sd, number, p_value, words

Result = Mapping[str, Any]
METHODS = {
    "mmrm": "Mixed model for repeated measures",
    "ancova": "Analysis of covariance",
    "difference_of_means": "Difference of means",
}
COVARIANCES = {
    "us": "unstructured",
    "toeph": "heterogeneous Toeplitz",
    "toep": "Toeplitz",
    "ar1h": "heterogeneous autoregressive",
    "ar1": "autoregressive",
    "csh": "heterogeneous compound symmetry",
    "cs": "compound symmetry",
    "un_un": "unstructured by dimension and day (Kronecker)",
    "un_ar1_re": "unstructured by dimension, autoregressive by day with a random intercept",
}
_DF = {"kenward_roger": "Kenward-Roger", "satterthwaite": "Satterthwaite", "residual": "residual"}


def primary_blocks(result: Result, labels: Mapping[str, str]) -> list[Block]:
    """The primary model, and the others of the primary endpoint that support it."""
    [primary] = (model for model in result["models"] if model["primary"])
    others = [m for m in result["models"] if m["endpoint"] == primary["endpoint"] and m is not primary]
    blocks = _model_blocks(primary, labels, result)
    if primary["estimable"]:
        blocks += _effect_sizes(result["effect_sizes"])
    return [*blocks, *(block for model in others for block in _model_blocks(model, labels, result))]


def secondary_blocks(result: Result, labels: Mapping[str, str]) -> list[Block]:
    """The models of every other endpoint, under a heading of their own."""
    primary = next(model["endpoint"] for model in result["models"] if model["primary"])
    others = [model for model in result["models"] if model["endpoint"] != primary]
    found = [block for model in others for block in _model_blocks(model, labels, result)]
    return [Heading("Secondary endpoints"), *found] if found else []


def _model_blocks(model: Result, labels: Mapping[str, str], result: Result) -> list[Block]:
    """One model: effects, with what exactly was fitted, and plots over time."""
    name = METHODS[model["method"]]
    if not model["estimable"]:
        return [why_not(model, f"{name}, {model['label']}")]
    named = {**model, "timepoint_labels": timepoint_labels(result, model["endpoint"])}
    blocks: list[Block] = [_effects(name, named, result)]
    if model["method"] == "mmrm" and (figure := figures_over_time.over_time(named, labels)):
        blocks.append(figure)
    return blocks


def _present(figure: Figure | None) -> list[Block]:
    return [] if figure is None else [figure]


def timepoint_labels(result: Result, endpoint: str) -> dict[str, str]:
    """Code and label of an endpoint's timepoints."""
    cells = next(each["cells"] for each in result["descriptives"] if each["endpoint"] == endpoint)
    return {cell["timepoint"]: cell["label"] for cell in cells}


def _effects(name: str, model: Result, result: Result) -> Block:
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
    which = " (primary analysis)" if model["primary"] else ""
    head = ("Comparison", what, "95 % interval", "SE", "df", "t", "p, two-sided")
    return table(f"{model['label']}: {name.lower()}{which}, {when.lower()}", head, rows, note=_fitted(model, result))


def _fitted(model: Result, result: Result) -> str:
    """Population, what the model adjusts for, and how it was fitted."""
    names = factor_names(result)
    covariates = ", ".join(names.get(each, words(each).lower()) for each in model["covariates"]) or "none"
    sets = {each["code"]: each["label"].lower() for each in result["trial"]["populations"]}
    population = str(sets.get(model["population"], model["population"]))
    parts = [f"{population.capitalize()}: {model['subjects']} participants, {model['observations']} values."]
    parts.append(f"Adjusted for: {covariates}.")
    if model["covariates_left_out"]:
        left_out = ", ".join(names.get(each, words(each).lower()) for each in model["covariates_left_out"])
        parts.append(f"Left out, the same for everybody: {left_out}.")
    for name, count in model.get("covariates_missing", {}).items():
        parts.append(f"{names.get(name, words(name).lower()).capitalize()} is missing for {count}: not in the model.")
    if model["timepoints_left_out"]:
        times = ", ".join(model["timepoint_labels"].get(each, each) for each in model["timepoints_left_out"])
        parts.append(f"Left out, nobody has a value: {times}.")
    if model["method"] == "mmrm":
        used, planned = COVARIANCES[model["covariance_structure"]], COVARIANCES[model["covariance_planned"]]
        covariance = f"{used} covariance" + ("" if used == planned else f" ({planned} as planned did not converge)")
        parts.append(f"{covariance.capitalize()}; {_DF[model['df_method']]} degrees of freedom; REML.")
    return " ".join(parts)


def factor_names(result: Result) -> dict[str, str]:
    """What covariates are called by people."""
    rows = result["baseline"]["rows"]
    return {
        "baseline": "baseline value",
        "age_years": "age",
        **{r["factor"]: r["label"].lower() for r in rows if r.get("factor")},
    }


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
    note = "Differences in pooled standard deviations, corrected for small samples; not adjusted for covariates."
    return [table("Standardised differences as observed", ("", "n", "Hedges g", "95 % interval"), rows, note=note)]


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
    """The section with Kaplan-Meier curves of the early responders, descriptive; nothing where the plan has none."""
    if not loss["estimable"]:
        return [Heading("Loss of response"), why_not(loss, "Time to loss of response")] if "end_day" in loss else []
    rows = [
        row(each["code"], str(each["responders"]), str(each["events"]), _median(loss["medians"].get(each["code"])))
        for each in loss["groups"]
    ]
    logrank = loss["logrank"]
    note = loss["note"]
    if logrank["estimable"]:
        note += f" Log-rank chi-square {number(logrank['chi_square'])}, p {p_value(logrank['p'])}."
    head = ("Arm", "Early responders", "Lost response", "Median days (95 % interval)")
    found: list[Block] = [table("Loss of response", head, rows, note=note), figures_by_arm.response_kept(loss, labels)]
    return [Heading("Loss of response"), *found]


def _median(found: Result | None) -> str:
    if found is None or found["estimate"] is None:
        return "not reached"
    return f"{number(found['estimate'], 0)} ({interval(found, 0)})"


def endpoint_tables(descriptives: Sequence[Result], labels: Mapping[str, str]) -> list[Block]:
    """Means of every endpoint by arm and time, as observed."""
    rows, empty = [], []
    for endpoint in descriptives:
        if not any(cell["n"] for cell in endpoint["cells"]):
            empty.append(Paragraph(f"{endpoint['label']}: no values in this cut.", "missing"))
            continue
        cells = {(cell["timepoint"], cell["arm"]): cell for cell in endpoint["cells"]}
        names = {cell["timepoint"]: cell["label"] for cell in endpoint["cells"]}
        rows.append(row(endpoint["label"], *("" for _ in labels), emphasis="strong"))
        rows += [
            row(label, *(mean_sd(cells[code, arm]) for arm in labels), emphasis="indent")
            for code, label in names.items()
        ]
    note = "Mean (standard deviation) of the values themselves, all randomised, as observed; in points of the scale."
    found = [table("All endpoints as observed", ("Endpoint and time", *labels), rows, note=note)] if rows else []
    return [*found, *empty] or [Paragraph("The plan has no endpoint with a mean.", "note")]
