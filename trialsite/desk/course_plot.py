"""Courses as inline drawings: one panel a measure, in its own unit, its name above it, the baseline across it.

Drawn here, not by a plotting library: it takes a millisecond, follows light and dark, and needs no style of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log10

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from outcomes.course import Axis, Point
from outcomes.group_course import GroupCourse, GroupLine

# Okabe & Ito (2008), and a shape for each: sensory, affective, cognitive, mood, QST.
COLOURS = {"S": "#0072B2", "A": "#D55E00", "C": "currentColor", "M": "#009E73", "Q": "#CC79A7"}
SHAPES = {
    "S": "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",
    "A": "M-4,-4h8v8h-8z",
    "C": "M-4,-4h8l-4,8z",
    "M": "M0,-5l5,9h-10z",
    "Q": "M0,-5l5,5l-5,5l-5,-5z",
}
WIDTH, LEFT, RIGHT, PANEL, HEAD, FOOT = 400, 40, 12, 84, 26, 44
MOST_DAY_TICKS, MOST_VALUE_TICKS = 8, 3


@dataclass(frozen=True, slots=True)
class Mark:
    """One value drawn: where, what a pointer over it is told, and its interval where it has one."""

    visit: str
    day: float
    value: float
    title: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One measure's line. baseline: its level; band: the important difference on both sides of it, in points."""

    dimension: str
    label: str
    marks: list[Mark] = field(default_factory=list)
    baseline: float | None = None
    band: float | None = None

    @property
    def extent(self) -> list[float]:
        """Every value that has to fit into the panel."""
        values = [mark.value for mark in self.marks]
        values += [end for mark in self.marks for end in mark.interval or ()]
        return values + ([] if self.baseline is None else [self.baseline])


def course_plot(points: Sequence[Point], axis: Axis, bands: Mapping[str, float] | None = None) -> SafeString:
    """The course of one participant as an SVG element; empty without points.

    bands: per measure the important difference in points, drawn round the baseline.
    """
    series: dict[tuple[str, str], Series] = {}
    for point in sorted(points, key=lambda point: point.day):
        of = (point.measure, point.label)
        baseline = next((p.value for p in points if (p.measure, p.label) == of and p.baseline), None)
        line = series.setdefault(
            of, Series(point.dimension, point.label, [], baseline, (bands or {}).get(point.measure))
        )
        title = f"{point.visit}: {point.label} {point.value:.4g}"
        line.marks.append(Mark(point.visit, point.day, point.value, title))
    order = list(dict.fromkeys((point.measure, point.label) for point in points))
    return drawing([series[of] for of in order], axis)


def group_plot(course: GroupCourse) -> SafeString:
    """The pooled course of a group as an SVG element: means with their 95 % intervals; empty without any."""
    return drawing([line for line in map(_group_series, course.lines) if line.marks], course.axis)


def _group_series(line: GroupLine) -> Series:
    marks = []
    for point in line.points:
        mean = point.value
        if mean.mean is None:
            continue
        interval = None if mean.low is None or mean.high is None else (mean.low, mean.high)
        title = f"{point.visit}: {line.measure.label} mean {mean.mean:.3g}, n = {mean.n}"
        marks.append(Mark(point.visit, point.day, mean.mean, title, interval))
    baseline = next((point.value.mean for point in line.points if point.baseline), None)
    band = line.important.change if line.important and line.important.unit == "points" else None
    return Series(line.measure.dimension, line.measure.label, marks, baseline, band)


