"""The group-sequential decision: information that came, the bound there, z, and what the rest could still show.

The number trail lists each step with where it came from, so that the decision can be followed by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from scipy import stats

from analysis.datasets import Trial
from analysis.interim.groups import Groups
from analysis.interim.numbers import estimated, not_estimable
from analysis.statistics import sequential
from studies.protocol.analysis_plan import Looks

_FAMILIES: dict[str, Callable[[], sequential.Family]] = {
    "lan_demets_of": sequential.lan_demets_of,
    "lan_demets_pocock": sequential.lan_demets_pocock,
}
_NAMES = {"lan_demets_of": "Lan-DeMets, O'Brien-Fleming type", "lan_demets_pocock": "Lan-DeMets, Pocock type"}


@dataclass(frozen=True)
class _Look:
    """This look: its number, whether the plan has it, its information, and the effect it found."""

    number: int
    planned: bool
    units: int
    effect: Mapping[str, Any]


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
    look = _Look(number, number <= len(looks.planned), units, primary["effects"][0])
    return {**about, **estimated(lambda: _decide(looks, look, earlier))}


def information_units(trial: Trial, groups: Groups, looks: Looks) -> int:
    """Participants of the looks' population with the endpoint at its time, its baseline too where it is a change."""
    endpoint = trial.plan.endpoint(looks.endpoint)
    values = trial.values(endpoint)
    there = values[endpoint.at].notna()
    if endpoint.type != "level":
        there &= values[endpoint.baseline.code].notna()
    chosen = trial.population(looks.population) & there
    return int(chosen.reindex(groups.member.index).sum())


