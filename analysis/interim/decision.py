"""The group-sequential decision: information that came, the bound there, and z.

The number trail lists each step with where it came from, so that the decision can be followed by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.datasets import Trial
from analysis.interim import prospects
from analysis.interim.groups import Groups
from analysis.interim.numbers import estimated, not_estimable
from analysis.interim.prospects import LookTaken
from analysis.statistics import sequential
from analysis.statistics.planned_design import planned_design
from studies.protocol.planned_looks import Looks


def decision(
    trial: Trial,
    groups: Groups,
    primary: Mapping[str, Any],
    earlier: Sequence[Mapping[str, Any]],
    number: int,
) -> dict[str, Any]:
    """Whether the efficacy bound is crossed at the information that came.

    primary: the fitted primary model. earlier: the results of the looks before, oldest first, whose information and
    z make the path so far. number: of this look; one beyond the plan's is an unplanned look, which spends alpha at
    its own information. Without looks in the plan, or without an effect, it says why there is no decision.
    """
    looks = trial.plan.looks
    if looks is None:
        return not_estimable("The plan has no interim looks: the trial is analysed once.")
    units = information_units(trial, groups, looks)
    information = {
        "unit": looks.information_unit,
        "units": units,
        "maximum": looks.maximum_information,
        "fraction": units / looks.maximum_information,
    }
    about = {"look": number, "planned": number <= len(looks.planned), "information": information}
    if not primary["estimable"]:
        return {**about, **not_estimable(f"The primary model could not be fitted: {primary['why']}")}
    return {**about, **estimated(lambda: _decide(looks, number, units, primary["effects"][0], earlier))}


def information_units(trial: Trial, groups: Groups, looks: Looks) -> int:
    """Participants of the looks' population with the endpoint at its time, its baseline too where it is a change."""
    endpoint = trial.plan.endpoint(looks.endpoint)
    values = trial.values(endpoint)
    there = values[endpoint.at].notna()
    if endpoint.type != "level":
        there &= values[endpoint.baseline.code].notna()
    chosen = trial.population(looks.population) & there
    return int(chosen.reindex(groups.member.index).sum())


