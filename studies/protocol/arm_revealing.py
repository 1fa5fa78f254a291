"""What tells the arm: for the infusion unit and the safety side, for nobody who rates or analyses blinded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studies.protocol.forms import FormKind
from studies.protocol.schedule import collected_assessments
from studies.protocol.section import Key, Section
from studies.protocol.yaml_document import Mistake

if TYPE_CHECKING:
    from studies.protocol.definition import ProtocolDefinition

# In every study, whatever its protocol says.
ALWAYS = frozenset({"reading", "safetyevent"})
# What is a part of a record tells what the record tells.
PARTS = {
    "response": frozenset({"responseitem", "score", "clarification", "ownanswer"}),
    "qstsession": frozenset({"qsttrial", "qstvalue", "qstflag", "deviceuse", "conditioningstimulus"}),
}
# The conduct of the trial, which everybody goes by: each page and each analysis names people and visits.
EVERYBODYS = frozenset(
    {
        "study",
        "protocolversion",
        "site",
        "stratum",
        "participant",
        "consent",
        "criterionresult",
        "eligibilitydecision",
        "allocation",
        "visit",
        "infusion",
    }
)
# Of a record that is everybody's: what may be kept all the same.
KEEPABLE = {"infusion": frozenset({"delivered_volume_ml", "delivered_percent", "pump_volume_ml"})}


class ArmRevealing(Section):
    """Addresses of data points that tell the arm: whole instruments, forms, kinds of record, single fields.

    `fields` are written record_kind.field; `findings` follow from the instruments and forms they come from.
    """

    instruments: tuple[Key, ...] = ()
    forms: tuple[FormKind, ...] = ()
    records: tuple[Key, ...] = ()
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Revealing:
    """What tells the arm, by which pages, API, history, cuts and reports all go.

    For a participant it comes from the protocol version of that participant; for a cut from all versions of the study
    together, since what is in a file is there for everybody: once marked, always hidden.

    records: kinds; fields: (kind, field); instruments, forms and findings: their keys.
    """

    records: frozenset[str] = ALWAYS
    fields: frozenset[tuple[str, str]] = frozenset()
    instruments: frozenset[str] = frozenset()
    forms: frozenset[str] = frozenset()
    findings: frozenset[str] = frozenset()

    @classmethod
    def of(cls, definitions: Iterable[ProtocolDefinition], *, flagged: Iterable[str] = ()) -> Revealing:
        """Gather what protocol definitions mark; `flagged`: instruments whose own files say that they tell the arm."""
        records, fields, forms, findings = set(ALWAYS), set(), set(), set()
        instruments = set(flagged)
        for definition in definitions:
            marks = definition.arm_revealing
            records |= {kind for marked in marks.records for kind in (marked, *PARTS.get(marked, ()))}
            fields |= {(kind, name) for kind, _, name in (address.partition(".") for address in marks.fields)}
            instruments |= {*marks.instruments}
            forms |= {*marks.forms}
            findings |= {
                finding.key
                for finding in definition.findings
                if finding.instrument in instruments
                or finding.form in marks.forms
                or (finding.record or "").partition(".")[0] in records
            }
        return cls(*(frozenset(marked) for marked in (records, fields, instruments, forms, findings)))  # type: ignore[arg-type]

    def tells(
        self,
        record: str,
        *,
        field: str = "",
        instrument: str | None = None,
        form: str | None = None,
        finding: str | None = None,
    ) -> bool:
        """Whether a record, one field of it, or one that belongs to an instrument, form or finding, tells the arm."""
        return (
            record in self.records
            or instrument in self.instruments
            or form in self.forms
            or finding in self.findings
            or (record, field) in self.fields
        )

    def columns(self, kind: str) -> frozenset[str]:
        """The fields of a kind that reveal the arm although its rows do not."""
        return frozenset(name for marked, name in self.fields if marked == kind)


def mistakes_in_arm_revealing(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    """A mark on something that no visit collects, or that everybody goes by, protects nothing."""
    if "arm_revealing" not in sections or "visits" not in sections:
        return
    for index, kind in enumerate(sections["arm_revealing"].records):
        if kind in EVERYBODYS:
            yield Mistake(("arm_revealing", "records", index), f"Every page goes by '{kind}': it cannot be kept.")
    for index, address in enumerate(sections["arm_revealing"].fields):
        kind, _, name = address.partition(".")
        if kind in EVERYBODYS and name not in KEEPABLE.get(kind, ()):
            yield Mistake(("arm_revealing", "fields", index), f"Every page goes by '{address}': it cannot be kept.")
    collected = collected_assessments(sections)
    for index, key in enumerate(sections["arm_revealing"].instruments):
        if key not in collected:
            yield Mistake(("arm_revealing", "instruments", index), f"No visit collects '{key}'.")
