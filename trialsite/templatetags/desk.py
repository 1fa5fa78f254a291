"""Template tags of the desk: state as colour, shape and word; moments on the site's clock; numbers with their unit."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from outcomes.group_course import Share

register = template.Library()

# 16 px shapes of the design: a form's are discs, a visit's are rings.
_SHAPES = {
    "not_due": '<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.5" stroke-dasharray="1.5 2.2"/>',
    "due": '<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="2"/>',
    "partial": '<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="2"/><path d="M8 8V2a6 6 0 1 1-6 6z" fill="currentColor"/>',
    "draft": '<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="2"/><path d="M8 8V2a6 6 0 0 1 6 6z" fill="currentColor"/>',
    "complete": '<circle cx="8" cy="8" r="7" fill="currentColor"/>',
    "not_done": '<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="2"/><path d="M4 8h8" stroke="currentColor" stroke-width="2"/>',
    "planned": '<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1"/>',
    "never": '<path d="M4 8h8" stroke="currentColor" stroke-width="2"/>',
    "open": '<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.5"/><path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor"/>',
    "overdue": '<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="2"/><path d="M8 4.5v4.5M8 10.5v1.5" stroke="currentColor" stroke-width="2"/>',
    "done": '<circle cx="8" cy="8" r="7" fill="currentColor"/>',
    "out": '<circle cx="8" cy="8" r="5" fill="currentColor"/><circle cx="8" cy="8" r="7" fill="none" stroke="currentColor" stroke-width="1"/>',
    "missed": '<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="2"/><path d="M4.5 4.5l7 7" stroke="currentColor" stroke-width="2"/>',
}
_WORDS = {
    "not_due": "not due",
    "due": "due",
    "partial": "incomplete",
    "draft": "draft",
    "complete": "complete",
    "not_done": "not done",
    "planned": "upcoming",
    "never": "not applicable",
    "open": "window open",
    "overdue": "overdue",
    "done": "done",
    "out": "done, out of window",
    "missed": "missed",
}


@register.simple_tag
def shape(state: str, *, word: bool = False) -> SafeString:
    """The sign of a state; with its word for people, or for screen readers only."""
    text = _WORDS[state]
    said = "word" if word else "visually-hidden"
    return format_html(
        '<span class="is-{}"><svg class="shape" viewBox="0 0 16 16" aria-hidden="true">{}</svg> <span class="{}">{}</span></span>',
        state,
        mark_safe(_SHAPES[state]),  # noqa: S308 - fixed above
        said,
        text,
    )


@register.filter
def on_clock(moment: datetime | None, zone: str) -> str:
    """A moment on the clock of a site: 24 Nov 2026 14:05."""
    return f"{moment.astimezone(ZoneInfo(zone)):%-d %b %Y %H:%M}" if moment else ""


@register.filter
def on_day(moment: datetime | date | None, zone: str = "UTC") -> str:
    """The day of a moment at a site: 24 Nov 2026."""
    if moment is None:
        return ""
    local = moment.astimezone(ZoneInfo(zone)) if isinstance(moment, datetime) else moment
    return f"{local:%-d %b %Y}"


@register.filter
def on_last_day(closes: datetime | None, zone: str) -> str:
    """The last day of a window at a site: one that closes at midnight ends the day before."""
    return on_day(closes - timedelta(microseconds=1), zone) if closes else ""


@register.filter
def in_unit(unit: str) -> str:
    """A unit of a protocol as people write it: degrees have their sign."""
    return "°C" if unit == "C" else unit


@register.filter
def partial_date(text: str) -> str:
    """A partial ISO date as a person writes it: Nov 2026."""
    parts = text.split("-")
    if len(parts) == 1:
        return text
    first = date.fromisoformat("-".join([*parts, "01"][:3]))
    return f"{first:%-d %b %Y}" if len(parts) == 3 else f"{first:%b %Y}"


@register.filter
def plain(number: float | Decimal | None) -> str:
    """A number without needless zeros."""
    if number is None:
        return ""
    return f"{float(number):.10g}"


@register.filter
def in_per_cent(share: Share) -> str:
    """A share as people read it: 12 of 40 (30 %); only the number where it is too small to be told."""
    if not share.n:
        return ""
    if share.count is None:
        return f"n = {share.n}"
    return f"{share.count} of {share.n} ({100 * share.count / share.n:.0f} %)"


@register.filter
def get(mapping: dict[str, object], key: str) -> object:
    """The entry of a mapping, or nothing."""
    return mapping.get(key, "")
