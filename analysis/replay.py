"""Running a past look again from its cut and its plan, and comparing every byte with what was kept, data sets too.

The open side replays the open report, the unblinded side the sealed ones; nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import orjson

from analysis import closed_store, cuts
from analysis.closed_store import Report
from analysis.dataset_files import folder_of, hashes_of, read_files, written_for_comparison
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
    with written_for_comparison(look) as folder:
        again = rendered({**open_values(look), "about": about_look(look, hashes_of(folder))})
        datasets = list(_in_folders(folder_of(look, unblinded=False), folder, "open"))
    before = Report(bytes(kept.result), bytes(kept.html), bytes(kept.pdf))
    return [*_tampered(before, kept.sha256, "open"), *_compare(before, again, "open"), *datasets]


def replay_closed(look: Look) -> list[Discrepancy]:
    """Run the closed report of a look again, on the unblinded side. Empty when every byte is the same.

    Raises as `replay_open`; PlanNotRegistered where the plan's text is not the one that was registered.
    """
    kept = closed_store.sealed_result(look.pk)
    if kept is None:
        raise InvalidEntry(f"{look} has no closed report to compare with.")
    plan = closed_store.registered_plan(look.plan)
    arms = cuts.arms_of(look.cut)
    datasets: list[Discrepancy] = []

    def compared() -> dict[str, str]:
        with written_for_comparison(look, arms) as folder:
            datasets.extend(_in_folders(folder_of(look, unblinded=True), folder, "closed"))
            return hashes_of(folder)

    _, again = computed_or_failed(look, lambda: closed_values(look, plan, arms), datasets=compared)
    before = Report(kept.result, kept.html, kept.pdf)
    return [*_tampered(before, kept.sha256, "closed"), *_compare(before, again, "closed"), *datasets]


def _tampered(kept: Report, sha256: str, part: str) -> Iterator[Discrepancy]:
    """What is kept must be what was hashed when it was made."""
    if kept.sha256 != sha256:
        yield Discrepancy(f"{part}/result.json", "SHA-256 of what is kept", sha256, kept.sha256)


def _compare(kept: Report, again: Report, part: str) -> Iterator[Discrepancy]:
    yield from _in_json(kept.result, again.result, f"{part}/result.json")
    yield from _in_lines(kept.html, again.html, f"{part}/report.html")
    yield from _in_bytes(kept.pdf, again.pdf, f"{part}/report.pdf")


def _in_folders(kept: Path, again: Path, part: str) -> Iterator[Discrepancy]:
    """Data sets on disk against the same written anew."""
    for name in sorted(read_files(again)):
        file = f"{part}/datasets/{name}"
        if not (kept / name).exists():
            yield Discrepancy(file, "as a whole", "no file", f"{(again / name).stat().st_size} bytes")
        else:
            compare = _in_lines if name.endswith(".csv") else _in_bytes
            yield from compare((kept / name).read_bytes(), (again / name).read_bytes(), file)


def _in_bytes(kept: bytes, again: bytes, file: str) -> Iterator[Discrepancy]:
    if kept != again:
        place = next(i for i, (a, b) in enumerate(zip_longest(kept, again)) if a != b)
        yield Discrepancy(file, f"from byte {place}", f"{len(kept)} bytes", f"{len(again)} bytes")


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
