"""Adjusted means of the arms over time, and their difference, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from analysis.reports.blocks import Figure, Row, row, table
from analysis.reports.drawing import (
    ACCENT,
    arm_style,
    canvas,
    important_line,
    label_ends,
    side_by_side,
    zero_line,
)
from analysis.reports.wording import NONE, interval, number, p_value

Result = Mapping[str, Any]


def over_time(model: Result, labels: Mapping[str, str]) -> Figure | None:
    """Means with their intervals; beside them the differences with zero and the least important one marked.

    model: with `timepoint_labels`. None for a model without means; without differences the means stand alone.
    """
    means = model.get("ls_means") or []
    if not means:
        return None
    differences = model.get("by_timepoint") or [] if model["effect"] == "difference" else []
    if differences:
        with side_by_side((1, 0.58), height=max(2.3, 0.9 + 0.3 * len(differences))) as ((left, right), drawing):
            _means(left, model, labels)
            _differences(right, model, differences)
    else:
        with canvas(height=2.5) as (axes, drawing):
            _means(axes, model, labels)
    caption = "Adjusted means of the arms" + (" and their difference" if differences else "")
    rows = _rows(model, means, differences)
    data = table("adjusted means and differences", ("", "Estimate", "95 % interval", "p"), rows)
    words = "; ".join(f"{name} {value} ({ends})" for name, value, ends in _at_the_end(model, rows))
    note = f"{model['label']}. Bars: 95 % intervals, not adjusted for the looks."
    return Figure(caption, drawing.svg, words + ".", data, note)


def _when(model: Result, code: str) -> str:
    label: str = model["timepoint_labels"].get(code, code)
    return label.split(",", maxsplit=1)[0]


def _means(axes: Axes, model: Result, labels: Mapping[str, str]) -> None:
    means = model["ls_means"]
    visits = list(dict.fromkeys(each["visit"] for each in means))
    arms = [code for code in labels if any(each["arm"] == code for each in means)]
    change = model["effect"] == "difference"
    ends = []
    for index, code in enumerate(arms):
        here = [each for each in means if each["arm"] == code]
        style = arm_style(list(labels).index(code))
        offset = (index - (len(arms) - 1) / 2) * 0.08
        spread = [
            [each["estimate"] - each["lower"] for each in here],
            [each["upper"] - each["estimate"] for each in here],
        ]
        places = [visits.index(each["visit"]) + offset for each in here]
        axes.errorbar(places, [each["estimate"] for each in here], yerr=spread, elinewidth=1, **style)
        ends.append((here[-1]["estimate"], code, style["color"]))
    if change:
        zero_line(axes)
    label_ends(axes, len(visits) - 0.95, ends)
    axes.set_xticks(range(len(visits)), [_when(model, visit) for visit in visits])
    axes.set_xlim(-0.4, len(visits) - 0.5 + 0.13 * len(visits))
    axes.set_ylabel("Change from\nbaseline (points)" if change else "Mean (points)")
    axes.yaxis.set_major_formatter(lambda value, _: number(value, 1))


def _differences(axes: Axes, model: Result, differences: Sequence[Result]) -> None:
    zero_line(axes, vertical=True)
    important_line(axes, model["minimal_important_difference"], model["better"])
    at_right: dict[str, Any] = {
        "xycoords": ("axes fraction", "data"), "xytext": (5, 0), "textcoords": "offset points", "va": "center",
        "fontsize": 8,
    }  # fmt: skip
    for place, each in enumerate(differences):
        axes.plot([each["lower"], each["upper"]], [-place, -place], color=ACCENT, linewidth=1.2)
        axes.annotate(f"{number(each['estimate'])} ({interval(each)})", (1, -place), **at_right)
    places = range(0, -len(differences), -1)
    axes.plot([each["estimate"] for each in differences], places, color=ACCENT, marker="D", linestyle="none")
    axes.set_yticks(list(places), [_compared(model, each) for each in differences])
    axes.set_ylim(-len(differences) + 0.4, 1.0)
    axes.xaxis.set_major_formatter(lambda value, _: number(value, 1))
    effect = model["effects"][0]
    side = "left" if model["better"] == "lower" else "right"
    axes.set_xlabel(f"{effect['active']} minus {effect['reference']}\n(better for {effect['active']} to the {side})")


def _compared(model: Result, difference: Result) -> str:
    several = len({each["arm"] for each in model["by_timepoint"]}) > 1
    when = _when(model, difference["visit"])
    return f"{difference['arm']}, {when}" if several else when


def _at_the_end(model: Result, rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """What stands at the time that is judged; the rest is in the data."""
    when = f", {_when(model, model['at'])}"
    return [(r.cells[0].text, r.cells[1].text, r.cells[2].text) for r in rows if r.cells[0].text.endswith(when)]


def _rows(model: Result, means: Sequence[Result], differences: Sequence[Result]) -> list[Row]:
    found = [
        row(f"{each['arm']}, {_when(model, each['visit'])}", number(each["estimate"]), interval(each), NONE)
        for each in means
    ]
    reference = model["effects"][0]["reference"] if differences else ""
    return found + [
        row(
            f"{each['arm']} minus {reference}, {_when(model, each['visit'])}",
            number(each["estimate"]),
            interval(each),
            p_value(each["p"]),
        )
        for each in differences
    ]
