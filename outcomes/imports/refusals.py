"""What an import refuses, with its place in the file; and what a file says otherwise than before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studies.errors import TrialError

_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that cannot be taken. `row` counts as a spreadsheet does: the header is row 1, 0 is the whole file."""

    row: int
    column: str
    value: str
    why: str

    def __str__(self) -> str:
        place = f"row {self.row}" if self.row else "file"
        if self.column:
            place += f", column {self.column}"
        return f"{place}: {shown(self.value)}: {self.why}" if self.value else f"{place}: {self.why}"


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that the file gives otherwise than it is stored. `row` 0: the file has no such row."""

    row: int
    column: str
    about: str
    old: str
    new: str

    def __str__(self) -> str:
        place = f"row {self.row}" if self.row else "no row"
        return f"{place}, column {self.column} ({self.about}): stored {shown(self.old)}, in the file {shown(self.new)}"


class ImportRefused(TrialError):
    """A file that cannot be taken as it is: nothing of it is."""

    code = "import_refused"

    def __init__(self, name: str, refusals: Sequence[Refusal]) -> None:
        self.name = name
        self.refusals = tuple(sorted(refusals, key=lambda refusal: refusal.row))
        count = "1 refusal" if len(self.refusals) == 1 else f"{len(self.refusals)} refusals"
        super().__init__(_listed(f"{name}: {count}; nothing was imported.", self.refusals))


class SourceChanged(TrialError):
    """A file that differs from what was imported before. What is stored stays."""

    code = "source_changed"

    def __init__(self, name: str, differences: Sequence[Difference]) -> None:
        self.differences = tuple(differences)
        count = "1 value differs" if len(self.differences) == 1 else f"{len(self.differences)} values differ"
        super().__init__(_listed(f"{name}: {count} from what is stored; nothing was changed.", self.differences))


def shown(value: str) -> str:
    """A cell's text for people: quoted, control characters written out, cut where it is long."""
    if not value:
        return "nothing"
    return repr(value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}...")


def _listed(heading: str, entries: Sequence[object]) -> str:
    return "\n".join([heading, *(f"  {entry}" for entry in entries)])
