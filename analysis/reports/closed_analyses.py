"""Tables of the closed report: estimands, sensitivity, order of testing, stopping rules, mechanism, the blind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.reports import figures_mechanism, figures_pooled, figures_subgroups
from analysis.reports.blocks import Block, Cell, Heading, Paragraph, row, table
from analysis.reports.closed_efficacy import COVARIANCES, METHODS
from analysis.reports.shared_tables import counts, group_head, why_not
from analysis.reports.wording import interval, lower_first, number, p_value, words

Result = Mapping[str, Any]
_SHARE = "%\u00a0points"


def stopping_blocks(rules: Sequence[Result]) -> list[Block]:
    """Every stopping rule in every arm: what was seen, what the rule says, and from how many events it stops."""
    if not rules:
        return []
    rows = []
    for rule in rules:
        rows.append(row(rule["label"], *[""] * 5, emphasis="strong"))
        for cell in rule["cells"]:
            boundary = "–" if cell.get("boundary") is None else str(cell["boundary"])
            line = (cell["arm"], _seen(cell), _rate(cell), _said(rule, cell), boundary, _verdict(cell))
            rows.append(row(*line, emphasis="indent"))
    note = (
        "Participants treated, as treated. Bayesian: posterior probability of a rate above the limit (beta-binomial, "
        "Thall & Simon 1994); exact: one-sided binomial p at the limit. Stops from: the fewest events that stop."
    )
    head = ("Rule and arm", "Events", "Rate (95 % interval)", "Says", "Stops from", "Met")
    return [table("Safety stopping rules", head, rows, note=note, texts=[3])]


def _seen(cell: Result) -> str:
    return f"{cell['events']} of {cell['n']}" if cell["estimable"] else "nobody treated"


def _rate(cell: Result) -> str:
    if not cell["estimable"] or cell.get("lower") is None:
        return "–"
    points = {end: 100 * cell[end] for end in ("lower", "upper")}
    return f"{number(100 * cell['estimate'], 1)} % ({interval(points, 1)})"


def _said(rule: Result, cell: Result) -> str:
    if not cell["estimable"]:
        return "–"
    if rule["method"] == "beta_binomial":
        return f"P(rate > {rule['limit']:g}) = {number(cell['probability'], 3)}, stops at {rule['threshold']:g}"
    return f"p at {rule['limit']:g} = {p_value(cell['p'])}, stops at {rule['threshold']:g}"


def _verdict(cell: Result) -> str:
    if not cell["judged"]:
        return "not judged"
    if not cell["enough"]:
        return "too early"
    return "yes" if cell["stops"] else "no"


def testing_blocks(result: Result) -> list[Block]:
    """The endpoints that share the error, in the order of testing."""
    found = result["multiplicity"]
    if "tests" not in found:
        return []
    rows = []
    for test in found["tests"]:
        told = _told(test, unit_of(result, test["analysis"]))
        at = f"yes, at look {test['rejected_at']}" if test["rejected_at"] else "yes"
        rows.append(
            row(test["label"], *told, at if test["rejected"] else "no" if test["rejected"] is not None else "–")
        )
    words_of = {"fixed_sequence": "one after the other, until one is not rejected", "graphical": "by the plan's graph"}
    note = f"Tested {words_of[found['procedure']]}; each spends alpha by its own function over the looks (Glimm 2010)."
    if not found["estimable"]:
        note = f"Not tested at this look. {found['why']}"
    head = ("Endpoint", "Estimate", "95 % interval", "Unit", "One-sided p", "z", "Rejected")
    return [table("Endpoints in the order of testing", head, rows, note=note, texts=[3])]


def _told(test: Result, unit: str) -> tuple[str, str, str, str, str]:
    if not test["estimable"]:
        return ("–", "–", unit, "–", "–")
    return (*_in_unit(test, unit), unit, p_value(test["one_sided_p"]), number(test["z"]))


def unit_of(result: Result, analysis: str) -> str:
    """What the estimate of an analysis counts: points of its scale unless it compares shares or standardised values."""
    shares = {each["id"] for each in result["proportions"]} | {"responders"}
    return _SHARE if analysis in shares else "SD" if analysis == "dissociation" else "points"


def _in_unit(estimate: Result, unit: str) -> tuple[str, str]:
    if unit != _SHARE:
        return number(estimate["estimate"]), interval(estimate)
    ends = {end: 100 * estimate[end] for end in ("lower", "upper") if estimate[end] is not None}
    return number(100 * estimate["estimate"], 1), interval({"lower": None, "upper": None, **ends}, 1)


def estimand_blocks(result: Result) -> list[Block]:
    """The question of every estimand beside its answer."""
    names = _analysis_names(result)
    rows = []
    for each in result["estimands"]:
        handled = "; ".join(
            f"{event['id']} {words(event['strategy']).lower()}" for event in each["intercurrent_events"]
        )
        unit = unit_of(result, each["analysis"])
        answer = _in_unit(each, unit) if each["estimable"] else ("–", "not estimable")
        analysis = names.get(each["analysis"], words(each["analysis"]).lower())
        rows.append(
            row(Cell(each["label"] or words(each["id"]), each["variable"]), handled or "none", analysis, *answer, unit)
        )
    head = ("Estimand", "Intercurrent events", "Analysis", "Estimate", "95 % interval", "Unit")
    why = [
        why_not(each, f"Estimand \u201c{each['label'] or words(each['id'])}\u201d")
        for each in result["estimands"]
        if not each["estimable"]
    ]
    note = (
        "The five attributes of the primary estimand stand at the end; what the events are, under intercurrent events."
    )
    return [table("Estimands", head, rows, texts=[1, 2, 5], note=note), *why]


def _analysis_names(result: Result) -> dict[str, str]:
    """What the analyses of the plan are called by people."""
    names = {model["id"]: METHODS[model["method"]].lower() for model in result["models"]}
    names |= {each["id"]: lower_first(each["label"]) for each in result["sensitivity"]}
    return names


def sensitivity_blocks(analyses: Sequence[Result]) -> list[Block]:
    """What the effect would be if missing values were otherwise."""
    if not analyses:
        return []
    rows, tipping, why = [], [], []
    for each in analyses:
        if not each["estimable"]:
            rows.append(row(each["label"], "–", "not estimable", "–"))
            why.append(why_not(each, each["label"]))
        elif "steps" in each:
            tipping.append(each)
        else:
            imputed = ", ".join(f"{arm} {n}" for arm, n in sorted(each["imputed"].items()))
            rows.append(row(each["label"], number(each["estimate"]), interval(each), imputed))
    head = ("If", "Difference", "95 % interval", "Imputed at the endpoint's time")
    note = "Multiple imputation under the primary model, combined by Rubin's rules; all as in the plan."
    found: list[Block] = [table("Sensitivity to missing values", head, rows, texts=[3], note=note)] if rows else []
    return [*found, *why, *(figures_subgroups.tipping(each) for each in tipping)]


def subgroup_blocks(found: Result) -> list[Block]:
    """The primary effect in every level of the plan's factors; nothing where the plan names none."""
    if not found["estimable"]:
        return [] if "factors" not in found and "model" not in found else [why_not(found, "Subgroups")]
    levels = [level for factor in found["factors"] for level in factor["levels"]]
    if not any(each["estimable"] for each in (found["overall"], *levels)):
        return [Paragraph(f"Subgroups: not estimable. {found['overall']['why']}", "missing")]
    return [figures_subgroups.forest(found)]


