"""The flow of participants by arm, from screening to analysis (CONSORT 2025)."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from analysis.reports.blocks import Figure, table
from analysis.reports.drawing import QUIET, arrow, box, canvas
from analysis.reports.wording import words

Result = Mapping[str, Any]
_TOP = 10.0


def consort_flow(consort: Result) -> Figure:
    """Enrolment above, then one column an arm: allocation, follow-up, analysis."""
    arms = consort["arms"]
    width = 10.0 / max(len(arms), 1)
    with canvas(height=3.9) as (axes, drawing):
        axes.set_axis_off()
        axes.set_xlim(0, 10)
        axes.set_ylim(0, _TOP)
        _enrolment(axes, consort)
        for place, arm in enumerate(arms):
            _column(axes, arm, (place + 0.5) * width, width - 0.5)
    return Figure("Flow of participants", drawing.svg, _in_words(consort), _numbers(arms))


def _enrolment(axes: Axes, consort: Result) -> None:
    box(axes, 3.6, 9.5, 4.2, 0.8, f"Screened {consort['screened']}", filled=True)
    aside = f"Screen failure {consort['excluded']['n']}\nStill in screening {consort['in_screening']}"
    box(axes, 8.0, 8.45, 3.6, 0.85, aside, filled=False)
    axes.plot([3.6, 6.2], [8.45, 8.45], color=QUIET, linewidth=0.8)
    arrow(axes, (3.6, 9.1), (3.6, 7.8))
    box(axes, 3.6, 7.4, 4.2, 0.8, f"Randomised {consort['randomised']}", filled=True)
    middles = [(place + 0.5) * 10.0 / len(consort["arms"]) for place in range(len(consort["arms"]))]
    axes.plot([3.6, 3.6], [7.0, 6.75], color=QUIET, linewidth=0.8)
    axes.plot([min(middles), max(middles)], [6.75, 6.75], color=QUIET, linewidth=0.8)


def _column(axes: Axes, arm: Result, middle: float, width: float) -> None:
    label = "\n".join(textwrap.wrap(f"{arm['code']}: {arm['label']}", 34)[:2])
    allocated = (
        f"{label}\nAllocated {arm['allocated']}\nTreated {arm['treated']}, not (yet) treated {arm['not_treated']}"
    )
    followed = f"Completed {arm['completed']}\nIn the study {arm['ongoing']}\nWithdrawn {arm['withdrawn']}"
    analysed = (
        f"Analysed {arm['analysed']}, not analysed {arm['not_analysed']}\nwith the endpoint {arm['with_endpoint']}"
    )
    arrow(axes, (middle, 6.75), (middle, 6.3))
    box(axes, middle, 5.45, width, 1.7, allocated, filled=True)
    arrow(axes, (middle, 4.6), (middle, 3.9))
    box(axes, middle, 3.25, width, 1.3, followed, filled=False)
    arrow(axes, (middle, 2.6), (middle, 1.9))
    box(axes, middle, 1.4, width, 1.0, analysed, filled=True)


def _numbers(arms: Sequence[Result]) -> Any:
    rows = [
        (label, *(str(arm[key]) for arm in arms))
        for key, label in (
            ("allocated", "Allocated"),
            ("treated", "Treated"),
            ("not_treated", "Not (yet) treated"),
            ("completed", "Completed"),
            ("ongoing", "In the study"),
            ("withdrawn", "Withdrawn"),
            ("analysed", "Analysed"),
            ("not_analysed", "Not analysed"),
            ("with_endpoint", "With the endpoint"),
        )
    ]
    reasons = dict.fromkeys(each["label"] for arm in arms for each in arm["withdrawal_reasons"])
    rows += [(f"Withdrawn: {words(reason).lower()}", *(_reason(arm, reason) for arm in arms)) for reason in reasons]
    return table("flow of participants", ("", *(arm["code"] for arm in arms)), rows)


def _reason(arm: Result, reason: str) -> str:
    return str(sum(each["count"] for each in arm["withdrawal_reasons"] if each["label"] == reason))


def _in_words(consort: Result) -> str:
    parts = [f"Screened {consort['screened']}, randomised {consort['randomised']}"]
    parts += [
        f"{arm['code']}: allocated {arm['allocated']}, completed {arm['completed']}, withdrawn {arm['withdrawn']}, "
        f"analysed {arm['analysed']}"
        for arm in consort["arms"]
    ]
    return "; ".join(parts) + "."
