"""Findings: the named facts that eligibility, safety rules and due lists are computed from.

Measurement writes them with the address they came from; conduct reads them and knows nothing of instruments.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from studies.models import Finding, Participant

Value = float | str


@dataclass(frozen=True, slots=True)
class NewFinding:
    """A fact about a participant, with the address of the data point it was taken from."""

    participant_id: int
    visit_id: int | None
    key: str
    value: Value
    source_kind: str
    source_record: int
    source_field: str


def note(findings: Iterable[NewFinding]) -> None:
    """Store findings, replacing what the same data points said before. One statement for all."""
    Finding.objects.bulk_create(
        [
            Finding(
                participant_id=f.participant_id,
                visit_id=f.visit_id,
                key=f.key,
                number=None if isinstance(f.value, str) else float(f.value),
                text=f.value if isinstance(f.value, str) else None,
                source_kind=f.source_kind,
                source_record=f.source_record,
                source_field=f.source_field,
            )
            for f in findings
        ],
        update_conflicts=True,
        unique_fields=["key", "source_kind", "source_record", "source_field"],
        update_fields=["number", "text"],
    )


def values_of(participant: Participant) -> dict[str, Value]:
    """The newest value of every finding of a participant, with what the participant's own record says."""
    values: dict[str, Value] = {}
    for finding in participant.findings.order_by("changed_in", "change_no"):
        values[finding.key] = finding.text if finding.number is None else finding.number  # type: ignore[assignment]
    if participant.age_years is not None:
        values["age_years"] = participant.age_years
    values["sex"] = participant.sex
    return values
