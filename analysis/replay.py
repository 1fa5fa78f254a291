"""Running a past look again from its cut and its plan, and comparing every byte with what was kept.

The open side replays the open report, the unblinded side the sealed ones; nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import orjson

from analysis import closed_store, cuts
from analysis.closed_store import Report
from analysis.differences import differences
from analysis.look_results import about_look, closed_values, computed_or_failed, open_values, rendered
from analysis.models import Look, OpenReport
from studies.errors import InvalidEntry


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One place where a look run again is not what was kept: which file, where in it, and both values."""

    file: str
    where: str
    kept: str
    again: str

    def __str__(self) -> str:
        return f"{self.file} {self.where}: kept {self.kept}, again {self.again}"


def replay_open(look: Look) -> list[Discrepancy]:
    """Run the open report of a look again. Empty when every byte is the same.

    Raises InvalidEntry for a look without an open report, CutDoesNotVerify for a cut that is not what was taken.
    """
    kept = OpenReport.objects.filter(look=look).first()
    if kept is None:
        raise InvalidEntry(f"{look} has no open report to compare with.")
    cuts.verify_folder(cuts.blinded_folder(look.cut.name), sha256=look.cut.manifest_sha256)
    again = rendered({**open_values(look), "about": about_look(look)})
    before = Report(bytes(kept.result), bytes(kept.html), bytes(kept.pdf))
    return [*_tampered(before, kept.sha256, "open"), *_compare(before, again, "open")]


def replay_closed(look: Look) -> list[Discrepancy]:
    """Run the closed report of a look again, on the unblinded side. Empty when every byte is the same.

    Raises as `replay_open`; PlanNotRegistered where the plan's text is not the one that was registered.
    """
    kept = closed_store.sealed_result(look.pk)
    if kept is None:
        raise InvalidEntry(f"{look} has no closed report to compare with.")
    plan = closed_store.registered_plan(look.plan)
    arms = cuts.arms_of(look.cut)
    _, again = computed_or_failed(look, lambda: closed_values(look, plan, arms))
    before = Report(kept.result, kept.html, kept.pdf)
    return [*_tampered(before, kept.sha256, "closed"), *_compare(before, again, "closed")]


def _tampered(kept: Report, sha256: str, part: str) -> Iterator[Discrepancy]:
    """What is kept must be what was hashed when it was made."""
    if kept.sha256 != sha256:
        yield Discrepancy(f"{part}/result.json", "SHA-256 of what is kept", sha256, kept.sha256)


def _compare(kept: Report, again: Report, part: str) -> Iterator[Discrepancy]:
    yield from _in_json(kept.result, again.result, f"{part}/result.json")
    yield from _in_lines(kept.html, again.html, f"{part}/report.html")
    if kept.pdf != again.pdf:
        place = next(i for i, (a, b) in enumerate(zip_longest(kept.pdf, again.pdf)) if a != b)
        sizes = f"{len(kept.pdf)} bytes", f"{len(again.pdf)} bytes"
        yield Discrepancy(f"{part}/report.pdf", f"from byte {place}", *sizes)


def _in_json(kept: bytes, again: bytes, file: str) -> Iterator[Discrepancy]:
    if kept == again:
        return
    found = list(differences(_loaded(kept), _loaded(again)))
    yield from (Discrepancy(file, each.path, repr(each.before), repr(each.after)) for each in found)
    if not found:
        yield Discrepancy(file, "in its spelling, not in its values", f"{len(kept)} bytes", f"{len(again)} bytes")


def _loaded(content: bytes) -> object:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return "no JSON"


def _in_lines(kept: bytes, again: bytes, file: str) -> Iterator[Discrepancy]:
    """The first line that differs says enough: what follows from it is not listed."""
    if kept == again:
        return
    lines = zip_longest(kept.splitlines(), again.splitlines(), fillvalue=b"(no line)")
    number, (one, other) = next((n, pair) for n, pair in enumerate(lines, start=1) if pair[0] != pair[1])
    start = next((i for i, (a, b) in enumerate(zip_longest(one, other)) if a != b), 0)
    around = slice(max(start - 20, 0), start + 40)
    yield Discrepancy(file, f"line {number}", repr(one[around].decode("utf-8", "replace")),
                      repr(other[around].decode("utf-8", "replace")))  # fmt: skip
