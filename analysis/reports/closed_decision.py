"""The decision in the closed report: three numbers and one plot, the committee's questions, and the number trail."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from analysis.reports import figures_decision, figures_over_time
from analysis.reports.blocks import Block, Facts, Paragraph, Table, row, table
from analysis.reports.closed_efficacy import METHODS, timepoint_labels
from analysis.reports.shared_tables import why_not
from analysis.reports.wording import interval, lower_first, number, p_value, scientific

Result = Mapping[str, Any]
_TO_CHOOSE = "Go on unchanged  ·  go on with changes  ·  pause  ·  stop"


def answer(result: Result) -> str:
    """One sentence: what the rule says, or the effect of a trial without looks, or why there is no decision."""
    decision = result["decision"]
    if decision["estimable"]:
        stop = " The rule stops the trial for efficacy." if decision["outcome"] == "efficacy" else ""
        return f"{decision['recommendation']}.{stop}"
    primary = primary_of(result)
    if "information" not in decision and primary["estimable"]:
        effects = (f"{e['active']} minus {e['reference']} {number(e['estimate'])}" for e in primary["effects"])
        return f"Analysed once, without interim looks. {'; '.join(effects)}."
    return f"No decision. {decision['why']}"


def primary_of(result: Result) -> Result:
    found: Result = next(model for model in result["models"] if model["primary"])
    return found


def three_numbers(result: Result) -> Facts:
    """Information, the effect with its interval, and z against the bound (or p, where nothing is bounded)."""
    decision, primary = result["decision"], primary_of(result)
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
    items.append((number(effect["estimate"]), compared, f"points, 95 % interval {interval(effect)}"))
    if decision["estimable"]:
        items.append((number(decision["z"]), "z, towards benefit", f"bound {number(decision['bound'])}"))
    else:
        told = f"t {number(effect['statistic'])}, df {number(effect['df'], 1)}"
        items.append((p_value(effect["p"]), "p, two-sided", told))
    return Facts(tuple(items))


def what_is_compared(result: Result) -> Paragraph:
    """The endpoint, the population and the method that the three numbers are of."""
    primary = primary_of(result)
    sets = {each["code"]: lower_first(each["label"]) for each in result["trial"]["populations"]}
    population = sets.get(primary["population"], primary["population"])
    return Paragraph(f"{primary['label']}; {population}; {METHODS[primary['method']].lower()}.", "note")


def first_plot(result: Result, labels: Mapping[str, str]) -> Block:
    """The boundary with the path so far; the arms over time where nothing is bounded."""
    if result["decision"]["estimable"]:
        return figures_decision.boundary(result["decision"])
    primary = primary_of(result)
    if primary["estimable"]:
        named = {**primary, "timepoint_labels": timepoint_labels(result, primary["endpoint"])}
        if figure := figures_over_time.over_time(named, labels):
            return figure
    return Paragraph("There is nothing to plot yet.", "note")


def questions(result: Result) -> Table:
    """What the committee is asked, with what the data say to each; the last line is the committee's own."""
    rows = [("Is it safe for participants to go on?", safety_said(result))]
    if "information" in result["decision"]:
        rows.append(("Has the efficacy bound been crossed?", _efficacy_said(result["decision"])))
        rows.append(("Is it futile to go on?", _futility_said(result["decision"])))
    rows.append(("Can the trial still answer its question?", conduct_said(result)))
    rows.append(("Recommendation of the committee", _TO_CHOOSE))
    return table("Questions to the committee", ("Question", "What the data say"), rows, texts=[1])


def safety_said(result: Result) -> str:
    """Stopping rules that are met, then serious and fatal events in each column."""
    met = [rule["label"] for rule in result["stopping_rules"] if rule["stops"]]
    rules = f"Stopping rule met: {'; '.join(met)}." if met else "No stopping rule is met."
    if not result["stopping_rules"]:
        rules = "The plan has no stopping rule."
    groups = result["safety"]["groups"]
    parts = [rules]
    for key, name in (("serious", "Serious adverse events"), ("fatal", "fatal")):
        cells = next(each for each in result["safety"]["overview"] if each["key"] == key)["cells"]
        counts = (f"{g['code']} {cell['count']} of {cell['n']}" for g, cell in zip(groups, cells, strict=True))
        parts.append(f"{name}: {', '.join(counts)}")
    return f"{parts[0]} {'; '.join(parts[1:])}."


def conduct_said(result: Result) -> str:
    """How many have the primary endpoint of those of whom it is due, how many left, what is overdue."""
    cells = {each["key"]: each["cells"] for each in result["disposition"]["rows"]}
    total = {key: sum(cell["count"] for cell in found) for key, found in cells.items()}
    due = f"The primary endpoint is there for {total['endpoint']} of {total['endpoint_due']} of whom it is due"
    left = f"{total['withdrawn']} of {total['randomised']} randomised have left"
    overdue = result.get("data_currency", {}).get("visits_overdue")
    return f"{due}; {left}" + (f"; {overdue['count']} of {overdue['n']} visits are overdue." if overdue else ".")


