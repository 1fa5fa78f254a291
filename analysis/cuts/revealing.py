"""What reveals an arm: side effects, infusion-day vitals, and whatever else the protocol marks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from studies.protocol import ProtocolDefinition

ALL_ROWS = "true"
# In every study, whatever its protocol says.
_ALWAYS = frozenset({"reading", "safetyevent"})


@dataclass(frozen=True, slots=True)
class Revealing:
    """The marks of all protocol versions of a study together: once marked, always hidden.

    records: kinds; fields: (kind, field); instruments and findings: their keys.
    """

    records: frozenset[str] = _ALWAYS
    fields: frozenset[tuple[str, str]] = frozenset()
    instruments: frozenset[str] = frozenset()
    findings: frozenset[str] = frozenset()

    @classmethod
    def of(cls, definitions: Iterable[ProtocolDefinition]) -> Revealing:
        """Gather what protocol definitions mark as arm-revealing."""
        records, fields, instruments, findings = set(_ALWAYS), set(), set(), set()
        for definition in definitions:
            marks = definition.arm_revealing
            records |= {*marks.records}
            fields |= {(kind, name) for kind, _, name in (address.partition(".") for address in marks.fields)}
            instruments |= {*marks.instruments}
            findings |= {
                finding.key
                for finding in definition.findings
                if finding.instrument in marks.instruments
                or finding.form in marks.forms
                or (finding.record or "").partition(".")[0] in records
            }
        return cls(frozenset(records), frozenset(fields), frozenset(instruments), frozenset(findings))

    def columns(self, kind: str) -> frozenset[str]:
        """The fields of a kind that reveal the arm although its rows do not."""
        return frozenset(name for marked, name in self.fields if marked == kind)

    def conditions(self) -> dict[str, str]:
        """For each kind of which some rows reveal the arm: which rows `t`, in SQL; ALL_ROWS for all."""
        responses = (
            "SELECT r.id FROM outcomes_response r JOIN outcomes_instrumentversion v ON v.id = r.instrument_id"  # noqa: S608 - quoted below
            f" WHERE v.arm_revealing OR v.key IN ({_quoted(self.instruments)})"
        )
        carried = self._carried_upwards(responses)
        some = {
            "response": f"t.id IN ({responses})",
            "responseitem": f"t.response_id IN ({responses})",
            "score": f"t.response_id IN ({responses})",
            "finding": f"t.key IN ({_quoted(self.findings)}) OR {carried}",
            "safetyalert": carried,
        }
        return some | dict.fromkeys(self.records, ALL_ROWS)

    def _carried_upwards(self, responses: str) -> str:
        """Rows that say what other rows said, with the address they come from: as revealing as those."""
        items = f"SELECT i.id FROM outcomes_responseitem i WHERE i.response_id IN ({responses})"  # noqa: S608
        scores = f"SELECT s.id FROM outcomes_score s WHERE s.response_id IN ({responses})"  # noqa: S608
        return (
            f"t.source_kind IN ({_quoted(self.records)})"
            f" OR t.source_kind = 'response' AND t.source_record IN ({responses})"
            f" OR t.source_kind = 'responseitem' AND t.source_record IN ({items})"
            f" OR t.source_kind = 'score' AND t.source_record IN ({scores})"
        )


def _quoted(words: Iterable[str]) -> str:
    """A list for IN; of nothing, one that nothing is in."""
    return ", ".join(sql.Literal(word).as_string(None) for word in sorted(words)) or "NULL"