def missing_blocks(patterns: Result) -> list[Block]:
    """Which timepoints of the primary endpoint are there, arm by arm."""
    figure = figures_pooled.missing_patterns_by_arm(patterns)
    return [figure] if figure else []


def event_blocks(events: Sequence[Result], groups: Sequence[Result]) -> list[Block]:
    """Intercurrent events by arm."""
    if not events:
        return []
    rows = [
        row(f"{each['id']} {each['event']}", words(each["strategy"]), *counts(each["cells"], groups)) for each in events
    ]
    head = ("Event", "Handled by", *group_head("", groups)[1:])
    note = "All randomised; participants with the event by the data date."
    return [table("Intercurrent events", head, rows, texts=[1], note=note)]


def mechanism_blocks(result: Result) -> list[Block]:
    """Dissociation and mediation; nothing where the plan does not ask."""
    if "why" in result["mechanism"] and "does not ask" in result["mechanism"]["why"]:
        return []
    profile = result["sensory_profile"]
    figures = [figures_mechanism.sensory_profiles(profile)] if profile["estimable"] else []
    return [Heading("How relief comes about"), *_dissociation(result), *_mediation(result), *figures]


def _dissociation(result: Result) -> list[Block]:
    found = result["dissociation"]
    if not found["estimable"]:
        return [why_not(found, "Dissociation")]
    labels = result["mechanism"]["labels"]
    first, second = found["first"], found["second"]
    effects = {(row["dimension"], row["day"]): row for row in found["curves"]}
    contrasts = {each["day"]: each for each in found["level_contrasts"]}
    rows = [
        row(
            f"Day {day}",
            *(_with_interval(effects[code, day]) for code in (first, second)),
            _with_interval(contrasts[day]),
        )
        for day in found["days"]
    ]
    verdict = "supported" if found["supported"] else "not supported"
    note = (
        "Differences of the arms in baseline SDs, positive is better; "
        f"covariance {COVARIANCES[found['covariance_used']]}. "
        f"That relief outlasts at day {found['day']} is {verdict}: it needs the "
        f"difference of both, and the effect on {lower_first(labels[first])}, above 0."
    )
    head = ("", labels[first], labels[second], "First minus second")
    arms = result["mechanism"]
    figure = figures_mechanism.courses(found, labels, arms["active"], arms["reference"])
    contrast = table("Does relief outlast the effect on sensory testing?", head, rows, note=note)
    return [figure, contrast, *_durations(found, labels)]


