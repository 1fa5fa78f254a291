"""Two drawings of a simulated design: how likely each scenario's trial stops where, and power over the true effect.

Drawn here as the course of a participant is (course_plot.py): light, dark, and no style of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

Scenario = Mapping[str, Any]
# Shades of one colour: the earlier the stop, the darker.
SHADES = ("#0b5d94", "#3d8fc4", "#8fbfe0", "#cfe3f1")
ON_SHADE = ("#ffffff", "#ffffff", "#1c2024", "#1c2024")
WIDTH, LEFT, RIGHT = 640, 132, 26
ROW, BAR = 34, 20
HEIGHT, TOP, FOOT = 260, 18, 44
NARROWEST_LABEL = 44


def stopping_plot(scenarios: Sequence[Scenario]) -> SafeString:
    """One bar for each scenario: efficacy at each look in shades, then trials that never rejected."""
    looks = [look["number"] for look in scenarios[0]["looks"]]
    height = TOP + 16 + len(scenarios) * ROW
    bars = SafeString("".join(_bar(each, TOP + 16 + place * ROW) for place, each in enumerate(scenarios)))
    return format_html(
        '<svg class="plot" viewBox="0 0 {w} {h}" role="img" aria-label="{about}">{key}{bars}</svg>',
        w=WIDTH,
        h=height,
        about="Share of trials that stop for efficacy at each look, by scenario; the numbers are in the table below",
        key=_key(looks),
        bars=bars,
    )


def power_plot(scenarios: Sequence[Scenario], *, planned: float | None, alpha: float | None) -> SafeString:
    """Share of trials that reject over the true effect, with 95 % Monte Carlo intervals; empty below three points."""
    points = sorted(_curve(scenarios), key=lambda each: each["benefit"])
    if len(points) < 3:
        return SafeString("")
    furthest = points[-1]["benefit"] or 1.0
    placed = [(_across(each["benefit"] / furthest), each) for each in points]
    return format_html(
        '<svg class="plot" viewBox="0 0 {w} {h}" role="img" aria-label="{about}">{frame}{lines}'
        '<g fill="#0072B2" stroke="#0072B2"><polyline points="{line}" fill="none" stroke-width="2"/>{marks}</g>{ticks}'
        '<text x="{middle}" y="{low}" text-anchor="middle">True difference at the primary endpoint</text></svg>',
        w=WIDTH,
        h=HEIGHT,
        about="Share of trials that reject over the true difference; the numbers are in the table below",
        frame=_frame(),
        # Each name where the curve is not: power at the left, alpha at the right.
        lines=_level(planned, "planned power", LEFT + 8, "start") + _level(alpha, "alpha", WIDTH - RIGHT, "end"),
        line=" ".join(f"{x},{_up(each['rate']['estimate'])}" for x, each in placed),
        marks=SafeString("".join(_point(x, each) for x, each in placed)),
        ticks=format_html_join(
            "",
            '<text x="{}" y="{}" text-anchor="middle">{}</text>',
            ((x, HEIGHT - FOOT + 16, _signed(each["effect"])) for x, each in placed),
        ),
        middle=(LEFT + WIDTH - RIGHT) / 2,
        low=HEIGHT - 8,
    )


def _key(looks: Sequence[int]) -> SafeString:
    """The names of the shades above the bars: directly over the first bar's parts they would not fit."""
    names = [(SHADES[_shade(place, len(looks))], f"stops at look {look}") for place, look in enumerate(looks)]
    names.append(("none", "never rejects"))
    step = (WIDTH - LEFT - RIGHT) / len(names)
    return format_html_join(
        "",
        '<rect x="{}" y="4" width="12" height="12" fill="{}" stroke="currentColor" stroke-opacity=".4"/>'
        '<text x="{}" y="14">{}</text>',
        ((LEFT + place * step, shade, LEFT + place * step + 17, name) for place, (shade, name) in enumerate(names)),
    )