def _decide(
    looks: Looks,
    number: int,
    units: int,
    effect: Mapping[str, Any],
    earlier: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    planned = planned_design(looks)
    before = _path(earlier)
    if before and units <= before[-1]["units"]:
        raise ValueError(
            f"The information did not grow: {units} units now, {before[-1]['units']} at look {before[-1]['look']}. "
            "Nothing is spent. Look again, unplanned, when more has come in."
        )
    path = [*before, {"look": number, "units": units, "z": effect["z"]}]
    ended = number == len(looks.planned) or units >= looks.maximum_information
    came = [each["units"] for each in path]
    design = planned.update(came, looks.maximum_information, ended=ended)
    _mark_crossings(path, design, looks)
    crossed_before = [each["look"] for each in path[:-1] if each["crossed"]]
    look = LookTaken(looks, design, path, effect, ended)
    ahead = prospects.prospects(look)
    outcome = _outcome(look, ahead["futility"])
    return {
        "outcome": outcome,
        "z": effect["z"],
        "bound": look.bound,
        "nominal_p": float(design.nominal_p[look.index]),
        "alpha_spent": float(design.alpha_spent[look.index]),
        "alpha": looks.alpha,
        "sides": looks.sides,
        "spending": looks.spending_name,
        "crossed": look.crossed,
        "crossed_before_at": crossed_before,
        "recommendation": _recommendation(look, crossed_before),
        "path": path,
        "bounds_to_come": _to_come(look),
        "planned_bounds": _planned_bounds(planned, looks),
        **ahead,
        "trail": [*_trail(look), *_trail_of_futility(ahead, outcome)],
    }


def _outcome(look: LookTaken, futility: Mapping[str, Any]) -> str:
    """efficacy: a bound was crossed, here or before; futility: success has become unlikely, which binds nobody;
    continue; or ended: this was the last look and no bound was crossed.
    """
    if look.stopped:
        return "efficacy"
    if look.ended:
        return "ended"
    return "futility" if futility["estimable"] and futility["below"] else "continue"


def _path(earlier: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Information and z of the looks before. A look that could not be analysed spent nothing and is not in it."""
    decisions = [result["decision"] for result in earlier]
    return [
        {"look": each["look"], "units": each["information"]["units"], "z": each["z"]}
        for each in decisions
        if each.get("estimable")
    ]


def _mark_crossings(path: list[dict[str, Any]], design: sequential.Design, looks: Looks) -> None:
    for index, each in enumerate(path):
        height = abs(each["z"]) if looks.sides == 2 else each["z"]
        each["bound"] = float(design.efficacy_z[index])
        each["fraction"] = each["units"] / looks.maximum_information
        each["crossed"] = bool(height >= each["bound"])


def _recommendation(look: LookTaken, crossed_before: list[int]) -> str:
    if crossed_before:
        return f"The efficacy bound was crossed at look {crossed_before[0]}"
    if look.crossed:
        return "Efficacy bound crossed"
    return "Efficacy bound not crossed" if look.ended else "Efficacy bound not crossed: continue"


def _to_come(look: LookTaken) -> list[dict[str, Any]]:
    if look.ended:
        return []
    maximum, following = look.looks.maximum_information, slice(look.index + 1, None)
    return [
        {"fraction": float(time), "units": float(time) * maximum, "bound": float(bound)}
        for time, bound in zip(look.design.timing[following], look.design.efficacy_z[following], strict=True)
    ]


def _planned_bounds(planned: sequential.Design, looks: Looks) -> list[dict[str, Any]]:
    return [
        {"look": each.number, "units": each.information, "fraction": float(time), "bound": float(bound)}
        for each, time, bound in zip(looks.planned, planned.timing, planned.efficacy_z, strict=True)
    ]


_OUTCOMES = {
    "efficacy": "stop for efficacy",
    "futility": "futility shown, not binding: the level holds whatever is decided",
    "continue": "continue",
    "ended": "the trial has ended without crossing the bound",
}


def _trail_of_futility(ahead: Mapping[str, Any], outcome: str) -> list[dict[str, Any]]:
    """The steps after the bound: conditional power against its threshold, and what all of them lead to."""
    steps: list[tuple[str, Any, str]] = []
    futility = ahead["futility"]
    if futility["estimable"]:
        drift = {"design": "the planned effect", "trend": "the trend so far", "null": "no effect"}[futility["drift"]]
        steps = [
            ("Conditional power", futility["conditional_power"], f"Of crossing a later bound, under {drift}"),
            ("Futility threshold", futility["threshold"], "Analysis plan; never binding"),
        ]
    steps.append(("Decision", _OUTCOMES[outcome], "The comparisons above, in this order"))
    return [{"step": step, "value": value, "source": source} for step, value, source in steps]


def _trail(look: LookTaken) -> list[dict[str, Any]]:
    looks, effect, units = look.looks, look.effect, look.path[-1]["units"]
    compared = f"{effect['active']} minus {effect['reference']} at {effect['timepoint']}"
    steps: list[tuple[str, Any, str]] = [
        ("Information units", units, f"Counted in the cut: {looks.information_unit}"),
        ("Maximum information", looks.maximum_information, "Analysis plan"),
        ("Information fraction", units / looks.maximum_information, "Units / maximum"),
        ("Alpha, one side", looks.alpha, "Analysis plan"),
        ("Alpha spent up to this look", float(look.design.alpha_spent[look.index]), looks.spending_name),
        ("Efficacy bound (z)", look.bound, "Recursive integration at the information that came"),
        ("Nominal one-sided p at the bound", float(look.design.nominal_p[look.index]), "1 − Φ(bound)"),
        ("Estimate", effect["estimate"], f"Primary model, {compared}"),
        ("Standard error", effect["se"], "Primary model"),
        ("Degrees of freedom", effect["df"], "Primary model"),
        ("t", effect["statistic"], "Estimate / standard error"),
        ("One-sided p", effect["one_sided_p"], "t distribution, towards benefit"),
        ("z", effect["z"], "Φ⁻¹(1 − one-sided p)"),
        ("Bound crossed", "yes" if look.crossed else "no", "z compared with the bound"),
    ]
    return [{"step": step, "value": value, "source": source} for step, value, source in steps]