def _durations(found: Result, labels: Mapping[str, str]) -> list[Block]:
    """Half-lives of both effects, and days in response: two other readings of how long relief lasts."""
    lives, response = found["half_lives"], found["time_in_response"]
    blocks: list[Block] = []
    if lives["estimable"]:
        rows = [row(labels[code], number(lives[code]["days"], 1), _flag(lives[code])) for code in _both(found)]
        ratio = lives["log_ratio"]
        rows.append(row("Logarithm of their ratio (95 % interval)", _with_interval(ratio), "", emphasis="strong"))
        note = (
            "An effect that halves at a steady rate, fitted to the differences over the days. "
            f"At the limits of what is fitted: {number(100 * lives['share_at_bound'], 0)} % of resampled trials."
        )
        blocks.append(table("Half-life of the effect (days)", ("", "Days", ""), rows, note=note))
    else:
        blocks.append(why_not(lives, "Half-lives"))
    return [*blocks, _days_in_response(response, labels, _both(found))]


def _both(found: Result) -> tuple[str, str]:
    return found["first"], found["second"]


def _flag(life: Result) -> str:
    return "at the limit" if life["at_bound"] else ""


def _days_in_response(response: Result, labels: Mapping[str, str], both: tuple[str, str]) -> Block:
    if not response["estimable"]:
        return why_not(response, "Time in response")
    rows = [
        row(arm, *(number(days[code], 1) for code in both), _with_interval(response["paired"][arm], 1))
        for arm, days in response["mean_days"].items()
    ]
    rows.append(row("Between the arms", "", "", _with_interval(response["difference"], 1), emphasis="strong"))
    note = (
        f"Mean days in response of the {response['followed']} followed to the end; "
        "difference within participants (95 % interval)."
    )
    head = ("Arm", *(labels[code] for code in both), "First minus second")
    return table("Time in response (days)", head, rows, note=note)


def _mediation(result: Result) -> list[Block]:
    found = result["mediation"]
    if not found["estimable"]:
        return [why_not(found, "Mediation")]
    labels = result["mechanism"]["labels"]
    rows = [
        row(
            f"Through {labels[code]}",
            _with_interval(found["indirect"][code]),
            number(found["unmeasured"][code]["rho_at_zero"]),
        )
        for code in found["mediators"]
    ]
    rows += [
        row("First minus second", _with_interval(found["contrast"]), ""),
        row("Direct", _with_interval(found["direct"]), ""),
        row("Total", _with_interval(found["total"]), ""),
    ]
    note = f"{found['note']} rho: the correlation of errors at which the path would vanish (Imai 2010)."
    return [
        table("What carries the effect on pain?", ("Path", "Effect (95 % interval)", "rho at zero"), rows, note=note)
    ]


def _with_interval(estimate: Result, digits: int = 2) -> str:
    return f"{number(estimate['estimate'], digits)} ({interval(estimate, digits)})"


def blinding_blocks(found: Result, visits: Mapping[str, str]) -> list[Block]:
    """Guesses and indices of the blind (visits: their labels); nothing where the plan does not assess it."""
    if "rows" not in found:
        return [] if "active" not in found else [why_not(found, "Blinding")]
    rows = []
    for each in found["rows"]:
        who = f"{words(each['respondent']) or 'Asked'}, {lower_first(visits.get(each['visit'], each['visit']))}"
        if not each["estimable"]:
            rows.append(row(who, "–", "–", "–"))
            continue
        bang = (_with_interval(each["bang"][code]) for code in (found["active"], found["reference"]))
        rows.append(row(who, _with_interval(each["james"]), *bang))
    note = "James: 1 nobody claims to know, below 0.5 unblinded. Bang: 0 random, 1 all right, −1 all wrong (Bang 2004)."
    head = ("Asked", "James", f"Bang, {found['active']}", f"Bang, {found['reference']}")
    return [Heading("The blind"), table("What was guessed", head, rows, note=note)]
