"""Figures of the closed report: the decision, the arms over time, responders, loss of response, harms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.reports.blocks import Figure, row, table
from analysis.reports.drawing import (
    ACCENT,
    COLOURS,
    LINE,
    QUIET,
    arm_style,
    canvas,
    important_line,
    label_at,
    reference_line,
    zero_line,
)
from analysis.reports.wording import interval, number, p_value

Result = Mapping[str, Any]
_TERMS_SHOWN = 15


def boundary(decision: Result) -> Figure:
    """The efficacy bound over information, and where the looks so far came out."""
    path, to_come = decision["path"], decision["bounds_to_come"]
    bounds = [(each["fraction"], each["bound"]) for each in (*path, *to_come)]
    with canvas(height=2.9) as (axes, drawing):
        zero_line(axes)
        known = [(x, y) for x, y in bounds if y is not None]
        axes.plot(*zip(*known, strict=True), color=QUIET, marker="_", markersize=12, linewidth=1)
        label_at(axes, *known[-1], "efficacy bound", QUIET)
        planned = [(each["fraction"], each["bound"]) for each in decision["planned_bounds"]]
        axes.plot(*zip(*planned, strict=True), color=LINE, marker="_", markersize=12, linewidth=1, zorder=0)
        label_at(axes, *planned[0], "as planned", QUIET, dx=-16, dy=-11)
        axes.plot([each["fraction"] for each in path], [each["z"] for each in path], color=ACCENT, marker="o")
        last = path[-1]
        for each in path:
            text = f"look {each['look']}, z = {number(each['z'])}"
            side = 1 if each["crossed"] else -1
            label_at(axes, each["fraction"], each["z"], text, ACCENT, dx=4, dy=11 * side)
        axes.set_xlim(0, 1.28)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
        heights = (
            [y for _, y in known]
            + [each["bound"] for each in decision["planned_bounds"]]
            + [each["z"] for each in path]
        )
        axes.set_ylim(min(0.0, *heights) - 0.6, max(heights) + 0.6)
        axes.set_xlabel("Information")
        axes.set_ylabel("z, towards benefit")
    rows = [
        row(f"Look {each['look']}", str(each["units"]), number(each["bound"], 3), number(each["z"], 3)) for each in path
    ]
    rows += [row("To come", number(each["units"], 0), number(each["bound"], 3), "") for each in to_come]
    data = table("Bounds and path", ("", "Information units", "Efficacy bound (z)", "z"), rows)
    words = f"z is {number(last['z'])}, the bound {number(last['bound'])}: {decision['recommendation'].lower()}."
    return Figure("Efficacy bound and the path so far", drawing.svg, words, data)


def power_curve(decision: Result) -> Figure | None:
    """Conditional power over the true effect; None where the trial has stopped."""
    curve = decision["conditional_power_curve"]
    if not curve:
        return None
    effects, powers = [each["effect"] for each in curve], [each["power"] for each in curve]
    with canvas(height=2.6) as (axes, drawing):
        axes.plot(effects, powers, color=ACCENT)
        futility = decision["futility"]
        if futility["estimable"]:
            reference_line(axes, futility["threshold"], f"futility shown below {futility['threshold']:g}, not binding")
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("True difference between the arms")
        axes.set_ylabel("Conditional power")
        if effects[-1] < 0:
            axes.invert_xaxis()
        axes.xaxis.set_major_formatter(lambda value, _: number(value, 1))
    rows = [(number(each["effect"]), number(each["power"], 3)) for each in curve[::3]]
    data = table("Conditional power by true difference", ("True difference", "Conditional power"), rows)
    words = f"Conditional power rises to {number(powers[-1], 2)} at a true difference of {number(effects[-1])}."
    return Figure("What the rest of the trial could still show", drawing.svg, words, data)


def means_over_time(model: Result, labels: Mapping[str, str]) -> Figure | None:
    """Adjusted means of each arm with their intervals, by timepoint."""
    means = model.get("ls_means") or []
    visits = list(dict.fromkeys(each["visit"] for each in means))
    if not means:
        return None
    arms = [code for code in labels if any(each["arm"] == code for each in means)]
    offsets = {code: (index - (len(arms) - 1) / 2) * 0.08 for index, code in enumerate(arms)}
    change = model["effect"] == "difference"
    with canvas() as (axes, drawing):
        for code in arms:
            here = [each for each in means if each["arm"] == code]
            style = arm_style(list(labels).index(code))
            places = [visits.index(each["visit"]) + offsets[code] for each in here]
            values = [each["estimate"] for each in here]
            spread = [
                [each["estimate"] - each["lower"] for each in here],
                [each["upper"] - each["estimate"] for each in here],
            ]
            axes.errorbar(places, values, yerr=spread, capsize=3, elinewidth=1, **style)
            label_at(axes, len(visits) - 1 + max(offsets.values()), values[-1], code, style["color"], dx=9)
        if change:
            zero_line(axes)
        axes.set_xticks(range(len(visits)), [model["timepoint_labels"].get(visit, visit) for visit in visits])
        axes.set_xlim(-0.4, len(visits) - 0.4 + 0.12 * len(visits))
        axes.set_ylabel("Change from baseline" if change else "Mean")
    rows = [
        (
            f"{each['arm']}, {model['timepoint_labels'].get(each['visit'], each['visit'])}",
            number(each["estimate"]),
            interval(each),
        )
        for each in means
    ]
    data = table("Adjusted means", ("Arm and time", "Mean", "95 % interval"), rows)
    words = "; ".join(f"{name} {value} ({ends})" for name, value, ends in rows)
    return Figure("Adjusted means with 95 % intervals", drawing.svg, words + ".", data)


def effects_over_time(model: Result, better: str) -> Figure | None:
    """Difference between the arms at each timepoint, with zero and the least important difference marked."""
    active = model["effects"][0]["active"]
    rows = [each for each in model["by_timepoint"] if each["arm"] == active]
    if not rows:
        return None
    names = [model["timepoint_labels"].get(each["visit"], each["visit"]) for each in rows]
    with canvas(height=0.9 + 0.38 * len(rows)) as (axes, drawing):
        zero_line(axes, vertical=True)
        important_line(axes, model["minimal_important_difference"], better)
        for place, each in enumerate(rows):
            axes.plot([each["lower"], each["upper"]], [-place, -place], color=ACCENT)
            axes.plot(each["estimate"], -place, color=ACCENT, marker="D")
            axes.annotate(
                f"{number(each['estimate'])} ({interval(each)})", (1, -place), xycoords=("axes fraction", "data"),
                xytext=(6, 0), textcoords="offset points", va="center", fontsize=8,
            )  # fmt: skip
        axes.set_yticks([-place for place in range(len(rows))], names)
        axes.set_ylim(-len(rows) + 0.4, 0.9)
        effect = model["effects"][0]
        side = "left" if better == "lower" else "right"
        axes.set_xlabel(f"{effect['active']} minus {effect['reference']} (better for {effect['active']} to the {side})")
    lines = [
        (name, number(each["estimate"]), interval(each), p_value(each["p"]))
        for name, each in zip(names, rows, strict=True)
    ]
    data = table("Differences by timepoint", ("Time", "Difference", "95 % interval", "p"), lines)
    words = "; ".join(f"{name} {value} ({ends})" for name, value, ends, _ in lines)
    return Figure("Difference between the arms over time", drawing.svg, words + ".", data)


def responder_curve(responders: Result) -> Figure | None:
    """Share of each arm that is at least so much better; the missing never are."""
    curve, groups = responders["curve"], responders["groups"]
    if not any(group["n"] for group in groups):
        return None
    percents = [each["percent"] for each in curve]
    with canvas(height=2.9) as (axes, drawing):
        for index, group in enumerate(groups):
            if not group["n"]:
                continue
            shares = [each["cells"][index]["percent"] for each in curve]
            style = arm_style(index)
            axes.plot(percents, shares, markevery=2, **style)
            label_at(axes, percents[4], shares[4], group["code"], style["color"], dx=4, dy=10)
        for percent in (30, 50):
            reference_line(axes, percent, f"{percent} %", vertical=True)
        axes.set_ylim(0, 102)
        axes.set_xlim(0, 100)
        axes.set_xlabel("At least so much better than at baseline (%)")
        axes.set_ylabel("Participants (%)")
    rows = [row(f"{each['percent']} %", *(number(cell["percent"], 1) for cell in each["cells"])) for each in curve[::2]]
    data = table("Cumulative responders (%)", ("Better by", *(group["code"] for group in groups)), rows)
    return Figure("Cumulative responders", drawing.svg, "Share of each arm by improvement; see the data.", data)


def response_kept(loss: Result, labels: Sequence[str]) -> Figure:
    """Kaplan-Meier curves of keeping the response."""
    with canvas(height=2.9) as (axes, drawing):
        for index, code in enumerate(labels):
            steps = [each for each in loss["curve"] if str(each["group"]) == code]
            if not steps:
                continue
            times = [0.0, *(each["time"] for each in steps)]
            heights = [1.0, *(each["survival"] for each in steps)]
            axes.step(times, heights, where="post", color=COLOURS[index % len(COLOURS)], label=code)
            # Curves that end together keep their names apart.
            label_at(axes, times[-1], heights[-1], code, COLOURS[index % len(COLOURS)], dy=-11 * index)
        axes.set_ylim(0, 1.03)
        axes.set_xlim(0, loss["end_day"] * 1.12)
        axes.set_xlabel("Days since the infusion")
        axes.set_ylabel("Still in response")
    rows = [
        (
            f"{each['group']}, day {number(each['time'], 0)}",
            str(each["at_risk"]),
            number(each["survival"], 3),
            interval(each),
        )
        for each in loss["curve"]
    ]
    data = table("Response kept", ("Arm and day", "At risk", "In response", "95 % interval"), rows)
    return Figure("Time to loss of response among early responders", drawing.svg, "See the data.", data)


def harms(safety: Result) -> Figure | None:
    """Share of each arm with each adverse event, the largest differences at the top."""
    groups, terms = safety["groups"], safety["terms"][:_TERMS_SHOWN]
    if not terms or not all(group["n"] for group in groups):
        return None
    spread = sorted(terms, key=lambda each: -_spread(each))
    with canvas(height=0.9 + 0.27 * len(spread)) as (axes, drawing):
        for place, each in enumerate(spread):
            shares = [cell["percent"] for cell in each["cells"]]
            axes.plot([min(shares), max(shares)], [-place, -place], color=LINE, zorder=0)
            for index, share in enumerate(shares):
                axes.plot(share, -place, linestyle="none", clip_on=False, **arm_style(index))
        for index, group in enumerate(groups):
            axes.plot([], [], linestyle="none", label=group["code"], **arm_style(index))
        axes.legend(frameon=False, ncols=len(groups), loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
        axes.set_yticks([-place for place in range(len(spread))], [each["term"] for each in spread])
        axes.set_xlim(left=0)
        axes.set_xlabel("Participants (%)")
    words = "; ".join(
        f"{each['term']} "
        + ", ".join(f"{g['code']} {number(c['percent'], 1)} %" for g, c in zip(groups, each["cells"], strict=True))
        for each in spread
    )
    return Figure("Adverse events by arm", drawing.svg, words + ".")


def _spread(term: Result) -> float:
    shares = [cell["percent"] or 0.0 for cell in term["cells"]]
    return float(max(shares) - min(shares))
