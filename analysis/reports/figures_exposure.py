"""Drug levels over time, and what they go with: one colour and shape an analyte, as in every figure of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, log10
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analysis.reports.blocks import Figure, Table, table
from analysis.reports.drawing import COLOURS, QUIET, SHAPES, apart, canvas, label_at, side_by_side, zero_line
from analysis.reports.wording import NONE, number

Result = Mapping[str, Any]
_TICKS = (0, 0.5, 1, 2, 4, 8, 24, 48)
# From here on the first hours would be a line at the left edge.
_LONG = 8
_LIGHT = 0.25


def figure_digits(value: float | None) -> str:
    """Three digits that count: 0.0123, 1.23, 123, 1230."""
    if value is None:
        return NONE
    return number(value, 0 if not value else max(0, 2 - floor(log10(abs(value)))))


def short(label: str) -> str:
    """Norketamine; the isomers of a long name are told once, in the table."""
    return label.rpartition("-")[2].capitalize() if "(" in label else label


def levels_over_time(found: Result, arm: str) -> Figure:
    """Geometric means with their standard deviation against planned times, where at least half could be quantified."""
    analytes, rows = found["analytes"], [row for row in found["concentrations"] if row["arm"] == arm]
    lowest = min(analyte["lloq"] for analyte in analytes)
    ends = []
    with canvas(height=3.0) as (axes, drawing):
        axes.set_yscale("log")
        for index, analyte in enumerate(analytes):
            here = [row for row in rows if row["analyte"] == analyte["code"] and _is_drawn(row)]
            if here:
                hours = [row["minute"] / 60 for row in here]
                _curve(axes, hours, here, index)
                ends.append((hours[-1], here[-1]["geometric_mean"], short(analyte["label"]), index))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel(f"Concentration ({found['unit']})")
        _hours(axes, max((hour for hour, *_ in ends), default=1.0))
        _limit(axes, lowest)
        _named(axes, ends)
    words = f"Geometric mean levels of {_listed(analytes)} in {arm} over the hours; the numbers are in the data."
    caption = f"Drug levels in {arm}: geometric mean, times and divided by the geometric standard deviation"
    return Figure(caption, drawing.svg, words, _levels_table(found, rows))


def _is_drawn(row: Result) -> bool:
    """A mean of the few that could still be quantified would stand too high."""
    return row["geometric_mean"] is not None and row["minute"] > 0 and 2 * row["below"] <= row["n"]


def _limit(axes: Axes, lloq: float) -> None:
    """The limit of quantification, its name below the line, where no curve is."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(min(bottom, lloq * 0.5), top)
    axes.axhline(lloq, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    axes.annotate(
        f"limit of quantification, {lloq:g}", (1, lloq), xycoords=("axes fraction", "data"), xytext=(-2, -10),
        textcoords="offset points", ha="right", fontsize=8, color=QUIET,
    )  # fmt: skip


def _curve(axes: Axes, hours: Sequence[float], rows: Sequence[Result], index: int) -> None:
    middle = np.array([row["geometric_mean"] for row in rows], dtype=float)
    # CV = 100 sqrt(exp(s^2) - 1), so that exp(s) follows from it.
    cv = np.array([row["geometric_cv"] or 0.0 for row in rows], dtype=float) / 100
    factor = np.exp(np.sqrt(np.log1p(cv**2)))
    axes.errorbar(
        hours,
        middle,
        yerr=[middle - middle / factor, middle * factor - middle],
        elinewidth=1,
        color=COLOURS[index % len(COLOURS)],
        marker=SHAPES[index % len(SHAPES)],
    )


def _hours(axes: Axes, last: float) -> None:
    axes.set_xlabel("Hours from the start of the infusion")
    if last > _LONG:
        axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    ticks = [tick for tick in _TICKS if tick <= last * 1.01]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(0, last * 1.25 if last <= _LONG else last * 1.6)


def _named(axes: Axes, ends: Sequence[tuple[float, float, str, int]]) -> None:
    """Each curve's name at its end; names of curves that end together are moved apart."""
    low, high = (log10(end) for end in axes.get_ylim())
    for hour in sorted({end[0] for end in ends}):
        here = [end for end in ends if end[0] == hour]
        heights = apart([log10(level) for _, level, *_ in here], 0.08 * (high - low))
        for (_, _, text, index), height in zip(here, heights, strict=True):
            label_at(axes, hour, 10**height, text, COLOURS[index % len(COLOURS)], dx=8)


def _levels_table(found: Result, rows: Sequence[Result]) -> Table:
    labels = {each["code"]: short(each["label"]) for each in found["analytes"]}
    lines = [
        (
            f"{labels[row['analyte']]}, {row['minute']} min",
            str(row["n"]),
            str(row["below"]),
            with_cv(row),
            f"{figure_digits(row['median'])} ({figure_digits(row['min'])} to {figure_digits(row['max'])})",
        )
        for row in rows
    ]
    note = (
        "Below the limit of quantification counts as 0 in medians, and is left out of geometric means. Planned times."
    )
    head = ("Analyte and time", "n", "Below limit", "Geometric mean (CV)", "Median (range)")
    return table(f"Drug levels ({found['unit']})", head, lines, note=note)


def with_cv(row: Result) -> str:
    """101 (34 %), a geometric mean with its coefficient of variation."""
    if row["geometric_mean"] is None:
        return NONE
    cv = NONE if row["geometric_cv"] is None else f"{number(row['geometric_cv'], 0)} %"
    return f"{figure_digits(row['geometric_mean'])} ({cv})"


def response_by_exposure(relation: Result, analytes: Sequence[Result]) -> Figure | None:
    """Each participant's change against the area under the curve of each analyte, with the fitted line."""
    fits = {each["analyte"]: each for each in relation["single"] if each["measure"] == "auc_last"}
    shown = [each for each in analytes if fits.get(each["code"], {}).get("estimable")]
    if not shown:
        return None
    changes = [each["change"] for each in relation["points"]]
    room = 0.08 * max(max(changes) - min(changes), 1.0)
    with side_by_side([1] * len(shown), height=2.6) as (every, drawing):
        for axes, analyte in zip(every, shown, strict=True):
            index = [each["code"] for each in analytes].index(analyte["code"])
            _relation(axes, relation["points"], fits[analyte["code"]], analyte, index)
            axes.set_ylim(min(changes) - room, max(changes) + room)
        every[0].set_ylabel("Change in the primary endpoint")
        for axes in every[1:]:
            axes.tick_params(labelleft=False)
    told = "; ".join(f"{short(each['label'])} {number(fits[each['code']]['estimate'])}" for each in shown)
    words = f"Change in the primary endpoint per doubling of the exposure: {told}."
    caption = f"Change in the primary endpoint by exposure in {relation['arm']}"
    return Figure(caption, drawing.svg, words)


def _relation(axes: Axes, points: Sequence[Result], fit: Result, analyte: Result, index: int) -> None:
    color = COLOURS[index % len(COLOURS)]
    known = [(each["auc_last"][analyte["code"]], each["change"]) for each in points]
    areas, changes = zip(*[pair for pair in known if pair[0]], strict=True)
    axes.plot(areas, changes, linestyle="none", marker="o", markersize=3.5, color=color)
    drawn = fit["line"][::2]
    xs = [each["exposure"] for each in drawn]
    lower, upper = ([each[end] for each in drawn] for end in ("lower", "upper"))
    axes.fill_between(xs, lower, upper, color=color, alpha=_LIGHT, linewidth=0)
    axes.plot(xs, [each["estimate"] for each in drawn], color=color)
    zero_line(axes)
    axes.set_xscale("log")
    axes.set_title(short(analyte["label"]), loc="left", color=color, fontweight="bold")
    axes.set_xlabel("AUC (ng h/mL)")
    axes.xaxis.set_major_locator(FixedLocator(_round_ticks(min(xs), max(xs))))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _round_ticks(low: float, high: float) -> list[float]:
    """Round numbers in the range; at most four."""
    every = [step * 10.0**power for power in range(-2, 6) for step in (1, 1.5, 2, 3, 5, 7)]
    inside = [each for each in every if low <= each <= high]
    return inside[:: max(1, -(-len(inside) // 4))] or [low]


def _listed(analytes: Sequence[Result]) -> str:
    return ", ".join(short(each["label"]).lower() for each in analytes)
