"""The z-profile as an inline drawing: the familiar figure of the DFNS, gain of function up and loss down.

Once across for wide screens, and once down for narrow ones, where the same figure would be too small to read; the
style sheet shows one of them. The order of parameters is that of published profiles (Maier 2010, Pain 150:439-450).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, log10

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from outcomes.qst import ABNORMAL_Z
from outcomes.qst_profiles import AreaProfile, Role

ORDER = ("CDT", "WDT", "TSL", "CPT", "HPT", "PPT", "MPT", "MPS", "WUR", "MDT", "VDT")
LEAST_RANGE, MOST_RANGE = 3, 8
# Okabe & Ito (2008), a shape and a line for each: also without colour they can be told apart.
COLOURS: dict[Role, str] = {"test": "#0072B2", "control": "#7a7f85", "baseline": "#D55E00"}
SHAPES: dict[Role, str] = {
    "test": "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0z",
    "control": "M-4,-4h8v8h-8z",
    "baseline": "M0,-5.5l5.5,5.5l-5.5,5.5l-5.5,-5.5z",
}
DASHES: dict[Role, str] = {"test": "none", "control": "2 3", "baseline": "7 4"}
# PHS counts to 3; DMA is a geometric mean of ratings plus 0.1, on a logarithmic axis from 0.1 to 100.
SIGN_TICKS = {"DMA": ((0.1, "0"), (1, "1"), (10, "10"), (100, "100")), "PHS": ((0, "0"), (1, "1"), (2, "2"), (3, "3"))}


def z_profile(profiles: Sequence[AreaProfile], *, about: str) -> SafeString:
    """Both drawings of some profiles; empty where none has a z-score or a sign.

    about: whose profile it is and of when, for those who cannot see it.
    """
    if not any(profile.z or profile.signs for profile in profiles):
        return SafeString("")
    most = max((abs(z) for profile in profiles for z in profile.z.values()), default=0)
    span = min(max(LEAST_RANGE, ceil(most + 0.2)), MOST_RANGE)
    return format_html("{}{}", _Across(profiles, span, about).draw(), _Down(profiles, span, about).draw())


@dataclass(frozen=True)
class _Across:
    """Parameters from left to right, z upwards, the two signs on axes of their own at the right."""

    profiles: Sequence[AreaProfile]
    span: int
    about: str

    TOP, HEIGHT, LEFT, STEP, WIDTH = 40, 260, 84, 46, 760
    SIGNS = {"DMA": 648, "PHS": 722}

    def draw(self) -> SafeString:
        right = self.LEFT + len(ORDER) * self.STEP
        band = (self.up(ABNORMAL_Z), self.up(-ABNORMAL_Z))
        return format_html(
            '<svg class="plot profile wide" viewBox="0 0 {w} {h}" role="img" aria-label="{about}">{key}'
            '<rect x="{left}" y="{y}" width="{across}" height="{tall}" fill="currentColor" opacity=".1"/>'
            '<path d="M{left},{zero}H{right}" stroke="currentColor" opacity=".6"/>'
            '<path d="M{left},{top}V{bottom}" stroke="currentColor" opacity=".5"/>'
            '{ticks}{names}<text x="14" y="{gain}">gain</text><text x="14" y="{loss}">loss</text>'
            '<text x="14" y="{zero_text}">z</text>{signs}{series}</svg>',
            w=self.WIDTH,
            h=self.TOP + self.HEIGHT + 34,
            about=f"z-profile, {self.about}; the numbers are in the table",
            key=_key(self.profiles, self.LEFT, 16, 150),
            left=self.LEFT,
            y=band[0],
            across=right - self.LEFT,
            tall=round(band[1] - band[0], 1),
            zero=self.up(0),
            right=right,
            top=self.TOP,
            bottom=self.TOP + self.HEIGHT,
            ticks=self._ticks(),
            names=_texts(((self.along(i), self.TOP + self.HEIGHT + 22, n) for i, n in enumerate(ORDER)), "middle"),
            gain=self.TOP + 16,
            loss=self.TOP + self.HEIGHT - 8,
            zero_text=self.up(0) + 4,
            signs=SafeString("".join(self._axis(code) for code in self.SIGNS)),
            series=SafeString("".join(self._series(profile) for profile in self.profiles)),
        )

    def along(self, place: float) -> float:
        return self.LEFT + (place + 0.5) * self.STEP

    def up(self, z: float) -> float:
        return round(self.TOP + self.HEIGHT * (self.span - z) / (2 * self.span), 1)

    def _ticks(self) -> SafeString:
        marks = [*range(-self.span + 1, self.span)]
        return _texts(((self.LEFT - 8, self.up(z) + 4, _tick(z)) for z in marks), "end")

    def _axis(self, code: str) -> SafeString:
        x = self.SIGNS[code]
        ticks = SIGN_TICKS[code]
        marks = _texts(((x - 7, self._sign(code, value) + 4, text) for value, text in ticks), "end")
        name = _texts([(x, self.TOP + self.HEIGHT + 22, code)], "middle")
        line = format_html(
            '<path d="M{},{}V{}" stroke="currentColor" opacity=".5"/>', x, self.TOP, self.TOP + self.HEIGHT
        )
        return format_html("{}{}{}", line, marks, name)

    def _sign(self, code: str, value: float) -> float:
        return round(self.TOP + self.HEIGHT * (1 - _share(code, value)), 1)

    def _series(self, profile: AreaProfile) -> SafeString:
        marks = [_Mark(self.along(i), self.up(_kept(z, self.span)), _says(code, z)) for i, code, z in _points(profile)]
        lines = ([(self.along(i), self.up(_kept(z, self.span))) for i, _, z in part] for part in _unbroken(profile))
        shift = {"test": 0, "control": 9, "baseline": -9}[profile.role]
        marks += [
            _Mark(self.SIGNS[code] + 12 + shift, self._sign(code, value), f"{code} {value:.3g}")
            for code, value in profile.signs.items()
        ]
        return _drawn(profile.role, lines, marks)


@dataclass(frozen=True)
class _Down:
    """Parameters from top to bottom, z to the right: for a screen of 360 px."""

    profiles: Sequence[AreaProfile]
    span: int
    about: str

    TOP, STEP, LEFT, WIDTH = 76, 30, 52, 320

    def draw(self) -> SafeString:
        bottom = self.TOP + len(ORDER) * self.STEP
        low, high = self.across(-ABNORMAL_Z), self.across(ABNORMAL_Z)
        names = _texts(((self.LEFT - 8, self.along(i) + 4, code) for i, code in enumerate(ORDER)), "end")
        marks = range(-self.span + 1, self.span)
        ticks = _texts(((self.across(z), bottom + 16, _tick(z)) for z in marks), "middle")
        return format_html(
            '<svg class="plot profile narrow" viewBox="0 0 {w} {h}" role="img" aria-label="{about}">{key}'
            '<rect x="{low}" y="{top}" width="{wide}" height="{tall}" fill="currentColor" opacity=".1"/>'
            '<path d="M{zero},{top}V{bottom}" stroke="currentColor" opacity=".6"/>'
            '<text x="{left}" y="{head}">loss</text><text x="{right}" y="{head}" text-anchor="end">gain</text>'
            "{names}{ticks}{series}</svg>",
            w=self.WIDTH,
            h=bottom + 26,
            about=f"z-profile, {self.about}; the numbers are in the table",
            key=_key(self.profiles, 8, 14, 0),
            low=low,
            top=self.TOP,
            wide=round(high - low, 1),
            tall=bottom - self.TOP,
            zero=self.across(0),
            bottom=bottom,
            left=self.LEFT,
            right=self.WIDTH - 6,
            head=self.TOP - 6,
            names=names,
            ticks=ticks,
            series=SafeString("".join(self._series(profile) for profile in self.profiles)),
        )

    def along(self, place: float) -> float:
        return self.TOP + (place + 0.5) * self.STEP

    def across(self, z: float) -> float:
        width = self.WIDTH - self.LEFT - 6
        return round(self.LEFT + width * (z + self.span) / (2 * self.span), 1)

    def _series(self, profile: AreaProfile) -> SafeString:
        marks = [
            _Mark(self.across(_kept(z, self.span)), self.along(i), _says(code, z)) for i, code, z in _points(profile)
        ]
        lines = ([(self.across(_kept(z, self.span)), self.along(i)) for i, _, z in part] for part in _unbroken(profile))
        return _drawn(profile.role, lines, marks)


@dataclass(frozen=True, slots=True)
class _Mark:
    x: float
    y: float
    says: str


_Point = tuple[int, str, float]


def _points(profile: AreaProfile) -> Iterator[_Point]:
    return ((i, code, profile.z[code]) for i, code in enumerate(ORDER) if code in profile.z)


def _unbroken(profile: AreaProfile) -> Iterator[list[_Point]]:
    """Runs of neighbouring parameters: no line leads over one that was not tested."""
    numbered = enumerate(_points(profile))
    return ([point for _, point in run] for _, run in groupby(numbered, lambda pair: pair[1][0] - pair[0]))


def _tick(z: int) -> str:
    """A signed whole number with a true minus sign."""
    return f"{z:+d}".replace("-", "−") if z else "0"


def _kept(z: float, span: int) -> float:
    """Within the figure: a value beyond its edge is drawn at the edge, and told by its number."""
    return max(-span, min(span, z))


def _says(code: str, z: float) -> str:
    beyond = "" if abs(z) <= ABNORMAL_Z else ", gain" if z > 0 else ", loss"
    return f"{code}: z {z:+.2f}{beyond}"


def _share(code: str, value: float) -> float:
    """The height of a sign on its axis, 0 to 1."""
    return value / 3 if code == "PHS" else (log10(max(value, 0.1)) + 1) / 3


def _drawn(role: Role, lines: Iterable[list[tuple[float, float]]], marks: Sequence[_Mark]) -> SafeString:
    strokes = format_html_join(
        "",
        '<polyline points="{}" fill="none" stroke="{}" stroke-width="1.75" stroke-dasharray="{}"/>',
        ((" ".join(f"{x:g},{y:g}" for x, y in line), COLOURS[role], DASHES[role]) for line in lines),
    )
    shapes = format_html_join(
        "",
        '<path d="{}" transform="translate({} {})" fill="{}"><title>{}</title></path>',
        ((SHAPES[role], f"{mark.x:g}", f"{mark.y:g}", COLOURS[role], mark.says) for mark in marks),
    )
    return format_html("<g>{}{}</g>", strokes, shapes)


def _key(profiles: Sequence[AreaProfile], left: float, top: float, step: float) -> SafeString:
    """Which line is which: in a row, or (step 0) one under the other."""
    rows = []
    for place, profile in enumerate(profiles):
        x, y = left + place * step, top + (0 if step else place * 18)
        rows.append(
            format_html(
                '<path d="M{a},{y}H{b}" stroke="{c}" stroke-width="1.75" stroke-dasharray="{d}"/>'
                '<path d="{shape}" transform="translate({m} {y})" fill="{c}"/><text x="{t}" y="{ty}">{label}</text>',
                a=x,
                b=x + 28,
                m=x + 14,
                y=y,
                t=x + 34,
                ty=y + 4,
                c=COLOURS[profile.role],
                d=DASHES[profile.role],
                shape=SHAPES[profile.role],
                label=profile.label,
            )
        )
    return SafeString("".join(rows))


def _texts(places: Iterable[tuple[float, float, str]], anchor: str) -> SafeString:
    return format_html_join(
        "", '<text x="{}" y="{}" text-anchor="{}">{}</text>', ((x, y, anchor, text) for x, y, text in places)
    )