def drawing(series: Sequence[Series], axis: str) -> SafeString:
    """Panels below each other over one axis; empty without any."""
    if not series:
        return SafeString("")
    marks = [mark for line in series for mark in line.marks]
    across = _Scale([mark.day for mark in marks], LEFT, WIDTH - RIGHT, MOST_DAY_TICKS, finest=1)
    bottom = len(series) * (HEAD + PANEL)
    infusion = across.at(0) if axis == "Days from the infusion" and across.holds(0) else None
    panels = [_panel(line, across, HEAD + place * (HEAD + PANEL), infusion) for place, line in enumerate(series)]
    ticks = {tick: f"{tick:g}" for tick in across.ticks}
    if axis == "Visits in order":
        ticks = {mark.day: mark.visit for mark in marks}
    return format_html(
        '<svg class="plot" viewBox="0 0 {w} {h}" role="img" aria-label="{about}">{panels}{marks}'
        '<text x="{middle}" y="{low}" text-anchor="middle">{axis}</text></svg>',
        w=WIDTH,
        h=bottom + FOOT,
        about=f"{', '.join(line.label for line in series)} over time; the numbers are in the table below",
        panels=SafeString("".join(panels)),
        marks=_texts(((across.at(tick), bottom + 16, text) for tick, text in ticks.items()), "middle"),
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
        self.ticks = self._at_each(step)
        # One number alone tells no scale.
        if len(self.ticks) < 2 and step / 2 >= finest:
            self.ticks = self._at_each(step / 2)

    def _at_each(self, step: float) -> list[float]:
        return [tick * step for tick in range(ceil(self._low / step), floor(self._high / step) + 1)]

    def at(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return round(self._first + share * (self._last - self._first), 1)

    def holds(self, value: float) -> bool:
        return self._low <= value <= self._high

    def clipped(self, value: float) -> float:
        return self.at(min(max(value, self._low), self._high))


def _step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20 ... (and their tenths) that is not below `least`."""
    power = 10.0 ** floor(log10(least))
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= least)


def _panel(line: Series, across: _Scale, top: int, infusion: float | None) -> SafeString:
    up = _Scale(line.extent, top + PANEL, top, MOST_VALUE_TICKS)
    marks = sorted(line.marks, key=lambda mark: mark.day)
    return format_html(
        '<text x="{left}" y="{name}" font-weight="600">{label}</text>{level}{infusion}'
        '<path d="M{left},{top}V{bottom}H{right}" fill="none" stroke="currentColor" opacity=".5"/>{ticks}'
        '<g fill="{colour}" stroke="none"><polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
        "{intervals}{shapes}</g>",
        left=LEFT,
        name=top - 8,
        label=line.label,
        level=_level(line, up),
        infusion=_dotted(infusion, top),
        top=top,
        bottom=top + PANEL,
        right=WIDTH - RIGHT,
        ticks=_texts(((LEFT - 6, up.at(tick) + 4, f"{tick:g}") for tick in up.ticks), "end"),
        colour=COLOURS[line.dimension],
        line=" ".join(f"{across.at(mark.day)},{up.at(mark.value)}" for mark in marks),
        intervals=_intervals(marks, across, up, COLOURS[line.dimension]),
        shapes=format_html_join(
            "",
            '<path d="{}" transform="translate({} {})"><title>{}</title></path>',
            ((SHAPES[line.dimension], across.at(mark.day), up.at(mark.value), mark.title) for mark in marks),
        ),
    )


def _dotted(at: float | None, top: int) -> SafeString:
    """The infusion day in a panel; of one that is only planned, or of visits in order, there is none."""
    if at is None:
        return mark_safe("")
    return format_html(
        '<path d="M{at},{top}V{bottom}" stroke="currentColor" stroke-dasharray="2 3" opacity=".7"/>',
        at=at,
        top=top,
        bottom=top + PANEL,
    )


def _level(line: Series, up: _Scale) -> SafeString:
    """The level of the baseline across the panel, with the important difference as a band round it."""
    if line.baseline is None:
        return mark_safe("")
    band = mark_safe("")
    if line.band is not None:
        high, low = up.clipped(line.baseline + line.band), up.clipped(line.baseline - line.band)
        band = format_html(
            '<path class="band" d="M{left},{high}H{right}V{low}H{left}z" fill="currentColor" opacity=".1"/>',
            left=LEFT,
            right=WIDTH - RIGHT,
            high=high,
            low=low,
        )
    return format_html(
        '{band}<path class="level" d="M{left},{at}H{right}" stroke="currentColor" opacity=".45"/>',
        band=band,
        left=LEFT,
        right=WIDTH - RIGHT,
        at=up.at(line.baseline),
    )


def _intervals(marks: Sequence[Mark], across: _Scale, up: _Scale, colour: str) -> SafeString:
    drawn = (
        (across.at(mark.day), up.at(mark.interval[0]), up.at(mark.interval[1]), colour)
        for mark in marks
        if mark.interval is not None
    )
    return format_html_join("", '<path d="M{},{}V{}" stroke="{}" stroke-width="1.5"/>', drawn)


def _texts(marks: object, anchor: str) -> SafeString:
    return format_html_join("", '<text x="{}" y="{}" text-anchor="' + anchor + '">{}</text>', marks)  # type: ignore[arg-type]
