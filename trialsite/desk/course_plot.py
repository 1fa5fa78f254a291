"""The course of a participant as an inline drawing: one panel a measure, in its own unit, with labels beside it.

Drawn here, not by a plotting library: it takes a millisecond, follows light and dark, and needs no style of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from outcomes.course import Axis, Point

# Okabe & Ito (2008), and a shape for each: pain, affect, mood, QST.
COLOURS = {"S": "#0072B2", "A": "#D55E00", "M": "#009E73", "Q": "#CC79A7"}
SHAPES = {
    "S": "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",
    "A": "M-4,-4h8v8h-8z",
    "M": "M0,-5l5,9h-10z",
    "Q": "M0,-5l5,5l-5,5l-5,-5z",
}
WIDTH, LEFT, RIGHT, PANEL, GAP, FOOT = 640, 132, 14, 84, 16, 44
MOST_DAY_TICKS, MOST_VALUE_TICKS = 8, 3


def course_plot(points: Sequence[Point], axis: Axis) -> SafeString:
    """The points as an SVG element; empty without points."""
    if not points:
        return SafeString("")
    measures = list(dict.fromkeys((p.dimension, p.label) for p in points))
    across = _Scale([p.day for p in points], LEFT, WIDTH - RIGHT, MOST_DAY_TICKS, finest=1)
    panels = []
    for place, (dimension, label) in enumerate(measures):
        top = 8 + place * (PANEL + GAP)
        panels.append(_panel([p for p in points if p.label == label], dimension, label, across, top))
    bottom = 8 + len(measures) * (PANEL + GAP) - GAP
    infusion = mark_safe("")
    if axis == "Days from the infusion":
        infusion = format_html(
            '<path d="M{x},8V{y}" stroke="currentColor" stroke-dasharray="2 3" opacity=".6"/>', x=across.at(0), y=bottom
        )
    ticks: dict[float, str] = {tick: f"{tick:g}" for tick in across.ticks}
    if axis == "Visits in order":
        ticks = {p.day: p.visit for p in points}
    marks = _marks(((across.at(tick), bottom + 16, text) for tick, text in ticks.items()), "middle")
    return format_html(
        '<svg class="plot" viewBox="0 0 {w} {h}" role="img" aria-label="{about}">{infusion}{panels}{marks}'
        '<text x="{middle}" y="{low}" text-anchor="middle">{axis}</text></svg>',
        w=WIDTH,
        h=bottom + FOOT,
        about=f"{', '.join(label for _, label in measures)} over time; the numbers are in the table below",
        infusion=infusion,
        panels=SafeString("".join(panels)),
        marks=marks,
        middle=(LEFT + WIDTH - RIGHT) / 2,
        low=bottom + FOOT - 8,
        axis=axis,
    )


class _Scale:
    """Values to places in the drawing, with ticks at round numbers; a lone value stands in the middle."""

    def __init__(self, values: Sequence[float], first: float, last: float, most: int, finest: float = 0) -> None:
        low, high = min(values), max(values)
        if high - low < 1:
            low, high = (low + high) / 2 - 0.5, (low + high) / 2 + 0.5
        margin = (high - low) * 0.04
        self._low, self._high, self._first, self._last = low - margin, high + margin, first, last
        step = max(_step((high - low) / most), finest)
        self.ticks = [tick * step for tick in range(ceil(self._low / step), floor(self._high / step) + 1)]

    def at(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return round(self._first + share * (self._last - self._first), 1)


def _step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20 ... (and their tenths) that is not below `least`."""
    power = 10.0 ** floor(log10(least))
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= least)


def _panel(points: Sequence[Point], dimension: str, label: str, across: _Scale, top: int) -> SafeString:
    up = _Scale([p.value for p in points], top + PANEL, top, MOST_VALUE_TICKS)
    places = [(across.at(p.day), up.at(p.value)) for p in sorted(points, key=lambda p: p.day)]
    shapes = format_html_join(
        "",
        '<path d="{}" transform="translate({} {})"><title>{}</title></path>',
        (
            (SHAPES[dimension], across.at(p.day), up.at(p.value), f"{p.visit}: {p.label} {p.value:.4g}")
            for p in sorted(points, key=lambda p: p.day)
        ),
    )
    return format_html(
        '<path d="M{left},{top}V{bottom}H{right}" fill="none" stroke="currentColor" opacity=".5"/>{marks}'
        '<text x="{text}" y="{middle}" text-anchor="end">{label}</text>'
        '<g fill="{colour}" stroke="none"><polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
        "{shapes}</g>",
        left=LEFT,
        top=top,
        bottom=top + PANEL,
        right=WIDTH - RIGHT,
        marks=_marks(((LEFT - 6, up.at(tick) + 4, f"{tick:g}") for tick in up.ticks), "end"),
        text=LEFT - 34,
        middle=top + PANEL / 2 + 4,
        label=label,
        colour=COLOURS[dimension],
        line=" ".join(f"{x},{y}" for x, y in places),
        shapes=shapes,
    )


def _marks(marks: object, anchor: str) -> SafeString:
    return format_html_join("", '<text x="{}" y="{}" text-anchor="' + anchor + '">{}</text>', marks)  # type: ignore[arg-type]