def _decide(looks: Looks, look: _Look, earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if not look.units:
        raise ValueError("There is no information yet: nobody has the endpoint.")
    path = _path(earlier)
    ended = look.number == len(looks.planned) or look.units >= looks.maximum_information
    planned = sequential.design(
        looks.fractions(),
        alpha=looks.alpha,
        beta=1 - looks.power,
        sides=looks.sides,
        efficacy=_FAMILIES[looks.spending](),
    )
    came = [each["units"] for each in path] + [look.units]
    design = planned.update(came, looks.maximum_information, ended=ended)
    here = len(came) - 1
    z = look.effect["z"]
    bound = float(design.efficacy_z[here])
    path.append({"look": look.number, "units": look.units, "z": z})
    _mark_crossings(path, design, looks)
    crossed = path[-1]["crossed"]
    already = [each["look"] for each in path[:-1] if each["crossed"]]
    power = _conditional_power(z, here + 1, design, looks, crossed or bool(already))
    return {
        "z": z,
        "bound": bound,
        "nominal_p": float(design.nominal_p[here]),
        "alpha_spent": float(design.alpha_spent[here]),
        "alpha": looks.alpha,
        "sides": looks.sides,
        "spending": _NAMES[looks.spending],
        "crossed": crossed,
        "crossed_before_at": already,
        "recommendation": _recommendation(crossed, already, ended),
        "path": path,
        "bounds_to_come": _to_come(design, here, looks, ended),
        "planned_bounds": _planned_bounds(planned, looks),
        "conditional_power": power,
        "futility": _futility(power, looks),
        "repeated_interval": _repeated_interval(bound, look),
        "after_stopping": _after_stopping(path, design, look, crossed or ended),
        "conditional_power_curve": _power_curve(look, here + 1, design, crossed or bool(already) or ended),
        "trail": _trail(looks, look, design, here, crossed),
    }


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


def _recommendation(crossed: bool, already: list[int], ended: bool) -> str:
    if already:
        return f"The efficacy bound was crossed at look {already[0]}"
    if crossed:
        return "Efficacy bound crossed"
    return "Efficacy bound not crossed" if ended else "Efficacy bound not crossed: continue"


def _to_come(design: sequential.Design, here: int, looks: Looks, ended: bool) -> list[dict[str, Any]]:
    if ended:
        return []
    maximum = looks.maximum_information
    return [
        {"fraction": float(time), "units": float(time) * maximum, "bound": float(bound)}
        for time, bound in zip(design.timing[here + 1 :], design.efficacy_z[here + 1 :], strict=True)
    ]


def _planned_bounds(planned: sequential.Design, looks: Looks) -> list[dict[str, Any]]:
    return [
        {"look": each.number, "units": each.information, "fraction": float(time), "bound": float(bound)}
        for each, time, bound in zip(looks.planned, planned.timing, planned.efficacy_z, strict=True)
    ]


def _conditional_power(
    z: float, look: int, design: sequential.Design, looks: Looks, stopped: bool
) -> dict[str, Any]:
    """Under the planned effect, the trend so far and no effect."""
    if stopped:
        return not_estimable("The bound was crossed: the rule stops the trial and no later look is needed.")
    if look == design.looks:
        return not_estimable("This is the last look.")
    return estimated(
        lambda: {
            drift: sequential.conditional_power(z, look, design=design, drift=drift)
            for drift in ("design", "trend", "null")
        }
    )


def _futility(power: dict[str, Any], looks: Looks) -> dict[str, Any]:
    """Shown, never binding: no bound of the design, so the level is kept whatever is decided on it."""
    rule = looks.futility
    if rule is None:
        return not_estimable("The plan has no futility rule.")
    if not power["estimable"]:
        return not_estimable(power["why"])
    return {
        "estimable": True,
        "binding": False,
        "drift": rule.drift,
        "threshold": rule.conditional_power_below,
        "conditional_power": power[rule.drift],
        "below": bool(power[rule.drift] < rule.conditional_power_below),
    }


def _repeated_interval(bound: float, look: _Look) -> dict[str, Any]:
    """For the effect, valid at this look whether or not the trial goes on (Jennison & Turnbull 2000, chapter 9).

    The bound is turned into a quantile of t, as t was turned into z: the interval excludes 0 when z crosses.
    """

    def compute() -> dict[str, Any]:
        df = look.effect["df"]
        tail = stats.norm.sf(bound)
        quantile = float(stats.norm.isf(tail) if df is None else stats.t.isf(tail, df))
        margin = quantile * look.effect["se"]
        return {"lower": look.effect["estimate"] - margin, "upper": look.effect["estimate"] + margin}

    return estimated(compute)


def _after_stopping(
    path: list[dict[str, Any]], design: sequential.Design, look: _Look, stopped: bool
) -> dict[str, Any]:
    """Median-unbiased estimate and interval by stage-wise ordering, once the trial has stopped.

    The standard error is the one for which z is estimate / standard error, so that all agree with the model's p.
    """
    if not stopped:
        return not_estimable("The trial goes on: the estimate is adjusted when it stops.")

    def compute() -> dict[str, Any]:
        z, estimate = look.effect["z"], look.effect["estimate"]
        sign = _benefit_sign(look)
        error = abs(estimate / z) if z else look.effect["se"]
        found = sequential.inference_after_stopping(
            [each["z"] for each in path], len(path), design=design, standard_error=error
        )
        lower, upper = sorted((sign * found.lower, sign * found.upper))
        return {"estimate": sign * found.estimate, "lower": lower, "upper": upper, "p": found.p}

    return estimated(compute)


def _benefit_sign(look: _Look) -> float:
    """The sign of an effect that is a benefit: z is positive towards it."""
    return -1.0 if look.effect["estimate"] * look.effect["z"] < 0 else 1.0


def _power_curve(look: _Look, position: int, design: sequential.Design, stopped: bool) -> list[dict[str, float]]:
    """Conditional power over the true effect, from none to twice what was found or planned.

    The drift of an effect is effect / its standard error at full information, which is the present one
    times the root of the information fraction.
    """
    if stopped or position == design.looks:
        return []
    fraction = float(design.timing[position - 1])
    error = look.effect["se"] * sqrt(fraction)
    furthest = max(2 * abs(look.effect["estimate"]), 1.2 * design.drift * error)
    sign = _benefit_sign(look)
    curve = []
    for effect in np.linspace(0.0, furthest, 25):
        power = sequential.conditional_power(
            look.effect["z"], position, design=design, drift=float(effect / error)
        )
        curve.append({"effect": sign * float(effect), "power": power})
    return curve


def _trail(
    looks: Looks, look: _Look, design: sequential.Design, here: int, crossed: bool
) -> list[dict[str, Any]]:
    effect = look.effect
    compared = f"{effect['active']} minus {effect['reference']} at {effect['timepoint']}"
    steps: list[tuple[str, Any, str]] = [
        ("Information units", look.units, f"Counted in the cut: {looks.information_unit}"),
        ("Maximum information", looks.maximum_information, "Analysis plan"),
        ("Information fraction", look.units / looks.maximum_information, "Units / maximum"),
        ("Alpha, one side", looks.alpha, "Analysis plan"),
        ("Alpha spent up to this look", float(design.alpha_spent[here]), _NAMES[looks.spending]),
        ("Efficacy bound (z)", float(design.efficacy_z[here]), "Recursive integration at the information that came"),
        ("Nominal one-sided p at the bound", float(design.nominal_p[here]), "1 - Phi(bound)"),
        ("Estimate", effect["estimate"], f"Primary model, {compared}"),
        ("Standard error", effect["se"], "Primary model"),
        ("Degrees of freedom", effect["df"], "Primary model"),
        ("t", effect["statistic"], "Estimate / standard error"),
        ("One-sided p", effect["one_sided_p"], "t distribution, towards benefit"),
        ("z", effect["z"], "Phi^-1(1 - one-sided p)"),
        ("Bound crossed", "yes" if crossed else "no", "z compared with the bound"),
    ]
    return [{"step": step, "value": value, "source": source} for step, value, source in steps]
