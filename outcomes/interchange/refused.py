"""A file that is not taken, and why: the same refusals as of other imports, with lines where rows mean nothing."""

from __future__ import annotations

from dataclasses import dataclass

from outcomes.imports.refusals import ImportRefused, Refusal


@dataclass(frozen=True, slots=True)
class LineRefusal(Refusal):
    """A refusal at a line of an XML or JSON file; `column` is the address of the value."""

    def __str__(self) -> str:
        return Refusal.__str__(self).replace("row ", "line ", 1) if self.row else Refusal.__str__(self)


def refuse_file(name: str, why: str, *, line: int = 0) -> ImportRefused:
    """The refusal of a file as a whole."""
    return ImportRefused(name, [LineRefusal(line, "", "", why)])
