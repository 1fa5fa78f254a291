"""The primary effect in every level of the plan's factors, and how it bears other assumptions on what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from analysis.reports.blocks import Figure, Row, row, table
from analysis.reports.drawing import ACCENT, INK, QUIET, canvas, important_line, reference_line, zero_line
from analysis.reports.wording import NONE, interval, number, p_value

Result = Mapping[str, Any]


def forest(subgroups: Result) -> Figure:
    """A line for each level and one for everybody; squares as large as the level's share of all."""
    active, reference = subgroups["active"], subgroups["reference"]
    lines = _lines(subgroups)
    largest = max((sum(each["n"].values()) for _, each in lines if each), default=1)
    with canvas(height=0.9 + 0.24 * len(lines)) as (axes, drawing):
        zero_line(axes, vertical=True)
        important_line(axes, subgroups["minimal_important_difference"], subgroups["better"])
        if subgroups["overall"]["estimable"]:
            everyone = subgroups["overall"]["estimate"]
            axes.axvline(everyone, color=ACCENT, linewidth=0.7, linestyle=(0, (1, 2)), zorder=0)
        for place, (label, each) in enumerate(lines):
            _line(axes, -place, each, largest, (active, reference))
            weight = "bold" if each is None or label == "Everybody" else "normal"
            axes.annotate(
                label, (0, -place), xycoords=("axes fraction", "data"), xytext=(-6, 0), textcoords="offset points",
                ha="right", va="center", fontsize=8, fontweight=weight, color=INK,
            )  # fmt: skip
        axes.annotate(
            f"Difference (95 % interval)   n {active} / {reference}", (1, 1), xycoords="axes fraction", xytext=(6, 2),
            textcoords="offset points", fontsize=8, color=QUIET,
        )  # fmt: skip
        axes.set_yticks([])
        axes.set_ylim(-len(lines) + 0.3, 0.8)
        side = "left" if subgroups["better"] == "lower" else "right"
        axes.set_xlabel(f"{active} minus {reference}, points (better for {active} to the {side})")
    data = table(
        "effect by subgroup",
        ("", f"n {active}, {reference}", "Difference", "95 % interval", "Drawn to the mean", "p of difference"),
        _rows(subgroups),
        note="A test asks whether levels differ; no level has a p of its own.",
    )
    words = "; ".join(f"{label} {number(e['estimate'])} ({interval(e)})" for label, e in lines if e and e["estimable"])
    note = f"{subgroups['label']}. Squares grow with the number of participants; dotted: everybody."
    return Figure("The primary effect by subgroup", drawing.svg, words + ".", data, note)


def _lines(subgroups: Result) -> list[tuple[str, Result | None]]:
    """Headings (without an effect) and levels from the top; everybody last."""
    lines: list[tuple[str, Result | None]] = []
    for factor in subgroups["factors"]:
        lines.append((factor["label"], None))
        lines += [(_short(level), level) for level in factor["levels"]]
    return [*lines, ("Everybody", subgroups["overall"])]


def _short(level: Result) -> str:
    """Labels of strata can be sentences; their first part names them."""
    label: str = level["label"]
    first = label.split(",", maxsplit=1)[0].split(" (", maxsplit=1)[0]
    return first if len(first) <= 32 else level["level"]


def _line(axes: Axes, height: int, each: Result | None, largest: int, arms: tuple[str, str]) -> None:
    if each is None:
        return
    at_right: dict[str, Any] = {
        "xycoords": ("axes fraction", "data"), "xytext": (6, 0), "textcoords": "offset points", "va": "center",
        "fontsize": 8,
    }  # fmt: skip
    n = " / ".join(str(each["n"].get(arm, 0)) for arm in arms)
    if not each["estimable"]:
        axes.annotate(f"n {n}: not estimable", (1, height), color=QUIET, **at_right)
        return
    share = sum(each["n"].values()) / largest
    axes.plot([each["lower"], each["upper"]], [height, height], color=ACCENT, linewidth=1)
    axes.plot(each["estimate"], height, color=ACCENT, marker="s", markersize=3 + 5 * share**0.5)
    axes.annotate(f"{number(each['estimate'])} ({interval(each)})   {n}", (1, height), **at_right)


def _rows(subgroups: Result) -> list[Row]:
    arms = (subgroups["active"], subgroups["reference"])
    rows = []
    for factor in subgroups["factors"]:
        tested = factor["interaction"]
        p = p_value(tested["p"]) if tested["estimable"] else NONE
        rows.append(row(factor["label"], "", "", "", "", p, emphasis="strong"))
        rows += [row(level["label"], *_cells(level, arms), "", emphasis="indent") for level in factor["levels"]]
    return [*rows, row("Everybody", *_cells(subgroups["overall"], arms), "", emphasis="strong")]


def _cells(level: Result, arms: Sequence[str]) -> tuple[str, str, str, str]:
    n = ", ".join(str(level["n"].get(arm, 0)) for arm in arms)
    if not level["estimable"]:
        return n, NONE, NONE, NONE
    drawn = level.get("shrunken")
    return n, number(level["estimate"]), interval(level), number(drawn["estimate"]) if drawn else NONE


def tipping(analysis: Result) -> Figure:
    """The effect as imputed values of the active arm are made worse, step by step."""
    steps = analysis["steps"]
    deltas, values = [each["delta"] for each in steps], [each["estimate"] for each in steps]
    with canvas(height=2.2) as (axes, drawing):
        zero_line(axes)
        axes.fill_between(
            deltas, [each["lower"] for each in steps], [each["upper"] for each in steps], color=ACCENT, alpha=0.15, lw=0
        )
        axes.plot(deltas, values, color=ACCENT, marker="o", markersize=3.5)
        if analysis["tipping_delta"] is not None:
            reference_line(axes, analysis["tipping_delta"], "interval reaches no effect", vertical=True)
        axes.set_xlabel(f"Imputed values of {analysis['active']} shifted by (points)")
        axes.set_ylabel("Difference (points)")
        axes.xaxis.set_major_formatter(lambda value, _: number(value, 1))
        axes.yaxis.set_major_formatter(lambda value, _: number(value, 2))
    rows = [(number(each["delta"]), number(each["estimate"]), interval(each)) for each in steps]
    data = table("effect by delta", ("Delta", "Difference", "95 % interval"), rows)
    return Figure(analysis["label"], drawing.svg, _tipped(analysis), data)


def _tipped(analysis: Result) -> str:
    if analysis["tipping_delta"] is None:
        largest = number(analysis["steps"][-1]["delta"])
        return f"The interval excludes no effect at every delta up to {largest}."
    return f"The interval reaches no effect at a delta of {number(analysis['tipping_delta'])}."
