"""Figures without arms: recruitment, the flow of participants, missing values, adverse events by grade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.reports.blocks import Figure, Table, row, table
from analysis.reports.drawing import ACCENT, GRADES, LINE, QUIET, arrow, box, canvas, label_ends, reference_line
from analysis.reports.wording import month, number

Result = Mapping[str, Any]
_TERMS_SHOWN = 15


def recruitment(enrolment: Result) -> Figure | None:
    """Randomised so far, month by month, against the planned pace; None before the first."""
    months = enrolment["by_month"]
    if not months:
        return None
    total, planned = [each["cumulative"] for each in months], [each["planned_pace"] for each in months]
    places = range(len(months))
    with canvas(height=2.9) as (axes, drawing):
        if all(pace is not None for pace in planned):
            axes.plot(places, planned, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(places, total, color=ACCENT, marker="o")
        if enrolment["planned"]:
            reference_line(axes, enrolment["planned"], f"all {enrolment['planned']} planned")
            axes.set_ylim(0, max(enrolment["planned"], total[-1]) * 1.08)
        ends = [(total[-1], f"randomised {total[-1]}", ACCENT)]
        if planned[-1] is not None:
            ends.append((planned[-1], f"planned {planned[-1]:.0f}", QUIET))
        label_ends(axes, len(months) - 1, ends)
        axes.set_xticks(places, [month(each["month"]) for each in months], rotation=45 if len(months) > 8 else 0)
        axes.set_xlim(-0.3, len(months) - 1 + 0.22 * len(months))
        axes.set_ylabel("Participants randomised")
    rows = [
        (month(each["month"]), str(each["randomised"]), str(each["cumulative"]), number(each["planned_pace"], 0))
        for each in months
    ]
    words = f"{total[-1]} randomised by {month(months[-1]['month'])}"
    words += f", {number(planned[-1], 0)} planned by then." if planned[-1] is not None else "."
    data = table("recruitment by month", ("Month", "Randomised", "In all", "Planned pace"), rows)
    return Figure("Recruitment against plan", drawing.svg, words, data)


def participant_flow(screening: Result, disposition: Result) -> Figure:
    """From screening to the primary endpoint, everybody together (CONSORT 2010)."""
    steps = {each["key"]: each["cells"][0]["count"] for each in disposition["rows"]}
    main = [f"Screened\n{screening['screened']}", f"Randomised\n{steps['randomised']}"]
    aside = [f"Screen failure {screening['failed']}\nStill in screening {screening['in_screening']}"]
    if "infused" in steps:
        main.append(f"Infusion started\n{steps['infused']}")
        aside.append(f"Not infused (yet) {steps['randomised'] - steps['infused']}")
    main.append(f"Primary endpoint due\n{steps['endpoint_due']}")
    aside.append(f"Withdrawn {steps['withdrawn']}\nIn the study {steps['ongoing']}\nCompleted {steps['completed']}")
    main.append(f"With the primary endpoint\n{steps['endpoint']}")
    aside.append(f"Due but missing {steps['endpoint_due'] - steps['endpoint']}")
    with canvas(height=0.78 * len(main)) as (axes, drawing):
        _flow_chart(axes, main, aside)
    words = "; ".join(text.replace("\n", " ") for text in main)
    return Figure("Flow of participants", drawing.svg, words + ".")


def _flow_chart(axes: Axes, main: Sequence[str], aside: Sequence[str]) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, 10)
    axes.set_ylim(-len(main) + 0.4, 0.6)
    for place, text in enumerate(main):
        box(axes, 3.0, -place, 3.6, 0.58, text, filled=True)
    for place, text in enumerate(aside):
        middle = -place - 0.5
        arrow(axes, (3.0, -place - 0.31), (3.0, -place - 0.69))
        axes.plot([3.0, 5.6], [middle, middle], color=QUIET, linewidth=0.8)
        box(axes, 7.4, middle, 3.6, 0.2 + 0.16 * (text.count("\n") + 1), text, filled=False)


def missing_patterns(patterns: Result) -> Figure | None:
    """Which timepoints of the primary endpoint are there: one line a pattern, the commonest at the top."""
    return _patterns(patterns["labels"], [("", patterns["n"], patterns["rows"])])


def missing_patterns_by_arm(patterns: Result) -> Figure | None:
    """The same for every arm, one below the other."""
    groups = [(group["code"], group["n"], group["rows"]) for group in patterns["groups"]]
    return _patterns(patterns["labels"], groups)


def _patterns(labels: Sequence[str], groups: Sequence[tuple[str, int, Sequence[Result]]]) -> Figure | None:
    rows = [(code, n, each) for code, n, patterns in groups for each in patterns]
    if not rows:
        return None
    with canvas(height=0.7 + 0.26 * len(rows)) as (axes, drawing):
        for place, (code, n, each) in enumerate(rows):
            _pattern(axes, -place, each["there"])
            share = 100 * each["count"] / n
            axes.text(len(labels) - 0.4, -place, f"{code} {each['count']} ({share:.0f} %)".strip(), va="center")
        axes.set_xticks(range(len(labels)), labels)
        axes.set_yticks([])
        axes.set_xlim(-0.5, len(labels) + 0.6)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.tick_params(length=0)
        axes.xaxis.tick_top()
    words = "; ".join(
        f"{code or 'In all'}: of {n} of whom all is due, {each[0]['count']} have the commonest pattern"
        for code, n, each in groups
        if each
    )
    return Figure(
        "Primary endpoint: what is there (filled) and missing (hatched)",
        drawing.svg,
        words + ".",
        _pattern_table(labels, rows),
    )


def _pattern(axes: Axes, height: int, there: Sequence[bool]) -> None:
    for column, known in enumerate(there):
        axes.barh(
            height,
            0.94,
            left=column - 0.47,
            height=0.78,
            edgecolor=LINE,
            color=ACCENT if known else "white",
            hatch="" if known else "////",
        )


def _pattern_table(labels: Sequence[str], rows: Sequence[tuple[str, int, Result]]) -> Table:
    by_arm = any(code for code, _, _ in rows)
    lines = [
        row(
            *([code] if by_arm else []),
            *("there" if known else "missing" for known in each["there"]),
            str(each["count"]),
        )
        for code, _, each in rows
    ]
    head = (*(["Arm"] if by_arm else []), *labels, "Participants")
    return table("patterns of missing values", head, lines, texts=tuple(range(1, len(head) - 1)))


def adverse_events_by_grade(safety: Result) -> Figure | None:
    """Participants with each term, by their worst grade, the commonest terms first."""
    terms = safety["terms"][:_TERMS_SHOWN]
    if not terms:
        return None
    with canvas(height=0.8 + 0.27 * len(terms)) as (axes, drawing):
        for place, each in enumerate(terms):
            left = 0
            for grade, colour in enumerate(GRADES, start=1):
                width = each["cells"][0]["worst_grade"][str(grade)]
                axes.barh(-place, width, left=left, height=0.68, color=colour, edgecolor="white", linewidth=0.5)
                left += width
            axes.annotate(str(left), (left, -place), xytext=(4, 0), textcoords="offset points", va="center")
        for grade, colour in enumerate(GRADES, start=1):
            axes.bar(0, 0, color=colour, label=f"grade {grade}")
        axes.legend(frameon=False, ncols=5, loc="lower left", bbox_to_anchor=(0, 1), fontsize=8, handlelength=1)
        axes.set_yticks([-place for place in range(len(terms))], [each["term"] for each in terms])
        axes.set_xlabel("Participants, by worst grade")
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    words = "; ".join(f"{each['term']} {each['cells'][0]['count']}" for each in terms)
    return Figure("Adverse events by worst grade", drawing.svg, f"Participants with each term: {words}.")
