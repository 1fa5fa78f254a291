"""Tables of the closed report: estimands, sensitivity, order of testing, stopping rules, mechanism, the blind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.reports import figures_mechanism, figures_pooled, figures_subgroups
from analysis.reports.blocks import Block, Heading, Paragraph, row, table
from analysis.reports.shared_tables import why_not
from analysis.reports.wording import count, interval, number, p_value, words

Result = Mapping[str, Any]


def stopping_blocks(rules: Sequence[Result]) -> list[Block]:
    """Every stopping rule in every arm: what was seen, what the rule says, and from how many events it stops."""
    if not rules:
        return []
    rows = [
        row(
            f"{rule['label']}, {cell['arm']}",
            _seen(cell),
            _said(rule, cell),
            "" if cell.get("boundary") is None else str(cell["boundary"]),
            _verdict(cell),
        )
        for rule in rules
        for cell in rule["cells"]
    ]
    note = (
        "Participants treated, as treated. Bayesian: posterior probability of a rate above the limit (beta-binomial, "
        "Thall & Simon 1994); exact: one-sided binomial p at the limit. Stops from: the fewest events that stop."
    )
    head = ("Rule and arm", "Events", "Says", "Stops from", "Met")
    return [table("Safety stopping rules", head, rows, note=note, texts=[2])]


def _seen(cell: Result) -> str:
    return f"{cell['events']} of {cell['n']} ({100 * cell['rate']:.0f} %)" if cell["estimable"] else "nobody treated"


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


def testing_blocks(found: Result) -> list[Block]:
    """The endpoints that share the error, in the order of testing."""
    if "tests" not in found:
        return []
    rows = []
    for test in found["tests"]:
        told = _told(test)
        at = f"yes, at look {test['rejected_at']}" if test["rejected_at"] else "yes"
        rows.append(
            row(test["label"], *told, at if test["rejected"] else "no" if test["rejected"] is not None else "–")
        )
    words_of = {"fixed_sequence": "one after the other, until one is not rejected", "graphical": "by the plan's graph"}
    note = f"Tested {words_of[found['procedure']]}; each spends alpha by its own function over the looks (Glimm 2010)."
    if not found["estimable"]:
        note = f"Not tested at this look. {found['why']}"
    head = ("Endpoint", "Estimate", "95 % interval", "One-sided p", "z", "Rejected")
    return [table("Endpoints in the order of testing", head, rows, note=note)]


def _told(test: Result) -> tuple[str, str, str, str]:
    if not test["estimable"]:
        return ("–", "–", "–", "–")
    return (number(test["estimate"]), interval(test), p_value(test["one_sided_p"]), number(test["z"]))


def estimand_blocks(estimands: Sequence[Result]) -> list[Block]:
    """The question of every estimand beside its answer."""
    rows = []
    for each in estimands:
        handled = "; ".join(f"{event['id']} {words(event['strategy'])}" for event in each["intercurrent_events"])
        answer = (number(each["estimate"]), interval(each)) if each["estimable"] else ("–", each["why"])
        rows.append(
            row(each["label"] or words(each["id"]), f"{each['variable']}. {handled}", each["analysis"], *answer)
        )
    head = ("Estimand", "Variable and intercurrent events", "Analysis", "Estimate", "95 % interval")
    return [table("Estimands", head, rows, texts=[1, 2])]


def sensitivity_blocks(analyses: Sequence[Result]) -> list[Block]:
    """What the effect would be if missing values were otherwise."""
    if not analyses:
        return []
    rows, tipping = [], []
    for each in analyses:
        if not each["estimable"]:
            rows.append(row(each["label"], "–", each["why"], "–"))
        elif "steps" in each:
            tipping.append(each)
        else:
            imputed = ", ".join(f"{arm} {n}" for arm, n in sorted(each["imputed"].items()))
            rows.append(row(each["label"], number(each["estimate"]), interval(each), imputed))
    head = ("If", "Difference", "95 % interval", "Imputed at the endpoint's time")
    found: list[Block] = [table("Sensitivity to missing values", head, rows, texts=[3])] if rows else []
    return [*found, *(figures_subgroups.tipping(each) for each in tipping)]


def subgroup_blocks(found: Result) -> list[Block]:
    """The primary effect in every level of the plan's factors; nothing where the plan names none."""
    if not found["estimable"]:
        return [] if "factors" not in found and "model" not in found else [why_not(found, "Subgroups")]
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
        row(f"{each['id']} {each['event']}", words(each["strategy"]), *(count(cell) for cell in each["cells"]))
        for each in events
    ]
    head = ("Event", "Handled by", *(group["code"] for group in groups))
    return [table("Intercurrent events", head, rows, texts=[1])]


def mechanism_blocks(result: Result) -> list[Block]:
    """Dissociation and mediation; nothing where the plan does not ask."""
    if "why" in result["mechanism"] and "does not ask" in result["mechanism"]["why"]:
        return []
    profile = result["sensory_profile"]
    figures = [figures_mechanism.sensory_profiles(profile)] if profile["estimable"] else []
    return [Heading("How relief comes about", page=True), *_dissociation(result), *_mediation(result), *figures]


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
        f"Differences of the arms in baseline SDs, positive is better; covariance {found['covariance_used']}. "
        f"That relief outlasts at day {found['day']} is {verdict}: it needs the contrast and {first} both above 0."
    )
    head = ("", labels[first], labels[second], "First minus second")
    arms = result["mechanism"]
    figure = figures_mechanism.courses(found, labels, arms["active"], arms["reference"])
    return [figure, table("Does relief outlast the effect on sensory testing?", head, rows, note=note)]


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


def _with_interval(estimate: Result) -> str:
    return f"{number(estimate['estimate'])} ({interval(estimate)})"


def blinding_blocks(found: Result) -> list[Block]:
    """Guesses and indices of the blind; nothing where the plan does not assess it."""
    if "rows" not in found:
        return [] if "active" not in found else [why_not(found, "Blinding")]
    rows = []
    for each in found["rows"]:
        who = f"{words(each['respondent']) or 'Asked'}, {each['visit']}"
        if not each["estimable"]:
            rows.append(row(who, "–", "–", "–"))
            continue
        bang = (_with_interval(each["bang"][code]) for code in (found["active"], found["reference"]))
        rows.append(row(who, _with_interval(each["james"]), *bang))
    note = "James: 1 nobody claims to know, below 0.5 unblinded. Bang: 0 random, 1 all right, −1 all wrong (Bang 2004)."
    head = ("Asked", "James", f"Bang, {found['active']}", f"Bang, {found['reference']}")
    return [Heading("The blind"), table("What was guessed", head, rows, note=note)]


def not_finite_blocks(found: Sequence[Result]) -> list[Block]:
    """Infinite values, which count as missing and should be corrected."""
    texts = (f"{each['label']}: {each['count']}" for each in found)
    return [Paragraph(f"Infinite values count as missing: {'; '.join(texts)}.", "missing")] if found else []
