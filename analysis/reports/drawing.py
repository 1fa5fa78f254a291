"""How every figure is drawn: same type, same palette, same bytes for the same data.

Arms have a colour and a shape (Okabe & Ito 2008, safe for colour-blind people); what is context is grey.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from analysis.reports.light_svg import lighter

INK, QUIET, LINE, ACCENT, BAD = "#1c2024", "#58616a", "#d5dadf", "#0072b2", "#b02a00"
COLOURS = ("#0072b2", "#d55e00", "#00694d", "#cc79a7")
SHAPES = ("o", "s", "^", "D")
GRADES = ("#cfe3f1", "#8fbfe0", "#3d8fc4", "#0b5d94", "#06304d")
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "trialsite",
    # Letters as text, a third of the bytes of outlines: the PDF brings the font, a page takes the reader's own.
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.titlesize": 9,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "butt",
    "lines.markersize": 5.5,
    # What lies behind a drawing is the page's own, on paper and in the dark.
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "text.parse_math": False,
}


@contextmanager
def canvas(width: float = 6.5, height: float = 2.7) -> Iterator[tuple[Axes, _Drawing]]:
    """Axes to draw on, in inches; afterwards `drawing.svg` holds the figure."""
    with _sheet(width, height) as (figure, drawing):
        yield figure.subplots(), drawing


@contextmanager
def side_by_side(
    ratios: Sequence[float], *, width: float = 6.5, height: float = 2.5
) -> Iterator[tuple[list[Axes], _Drawing]]:
    """Axes beside each other, each with scales of its own; ratios: their shares of the width."""
    with _sheet(width, height) as (figure, drawing):
        yield figure.subplots(1, len(ratios), squeeze=False, width_ratios=ratios).ravel().tolist(), drawing


@contextmanager
def panels(
    count: int, columns: int, *, width: float = 6.5, height: float = 1.5
) -> Iterator[tuple[list[Axes], _Drawing]]:
    """Several small axes on common scales, in reading order; `height` is that of one row in inches."""
    rows = -(-count // columns)
    with _sheet(width, height * rows) as (figure, drawing):
        every = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel().tolist()
        for unused in every[count:]:
            unused.set_visible(False)
        yield every[:count], drawing


@contextmanager
def _sheet(width: float, height: float) -> Iterator[tuple[Figure, _Drawing]]:
    with mpl.rc_context({**mpl.rcParamsDefault, **_STYLE}):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        drawing = _Drawing()
        yield figure, drawing
        drawing.svg = _svg(figure)


class _Drawing:
    """Holds the finished figure."""

    svg: str = ""


def arm_style(index: int) -> dict[str, Any]:
    """Colour and shape of an arm, by its place in the protocol."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": SHAPES[index % len(SHAPES)]}


def zero_line(axes: Axes, *, vertical: bool = False) -> None:
    (axes.axvline if vertical else axes.axhline)(0, color=QUIET, linewidth=0.8, zorder=0)


def reference_line(axes: Axes, at: float, label: str, *, vertical: bool = False) -> None:
    """A grey dashed line with its name at its end."""
    style: dict[str, Any] = {"color": QUIET, "linewidth": 0.8, "linestyle": (0, (4, 3)), "zorder": 0}
    if vertical:
        axes.axvline(at, **style)
        axes.annotate(label, (at, 1), xycoords=("data", "axes fraction"), xytext=(0, 2), ha="center", **_LABEL)
    else:
        axes.axhline(at, **style)
        axes.annotate(label, (1, at), xycoords=("axes fraction", "data"), xytext=(-2, 3), ha="right", **_LABEL)


def important_line(axes: Axes, size: float | None, better: str) -> None:
    """Where an effect begins to matter to a person, on the side of benefit; nothing where the plan names no size."""
    if size is not None:
        reference_line(axes, -size if better == "lower" else size, "minimal important", vertical=True)


def label_at(axes: Axes, x: float, y: float, text: str, color: str, *, dx: float = 6, dy: float = 0) -> None:
    """A direct label beside the last point of a line."""
    axes.annotate(
        text,
        (x, y),
        xytext=(dx, dy),
        textcoords="offset points",
        color=color,
        va="center",
        fontweight="bold",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
    )


def label_ends(axes: Axes, x: float, ends: Sequence[tuple[float, str, str]]) -> None:
    """A direct label at the end of each line (height, text, colour), moved apart where two would overlap."""
    low, high = axes.get_ylim()
    places = apart([height for height, _, _ in ends], 0.09 * abs(high - low))
    for (_, text, color), height in zip(ends, places, strict=True):
        label_at(axes, x, height, text, color, dx=9)


def apart(heights: Sequence[float], least: float) -> list[float]:
    """The heights, moved as little as needed so that neighbours stand at least so far from each other."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    placed = list(heights)
    for lower, upper in pairwise(order):
        placed[upper] = max(placed[upper], placed[lower] + least)
    shift = sum(placed) / len(placed) - sum(heights) / len(heights) if placed else 0.0
    return [each - shift for each in placed]


def box(axes: Axes, x: float, y: float, width: float, height: float, text: str, *, filled: bool) -> None:
    """A box of a flow chart with its text, around x and y; a filled one is a step, an empty one stands aside."""
    face, edge = ("#eef4f8", ACCENT) if filled else ("white", LINE)
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=face,
            edgecolor=edge,
            linewidth=0.8,
            mutation_aspect=0.3,
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=8, color=INK, linespacing=1.2)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one step of a flow chart to the next."""
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color=QUIET, linewidth=0.8))


_LABEL: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8, "color": QUIET}


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return lighter(stream.getvalue())
