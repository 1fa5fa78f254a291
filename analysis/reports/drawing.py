"""How every figure is drawn: same type, same palette, same bytes for the same data.

Arms have a colour and a shape (Okabe & Ito 2008, safe for colour-blind people); what is context is grey.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

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
    "lines.markersize": 5.5,
    "figure.facecolor": "white",
    "text.parse_math": False,
}


@contextmanager
def canvas(width: float = 6.0, height: float = 3.2) -> Iterator[tuple[Axes, _Drawing]]:
    """Axes to draw on, in inches; afterwards `drawing.svg` holds the figure."""
    with mpl.rc_context({**mpl.rcParamsDefault, **_STYLE}):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        drawing = _Drawing()
        yield figure.subplots(), drawing
        drawing.svg = _svg(figure)


@contextmanager
def panels(
    count: int, columns: int, *, width: float = 6.0, height: float = 1.7
) -> Iterator[tuple[list[Axes], _Drawing]]:
    """Several small axes on common scales, in reading order; `height` is that of one row in inches."""
    rows = -(-count // columns)
    with mpl.rc_context({**mpl.rcParamsDefault, **_STYLE}):
        figure = Figure(figsize=(width, height * rows), layout="constrained")
        FigureCanvasSVG(figure)
        drawing = _Drawing()
        every = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel().tolist()
        for unused in every[count:]:
            unused.set_visible(False)
        yield every[:count], drawing
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
        axes.annotate(label, (at, 1), xycoords=("data", "axes fraction"), xytext=(3, -9), **_LABEL)
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
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5 if filled else 8, color=INK, linespacing=1.25)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one step of a flow chart to the next."""
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color=QUIET, linewidth=0.8))


_LABEL: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8, "color": QUIET}


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _lighter(stream.getvalue())


def _lighter(svg: str) -> str:
    """The same drawing in half the bytes: hundredths of a point are enough for a path, and nobody reads the layout."""
    body = svg[svg.index("<svg") :]
    paths = re.sub(r' d="[^"]+"', lambda found: _NUMBER.sub(_hundredths, found[0]), body)
    return re.sub(r"\s*\n\s*", " ", re.sub(r"<!--.*?-->", "", paths))


def _hundredths(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


_NUMBER = re.compile(r"-?\d+\.\d{3,}")
