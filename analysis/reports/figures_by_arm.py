"""Figures of the closed report that set the arms side by side: responders, loss of response, harms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes

from analysis.reports.blocks import Figure, row, table
from analysis.reports.drawing import (
    COLOURS,
    LINE,
    arm_style,
    canvas,
    label_at,
    label_ends,
    reference_line,
)
from analysis.reports.wording import interval, number

Result = Mapping[str, Any]
_TERMS_SHOWN = 15
_MISSING = "All randomised; who has no value counts as not responding, whatever the threshold."


def responder_curve(responders: Result) -> Figure | None:
    """Share of each arm that is at least so much better; the missing never are."""
    curve, groups = responders["curve"], responders["groups"]
    if not any(group["n"] for group in groups):
        return None
    percents = [each["percent"] for each in curve]
    widest = max(curve[1:-1], key=_least_gap, default=curve[0])
    with canvas(height=2.4) as (axes, drawing):
        for index, group in enumerate(groups):
            if not group["n"]:
                continue
            style = arm_style(index)
            axes.plot(percents, [each["cells"][index]["percent"] for each in curve], markevery=2, **style)
        # Named where they are furthest apart: the upper one above it, the others below theirs.
        order = sorted(range(len(groups)), key=lambda index: -(widest["cells"][index]["percent"] or 0.0))
        for place, index in enumerate(each for each in order if groups[each]["n"]):
            dx, dy = (-7 * len(groups[index]["code"]), -9) if place else (4, 8)
            height = widest["cells"][index]["percent"]
            label_at(axes, widest["percent"], height, groups[index]["code"], arm_style(index)["color"], dx=dx, dy=dy)
        for percent in (30, 50):
            reference_line(axes, percent, f"{percent} %", vertical=True)
        axes.set_ylim(0, 102)
        axes.set_xlim(0, 100)
        axes.set_xlabel("At least so much better than at baseline (%)")
        axes.set_ylabel("Participants (%)")
    rows = [row(f"{each['percent']} %", *(number(cell["percent"], 1) for cell in each["cells"])) for each in curve[::2]]
    data = table("cumulative responders (%)", ("Better by", *(group["code"] for group in groups)), rows)
    return Figure("Cumulative responders", drawing.svg, _at_thresholds(responders), data, _MISSING)


def _at_thresholds(responders: Result) -> str:
    parts = (
        f"{each['definition']}: "
        + ", ".join(
            f"{group['code']} {number(cell['percent'], 1)} %"
            for group, cell in zip(responders["groups"], each["cells"], strict=True)
        )
        for each in responders["rows"]
    )
    return "; ".join(parts) + "."


def response_kept(loss: Result, labels: Sequence[str]) -> Figure:
    """Kaplan-Meier curves of keeping the response, with the numbers still followed below."""
    with canvas(height=2.6 + 0.15 * len(labels)) as (axes, drawing):
        ends = []
        axes.set_ylim(0, 1.03)
        for index, code in enumerate(labels):
            steps = [each for each in loss["curve"] if str(each["group"]) == code]
            if not steps:
                continue
            times = [0.0, *(each["time"] for each in steps), loss["end_day"]]
            heights = [1.0, *(each["survival"] for each in steps), steps[-1]["survival"]]
            color = COLOURS[index % len(COLOURS)]
            axes.step(times, heights, where="post", color=color, linestyle=("-", (0, (5, 2)))[index % 2])
            ends.append((heights[-1], code, color))
        label_ends(axes, loss["end_day"], ends)
        _at_risk(axes, loss["at_risk"])
        axes.set_xlim(0, loss["end_day"] * 1.1)
        axes.set_xticks(loss["at_risk"]["days"])
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
    data = table("response kept", ("Arm and day", "At risk", "In response", "95 % interval"), rows)
    words = "; ".join(f"{each['code']}: {each['events']} of {each['responders']} lost it" for each in loss["groups"])
    note = "Kaplan-Meier; a curve goes on level after its last loss. Below: participants still followed in response."
    return Figure("Time to loss of response among early responders", drawing.svg, words + ".", data, note)


def _at_risk(axes: Axes, at_risk: Result) -> None:
    below: dict[str, Any] = {
        "xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": "center", "va": "center",
        "fontsize": 8,
    }  # fmt: skip
    for line, group in enumerate(at_risk["groups"]):
        color = COLOURS[line % len(COLOURS)]
        height = -40 - 11 * line
        axes.annotate(group["code"], (0, 0), xytext=(-26, height), color=color, fontweight="bold", **below)
        for day, n in zip(at_risk["days"], group["n"], strict=True):
            axes.annotate(str(n), (day, 0), xytext=(0, height), **below)


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
    note = "Participants with at least one, of those treated; the largest differences at the top."
    return Figure("Adverse events by arm", drawing.svg, words + ".", note=note)


def _spread(line: Result) -> float:
    shares = [cell["percent"] or 0.0 for cell in line["cells"]]
    return float(max(shares) - min(shares))


def _least_gap(line: Result) -> float:
    """How far the two closest arms are from each other."""
    shares = sorted(cell["percent"] or 0.0 for cell in line["cells"])
    return min((upper - lower for lower, upper in pairwise(shares)), default=0.0)
