"""Which column of a laboratory's file holds what."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns in the file's header.

    participant: the identifier; nominal and actual: minutes from the start of the infusion; concentration: a number
    with a decimal point, or <1.0 or BLQ; lloq: the lower limit of quantification, in the same unit.
    """

    participant: str = "participant"
    analyte: str = "analyte"
    nominal: str = "nominal_minute"
    actual: str = "actual_minute"
    concentration: str = "concentration"
    unit: str = "unit"
    lloq: str = "lloq"

    def names(self) -> dict[str, str]:
        """What is wanted -> the column's name."""
        return asdict(self)

    @classmethod
    def wanted(cls) -> tuple[str, ...]:
        return tuple(each.name for each in fields(cls))