def _bar(scenario: Scenario, top: float) -> SafeString:
    looks = scenario["looks"]
    shares = [look["stops"]["estimate"] for look in looks]
    parts, at = [], 0.0
    for place, share in enumerate(shares):
        shade = _shade(place, len(looks))
        parts.append(_part(at, share, top, SHADES[shade], ON_SHADE[shade], f"look {looks[place]['number']}"))
        at += share
    parts.append(_part(at, 1 - at, top, "none", "currentColor", "never rejects"))
    return format_html(
        '<text x="{x}" y="{y}" text-anchor="end">{name}</text>{parts}',
        x=LEFT - 10,
        y=top + BAR / 2 + 4,
        name=scenario["scenario"],
        parts=SafeString("".join(parts)),
    )


def _part(at: float, share: float, top: float, fill: str, ink: str, name: str) -> SafeString:
    left, width = _across(at), round(share * (WIDTH - LEFT - RIGHT), 1)
    text = f"{100 * share:.1f} %"
    label = SafeString("")
    if width >= NARROWEST_LABEL:
        label = format_html(
            # The style sheet fills text with the colour round it.
            '<g color="{}"><text x="{}" y="{}" text-anchor="middle">{}</text></g>',
            ink,
            left + width / 2,
            top + BAR / 2 + 4,
            text,
        )
    return format_html(
        '<g><title>{}: {}</title><rect x="{}" y="{}" width="{}" height="{}" fill="{}" stroke="currentColor"'
        ' stroke-opacity=".4"/>{}</g>',
        name, text, left, top, max(width, 0), BAR, fill, label,
    )  # fmt: skip


def _shade(place: int, looks: int) -> int:
    """The last look has the lightest shade used, whatever their number."""
    return min(place, len(SHADES) - 1) if looks > 1 else 1


def _curve(scenarios: Sequence[Scenario]) -> list[dict[str, Any]]:
    """The scenarios that differ in the size of the effect only, and no effect at all."""
    return [
        {"effect": each["effect"], "benefit": abs(each["effect"]), "rate": each["rejected"], "name": each["scenario"]}
        for each in scenarios
        if each["scenario"].split(":")[0] in ("default", "null_global")
    ]


def _across(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _up(share: float) -> float:
    return round(HEIGHT - FOOT - share * (HEIGHT - FOOT - TOP), 1)


def _frame() -> SafeString:
    ticks = format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="end">{}</text>',
        ((LEFT - 8, _up(share) + 4, f"{100 * share:.0f} %") for share in (0, 0.25, 0.5, 0.75, 1)),
    )
    return format_html(
        '<path d="M{left},{top}V{bottom}H{right}" fill="none" stroke="currentColor" opacity=".5"/>{ticks}'
        '<text x="{name}" y="{middle}" text-anchor="end">Rejects</text>',
        left=LEFT,
        top=TOP,
        bottom=HEIGHT - FOOT,
        right=WIDTH - RIGHT,
        ticks=ticks,
        name=LEFT - 56,
        middle=_up(0.5) + 4,
    )


def _level(share: float | None, name: str, at: float, anchor: str) -> SafeString:
    """A dashed line with its name."""
    if share is None:
        return SafeString("")
    return format_html(
        '<path d="M{left},{y}H{right}" stroke="currentColor" stroke-dasharray="4 3" opacity=".5"/>'
        '<text x="{at}" y="{above}" text-anchor="{anchor}" opacity=".75">{name} {percent}</text>',
        left=LEFT,
        right=WIDTH - RIGHT,
        y=_up(share),
        at=at,
        above=_up(share) - 5,
        anchor=anchor,
        name=name,
        percent=f"{100 * share:g} %",
    )


def _point(x: float, each: Mapping[str, Any]) -> SafeString:
    rate = each["rate"]
    return format_html(
        '<path d="M{x},{low}V{high}" stroke-width="1.5"/>'
        '<circle cx="{x}" cy="{y}" r="4"><title>{about}</title></circle>',
        x=x,
        low=_up(rate["lower"]),
        high=_up(rate["upper"]),
        y=_up(rate["estimate"]),
        about=f"{each['name']}: {100 * rate['estimate']:.1f} %",
    )


def _signed(effect: float) -> str:
    return "0" if effect == 0 else f"{effect:.2f}".replace("-", "−")
