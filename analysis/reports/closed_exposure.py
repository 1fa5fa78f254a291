"""Exposure in the closed report: who was sampled, levels over time, exposures, and what the response goes with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.reports import figures_exposure
from analysis.reports.blocks import Block, Heading, Paragraph, Row, Table, row, table
from analysis.reports.figures_exposure import figure_digits, short, with_cv
from analysis.reports.shared_tables import why_not
from analysis.reports.wording import interval, number, p_value

Result = Mapping[str, Any]
_NAMES = {
    "cmax": "Cmax (ng/mL)",
    "tmax": "Tmax (h)",
    "auc_last": "AUC to the last sample (ng h/mL)",
    "auc_inf": "AUC to infinity (ng h/mL)",
    "half_life": "Half-life (h)",
    "clearance": "Clearance (L/h)",
    "mrt": "Mean residence time (h)",
}
_MEASURES = {"auc_last": "AUC", "cmax": "Cmax"}


def exposure_blocks(found: Result) -> list[Block]:
    """The section, or the line that says why there is none. found: `pharmacokinetics` of a closed result."""
    if not found["estimable"]:
        return [Heading("Exposure"), why_not(found, "Drug levels")]
    blocks: list[Block] = [Heading("Exposure"), *_questions(found), _sampled(found)]
    for arm in _arms(found):
        blocks.append(figures_exposure.levels_over_time(found, arm))
        if any(each["arm"] == arm for each in found["parameters"]):
            blocks.append(_parameters(found, arm))
    for relation in found["exposure_response"]:
        blocks += _relation(relation, found["analytes"])
    return blocks


def _arms(found: Result) -> list[str]:
    """Where something was quantified."""
    return [each["arm"] for each in found["population"] if each["pks"]]


def _questions(found: Result) -> list[Block]:
    """What looks exchanged: first, since it bears on everything after it."""
    blocks: list[Block] = []
    if found["unexpected"]:
        who = ", ".join(f"{each['participant']} ({each['arm']})" for each in found["unexpected"])
        blocks.append(Paragraph(f"Levels where there should be none, a kit or a sample exchanged: {who}.", "missing"))
    if found["pre_dose"]:
        who = ", ".join(f"{each['participant']} ({each['analyte']})" for each in found["pre_dose"])
        blocks.append(Paragraph(f"Before the infusion above 5 % of the peak after it: {who}.", "missing"))
    return blocks


def _sampled(found: Result) -> Table:
    rows = [(each["arm"], *(str(each[key]) for key in ("treated", "sampled", "pks"))) for each in found["population"]]
    note = "Pharmacokinetic set: at least one quantifiable sample after the infusion started. Arms as treated."
    return table("Who was sampled", ("Arm", "Treated", "Sampled", "Pharmacokinetic set"), rows, note=note)


def _parameters(found: Result, arm: str) -> Table:
    rows: list[Row] = []
    for analyte in found["analytes"]:
        here = [each for each in found["parameters"] if (each["arm"], each["analyte"]) == (arm, analyte["code"])]
        rows += [row(analyte["label"], "", "", "", emphasis="strong")] if here else []
        rows += [_parameter(each) for each in here]
    beyond = [each for each in found["exposures"] if each["arm"] == arm and each.get("extrapolation_flagged")]
    note = (
        "Noncompartmental, at actual times; AUC linear up, logarithmic down; half-life from three or more samples "
        "after the peak, adjusted R squared at least 0.80. Clearance by the dose delivered. "
        f"{len(beyond)} profiles have more than 20 % of the AUC to infinity beyond the last sample."
    )
    return table(f"Exposure in {arm}", ("", "n", "Geometric mean (CV)", "Median (range)"), rows, note=note)


def _parameter(each: Result) -> Row:
    ends = f"{figure_digits(each['median'])} ({figure_digits(each['min'])} to {figure_digits(each['max'])})"
    # The time of a peak is one of the planned times: its geometric mean says nothing.
    middle = "" if each["parameter"] == "tmax" else with_cv(each)
    return row(_NAMES[each["parameter"]], str(each["n"]), middle, ends, emphasis="indent")


def _relation(relation: Result, analytes: Sequence[Result]) -> list[Block]:
    if not relation["estimable"]:
        return [why_not(relation, f"Exposure and response in {relation['arm']}")]
    labels = {each["code"]: short(each["label"]) for each in analytes}
    figure = figures_exposure.response_by_exposure(relation, analytes)
    rows = [_single(each, labels) for each in relation["single"]] + _joint(relation["joint"], labels)
    note = (
        f"{relation['label']}, adjusted for baseline, within {relation['arm']}. Per doubling of the exposure. EC50: "
        f"of an Emax curve, where the data bend enough to place one. {relation['note']}"
    )
    head = ("Exposure", "n", "Change per doubling", "95 % interval", "p", "EC50 (95 % interval), or inflation")
    shown: list[Block] = [figure] if figure else []
    return [*shown, table("Does the response go with the exposure?", head, rows, note=note, texts=[5])]


def _single(each: Result, labels: Mapping[str, str]) -> Row:
    name = f"{labels[each['analyte']]}, {_MEASURES[each['measure']]}"
    if not each["estimable"]:
        return row(name, "–", "–", "–", "–", each["why"])
    return row(name, str(each["n"]), *_slope(each), _emax(each["emax"]))


def _emax(found: Result) -> str:
    if not found["estimable"]:
        return "no bend" if "do not bend" in found["why"] else found["why"]
    ends = f"{figure_digits(found['ec50']['lower'])} to {figure_digits(found['ec50']['upper'])}"
    return f"{figure_digits(found['ec50']['estimate'])} ({ends}), Emax {number(found['emax']['estimate'])}"


def _joint(found: Result, labels: Mapping[str, str]) -> list[Row]:
    if not found["estimable"]:
        return [row("All together, AUC", "–", "–", "–", "–", found["why"])]
    rows = [row("All together, AUC", str(found["n"]), "", "", "", "", emphasis="strong")]
    for each in found["slopes"]:
        told = f"inflation {number(found['inflation'][each['analyte']], 1)}"
        rows.append(row(labels[each["analyte"]], "", *_slope(each), told, emphasis="indent"))
    for each in found["differences"]:
        name = f"{labels[each['analyte']]} minus {labels[each['against']].lower()}"
        rows.append(row(name, "", *_slope(each), "", emphasis="indent"))
    return rows


def _slope(each: Result) -> tuple[str, str, str]:
    return number(each["estimate"]), interval(each), p_value(each["p"])
