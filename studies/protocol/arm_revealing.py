"""What tells the arm: for the infusion unit and the safety side, for nobody who rates or analyses blinded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from studies.protocol.forms import FormKind
from studies.protocol.schedule import collected_assessments
from studies.protocol.section import Key, Section
from studies.protocol.yaml_document import Mistake


class ArmRevealing(Section):
    """Addresses of data points that tell the arm: whole instruments, forms, kinds of record, single fields.

    `fields` are written record_kind.field; `findings` follow from the instruments and forms they come from.
    """

    instruments: tuple[Key, ...] = ()
    forms: tuple[FormKind, ...] = ()
    records: tuple[Key, ...] = ()
    fields: tuple[str, ...] = ()

    def covers(
        self, record: str, *, field: str | None = None, instrument: str | None = None, form: str | None = None
    ) -> bool:
        """Whether a record, one field of it, or one that belongs to an instrument or form, tells the arm."""
        return (
            record in self.records
            or instrument in self.instruments
            or form in self.forms
            or (field is not None and f"{record}.{field}" in self.fields)
        )


def mistakes_in_arm_revealing(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    """A mark on something that no visit collects protects nothing."""
    if "arm_revealing" not in sections or "visits" not in sections:
        return
    collected = collected_assessments(sections)
    for index, key in enumerate(sections["arm_revealing"].instruments):
        if key not in collected:
            yield Mistake(("arm_revealing", "instruments", index), f"No visit collects '{key}'.")