def _efficacy_said(decision: Result) -> str:
    if not decision["estimable"]:
        return f"No decision. {decision['why']}"
    word = "Yes" if decision["crossed"] else "No"
    return f"{word}: z is {number(decision['z'])}, the bound {number(decision['bound'])} at {_share(decision)}."


def _share(decision: Result) -> str:
    return f"{number(100 * decision['information']['fraction'], 0)} % of the information"


def _futility_said(decision: Result) -> str:
    if not decision["estimable"]:
        return "Not judged without a decision."
    futility = decision["futility"]
    if not futility["estimable"]:
        return str(futility["why"])
    word = "Conditional power under the planned effect is" if futility["drift"] == "design" else "Conditional power is"
    side = "below" if futility["below"] else "not below"
    return f"{word} {number(futility['conditional_power'])}, {side} {futility['threshold']:g}; shown, never binding."


def decision_blocks(result: Result) -> list[Block]:
    """The trail of numbers, the bounds, intervals that allow for looking, and what the rest could still show."""
    decision = result["decision"]
    if not decision["estimable"]:
        return [why_not(decision, "Decision")]
    names = timepoint_labels(result, primary_of(result)["endpoint"])
    return [_trail(decision, names), _bounds(decision), *_allowing_for_looks(decision), *_prospects(result)]


def _allowing_for_looks(decision: Result) -> list[Block]:
    rows = []
    if decision["repeated_interval"]["estimable"]:
        rows.append(
            ("Repeated, valid whether or not the trial goes on", "–", interval(decision["repeated_interval"]), "–")
        )
    after = decision["after_stopping"]
    if after["estimable"]:
        rows.append(("Median-unbiased, once stopped", number(after["estimate"]), interval(after), p_value(after["p"])))
    if not rows:
        return []
    note = "Repeated interval: Jennison & Turnbull 2000, chapter 9. Median-unbiased: stage-wise ordering, one-sided p."
    return [table("Difference, allowing for the looks", ("", "Estimate", "95 % interval", "p"), rows, note=note)]


def _trail(decision: Result, names: Mapping[str, str]) -> Block:
    rows = []
    for each in decision["trail"]:
        source = each["source"]
        for code, label in names.items():
            source = re.sub(rf"at {re.escape(code)}$", f"at {label.lower()}", source)
        rows.append(row(each["step"], _step_value(each["value"]), source))
    note = "Each step from the cut to the decision. z is positive towards benefit."
    return table("Number trail", ("Step", "Value", "From"), rows, note=note, texts=[2])


def _step_value(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    if 0 < abs(value) < 0.0001:
        return scientific(value)
    return number(value, 1 if abs(value) >= 10 else 4)


def _bounds(decision: Result) -> Block:
    rows = []
    for each in decision["path"]:
        numbers = (number(each["bound"], 3), number(each["z"], 3), "yes" if each["crossed"] else "no")
        rows.append(row(f"Look {each['look']}", str(each["units"]), _percent(each["fraction"]), *numbers))
    rows += [
        row("To come", number(each["units"], 0), _percent(each["fraction"]), number(each["bound"], 3), "–", "–")
        for each in decision["bounds_to_come"]
    ]
    planned = "; ".join(f"{each['units']} units {number(each['bound'], 3)}" for each in decision["planned_bounds"])
    sides = "one-sided" if decision["sides"] == 1 else "on each of two sides"
    note = (
        f"{decision['spending']}, alpha {decision['alpha']:g} {sides}. As planned: {planned}. "
        f"One unit: {lower_first(decision['information']['unit'])}."
    )
    head = ("", "Units", "Information", "Bound (z)", "z", "Crossed")
    return table("Bounds at the information that came", head, rows, note=note)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _prospects(result: Result) -> list[Block]:
    """Conditional power and futility: shown, never binding."""
    decision = result["decision"]
    power, futility = decision["conditional_power"], decision["futility"]
    if not power["estimable"]:
        return [why_not(power, "Conditional power")]
    names = (("design", "The planned effect"), ("trend", "The trend so far"), ("null", "No effect"))
    rows = [(label, number(power[key], 3)) for key, label in names]
    note = "Probability of crossing a later bound, given the data so far."
    if futility["estimable"]:
        word = "below" if futility["below"] else "not below"
        note += (
            f" Futility: {number(futility['conditional_power'], 3)} is {word} {futility['threshold']:g}. "
            "This is never binding; the level holds whatever is decided."
        )
    blocks: list[Block] = [table("Conditional power, if this is true", ("", "Probability"), rows, note=note)]
    curve = figures_decision.power_curve(decision, primary_of(result)["effects"][0]["estimate"])
    return [*blocks, curve] if curve else blocks
