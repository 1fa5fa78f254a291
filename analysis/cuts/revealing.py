"""Which rows and columns of the tables reveal an arm, in SQL: what `Revealing` says of them."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from studies.protocol.arm_revealing import Revealing

ALL_ROWS = "true"


def conditions(revealing: Revealing) -> dict[str, str]:
    """For each kind of which some rows reveal the arm: which rows `t`, in SQL; ALL_ROWS for all."""
    responses = (
        "SELECT r.id FROM outcomes_response r JOIN outcomes_instrumentversion v ON v.id = r.instrument_id"  # noqa: S608 - quoted below
        f" WHERE v.arm_revealing OR v.key IN ({_quoted(revealing.instruments)})"
    )
    carried = _carried_upwards(revealing, responses)
    some = {
        "response": f"t.id IN ({responses})",
        "responseitem": f"t.response_id IN ({responses})",
        "score": f"t.response_id IN ({responses})",
        "finding": f"t.key IN ({_quoted(revealing.findings)}) OR {carried}",
        "safetyalert": carried,
    }
    return some | dict.fromkeys(revealing.records, ALL_ROWS)


def _carried_upwards(revealing: Revealing, responses: str) -> str:
    """Rows that say what other rows said, with the address they come from: as revealing as those."""
    items = f"SELECT i.id FROM outcomes_responseitem i WHERE i.response_id IN ({responses})"  # noqa: S608
    scores = f"SELECT s.id FROM outcomes_score s WHERE s.response_id IN ({responses})"  # noqa: S608
    return (
        f"t.source_kind IN ({_quoted(revealing.records)})"
        f" OR t.source_kind = 'response' AND t.source_record IN ({responses})"
        f" OR t.source_kind = 'responseitem' AND t.source_record IN ({items})"
        f" OR t.source_kind = 'score' AND t.source_record IN ({scores})"
    )


def _quoted(words: Iterable[str]) -> str:
    """A list for IN; of nothing, one that nothing is in."""
    return ", ".join(sql.Literal(word).as_string(None) for word in sorted(words)) or "NULL"
