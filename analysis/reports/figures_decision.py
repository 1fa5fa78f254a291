"""Figures of the decision: the bounds with the path so far, and what the rest of the trial could still show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from analysis.reports.blocks import Figure, row, table
from analysis.reports.drawing import ACCENT, LINE, QUIET, canvas, label_at, reference_line, zero_line
from analysis.reports.wording import NONE, number

Result = Mapping[str, Any]


def boundary(decision: Result) -> Figure:
    """The efficacy bound over information, and where the looks so far came out."""
    path, to_come = decision["path"], decision["bounds_to_come"]
    bounds = [(each["fraction"], each["bound"]) for each in (*path, *to_come) if each["bound"] is not None]
    with canvas(height=3.4) as (axes, drawing):
        zero_line(axes)
        planned = [(each["fraction"], each["bound"]) for each in decision["planned_bounds"]]
        heights = [height for _, height in (*bounds, *planned)] + [each["z"] for each in path]
        low, high = min(0.0, *heights) - 0.6, max(heights) + 0.7
        _bound(axes, bounds, planned, high)
        _path(axes, path)
        axes.set_xlim(0, 1.24)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.set_ylim(low, high)
        axes.yaxis.set_major_formatter(lambda value, _: number(value, 0))
        axes.set_xlabel("Information")
        axes.set_ylabel("z, towards benefit")
    rows = [
        row(f"Look {each['look']}", str(each["units"]), number(each["bound"], 3), number(each["z"], 3)) for each in path
    ]
    rows += [row("To come", number(each["units"], 0), number(each["bound"], 3), NONE) for each in to_come]
    data = table("bounds and path", ("", "Units", "Bound (z)", "z"), rows)
    last = path[-1]
    words = f"z is {number(last['z'])}, the bound {number(last['bound'])}: {decision['recommendation'].lower()}."
    note = (
        "Shaded: above the efficacy bound the rule stops the trial. Light grey: the bounds had looks come as planned."
    )
    return Figure("Efficacy bound and the path so far", drawing.svg, words, data, note)


def _bound(axes: Axes, bounds: list[tuple[float, float]], planned: list[tuple[float, float]], top: float) -> None:
    marks: dict[str, Any] = {"marker": "_", "markersize": 11, "linewidth": 1}
    places, heights = zip(*bounds, strict=True)
    axes.fill_between([*places, 1.24], [*heights, heights[-1]], top, color=ACCENT, alpha=0.08, linewidth=0)
    axes.plot(*zip(*planned, strict=True), color=LINE, zorder=0, **marks)
    axes.plot(places, heights, color=QUIET, **marks)
    for place, height in bounds:
        label_at(axes, place, height, number(height), QUIET, dx=-9, dy=-9)
    label_at(axes, *bounds[-1], "efficacy bound", QUIET, dx=4, dy=9)


def _path(axes: Axes, path: list[Result]) -> None:
    axes.plot([each["fraction"] for each in path], [each["z"] for each in path], color=ACCENT, marker="o")
    for each in path:
        side = 1 if each["crossed"] else -1
        text = f"look {each['look']}, z = {number(each['z'])}"
        label_at(axes, each["fraction"], each["z"], text, ACCENT, dx=5, dy=10 * side)


def power_curve(decision: Result, found: float) -> Figure | None:
    """Conditional power over the true effect, with the one found so far; None where the trial has stopped."""
    curve = decision["conditional_power_curve"]
    if not curve:
        return None
    effects, powers = [each["effect"] for each in curve], [each["power"] for each in curve]
    with canvas(height=2.3) as (axes, drawing):
        axes.plot(effects, powers, color=ACCENT)
        futility = decision["futility"]
        if futility["estimable"]:
            reference_line(axes, futility["threshold"], f"futility shown below {futility['threshold']:g}, not binding")
        reference_line(axes, found, f"found so far {number(found)}", vertical=True)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("True difference between the arms (points)")
        axes.set_ylabel("Conditional power")
        if effects[-1] < 0:
            axes.invert_xaxis()
        axes.xaxis.set_major_formatter(lambda value, _: number(value, 1))
    rows = [(number(each["effect"]), number(each["power"], 3)) for each in curve[::3]]
    data = table("conditional power", ("True difference", "Conditional power"), rows)
    words = f"Conditional power rises to {number(powers[-1])} at a true difference of {number(effects[-1])}."
    return Figure("What the rest of the trial could still show", drawing.svg, words, data)
