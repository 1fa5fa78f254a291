"""Sensory testing by arm, and the courses of two dimensions of pain set against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from analysis.reports.blocks import Figure, Row, Table, row, table
from analysis.reports.drawing import COLOURS, LINE, QUIET, SHAPES, arm_style, canvas, label_ends, panels, zero_line
from analysis.reports.wording import NONE, interval, number

Result = Mapping[str, Any]
# Beyond these a single person's value is abnormal (Rolke et al. 2006, Pain 123:231): 95 % of the healthy lie between.
_NORMAL = (-1.96, 1.96)


def sensory_profiles(profile: Result) -> Figure:
    """The DFNS figure at every visit: mean z of each parameter by arm, gain of function above, loss below."""
    visits, parameters, groups = profile["visits"], profile["parameters"], profile["groups"]
    cells = {(each["visit"], each["parameter"], each["arm"]): each for each in profile["cells"]}
    furthest = max((abs(each[end]) for each in profile["cells"] for end in ("lower", "upper") if each[end]), default=0)
    with panels(len(visits), 2) as (every, drawing):
        for axes, visit in zip(every, visits, strict=True):
            axes.axhspan(*_NORMAL, color=LINE, alpha=0.4, linewidth=0, zorder=-1)
            zero_line(axes)
            axes.set_title(visit["label"], loc="left")
            for index, group in enumerate(groups):
                here = [cells[visit["visit"], name, group["code"]] for name in parameters]
                _profile(axes, here, index, (index - (len(groups) - 1) / 2) * 0.26)
            axes.set_xticks(range(len(parameters)), parameters, rotation=90, fontsize=7)
            axes.set_xlim(-0.6, len(parameters) - 0.4)
            axes.set_ylim(-max(2.4, furthest + 0.2), max(2.4, furthest + 0.2))
            axes.yaxis.set_major_formatter(lambda value, _: number(value, 0))
        every[0].set_ylabel("z (gain above 0)")
        for index, group in enumerate(groups):
            every[0].plot([], [], linestyle="none", label=group["code"], **arm_style(index))
        every[0].legend(frameon=False, ncols=len(groups), loc="lower right", bbox_to_anchor=(1.02, 0.98), fontsize=8)
    words = "Mean z-scores by parameter, visit and arm with 95 % intervals; the numbers are in the data."
    note = "Points: means with 95 % intervals. Grey: 95 % of the healthy lie within (Rolke 2006)."
    return Figure("Sensory testing by arm", drawing.svg, words, _profile_table(profile), note)


def _profile(axes: Axes, here: list[Result], index: int, offset: float) -> None:
    style = arm_style(index)
    known = [(place + offset, each) for place, each in enumerate(here) if each["mean"] is not None]
    for place, each in known:
        if each["lower"] is not None:
            axes.plot([place, place], [each["lower"], each["upper"]], color=style["color"], linewidth=0.8)
    places, means = [place for place, _ in known], [each["mean"] for _, each in known]
    axes.plot(places, means, linestyle="none", markersize=3.5, **style)


def _profile_table(profile: Result) -> Table:
    cells = {(each["visit"], each["parameter"], each["arm"]): each for each in profile["cells"]}
    codes = [group["code"] for group in profile["groups"]]
    rows: list[Row] = []
    for visit in profile["visits"]:
        rows.append(row(visit["label"], *("" for _ in codes), emphasis="strong"))
        rows += [
            row(name, *(_mean(cells[visit["visit"], name, code]) for code in codes)) for name in profile["parameters"]
        ]
    return table("mean z (95 % interval)", ("Visit and parameter", *codes), rows)


def _mean(cell: Result) -> str:
    if cell["mean"] is None:
        return NONE
    return f"{number(cell['mean'])} ({interval(cell)}), n {cell['n']}"


def courses(found: Result, labels: Mapping[str, str], active: str, reference: str) -> Figure:
    """Effect of treatment on two dimensions over the days, in baseline SDs: does one outlast the other?"""
    days, dimensions = found["days"], (found["first"], found["second"])
    by_key = {(each["dimension"], each["day"]): each for each in found["curves"]}
    places = dict(zip(days, range(len(days)), strict=True))
    with canvas(height=2.6) as (axes, drawing):
        zero_line(axes)
        ends = []
        for index, code in enumerate(dimensions):
            here = [by_key[code, day] for day in days]
            offset = (index - 0.5) * 0.1
            values = [each["estimate"] for each in here]
            spread = [
                [each["estimate"] - each["lower"] for each in here],
                [each["upper"] - each["estimate"] for each in here],
            ]
            color = COLOURS[1 - index]
            axes.errorbar(
                [places[day] + offset for day in days],
                values,
                yerr=spread,
                elinewidth=1,
                color=color,
                marker=SHAPES[index],
            )
            ends.append((values[-1], labels[code].split(" (")[0], color))
        label_ends(axes, len(days) - 0.95, ends)
        axes.set_xticks(range(len(days)), [f"Day {day}" for day in days])
        axes.set_xlim(-0.35, len(days) - 0.2)
        axes.set_ylabel("Improvement over control (SD)")
        axes.axvspan(
            places[found["day"]] - 0.25, places[found["day"]] + 0.25, color=LINE, alpha=0.4, linewidth=0, zorder=-1
        )
        axes.annotate(
            "compared", (places[found["day"]], 1), xycoords=("data", "axes fraction"), xytext=(0, -9),
            textcoords="offset points", ha="center", fontsize=8, color=QUIET,
        )  # fmt: skip
    rows = [
        (f"{labels[code]}, day {day}", number(by_key[code, day]["estimate"]), interval(by_key[code, day]))
        for code in dimensions
        for day in days
    ]
    data = table("effect by dimension and day", ("Dimension and day", "Effect (SD)", "95 % interval"), rows)
    words = "; ".join(f"{name} {value} ({ends})" for name, value, ends in rows if name.endswith(f"day {found['day']}"))
    return Figure(f"Effect of {active} against {reference} by dimension over time", drawing.svg, words + ".", data)
