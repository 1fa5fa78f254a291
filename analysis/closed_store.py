"""What the unblinded side keeps in the concealed schema: registered plans, sealed results, why jobs failed.

Works only for the role `unblinded`; nothing here can be changed once written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction

from analysis.canonical import sha256_of
from analysis.models import Look, Plan
from studies.acting import Actor
from studies.errors import TrialError
from studies.pinned_protocols import require_pinned


class PlanNotRegistered(TrialError):
    """The closed side runs only plans that its own people registered."""

    code = "plan_not_registered"


class SealedDifferently(TrialError):
    """A second run of a look gave other bytes than the one that is sealed."""

    code = "sealed_differently"


@dataclass(frozen=True, slots=True)
class SealedResult:
    """The closed report of one look, as it was sealed."""

    look_id: int
    study_id: int
    number: int
    cut_manifest_sha256: str
    plan_sha256: str
    result: bytes
    sha256: str
    html: bytes
    pdf: bytes
    made_at: datetime

    @property
    def values(self) -> dict[str, Any]:
        values: dict[str, Any] = orjson.loads(self.result)
        return values


@dataclass(frozen=True, slots=True)
class Report:
    """A computed report: its result in canonical bytes, and as pages."""

    result: bytes
    html: bytes
    pdf: bytes

    @property
    def sha256(self) -> str:
        return sha256_of(self.result)


_COLUMNS = "look_id, study_id, number, cut_manifest_sha256, plan_sha256, result, sha256, html, pdf, made_at"


def register_plan(actor: Actor, *, plan: Plan) -> bool:
    """Register a frozen plan by the hash of its text; False if it was before. Only then may a look run it.

    Raises ProtocolChanged if the text of its protocol version is not the one that the unblinded side goes by.
    """
    require_pinned(plan.protocol_version)
    with transaction.atomic():
        new = _execute(
            "INSERT INTO concealed.registered_plan (sha256, study_id, registered_by) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [_sha256_of(plan), plan.study_id, actor.get_username()],
        )
        if new:
            note_event(actor, what=f"analysis plan {plan.version} registered", study_id=plan.study_id)
    return bool(new)


def is_registered(plan: Plan) -> bool:
    """Whether the plan's text, hashed here and not as its row says, was registered for its study."""
    return bool(
        _rows(
            "SELECT 1 FROM concealed.registered_plan WHERE sha256 = %s AND study_id = %s",
            [_sha256_of(plan), plan.study_id],
        )
    )


def registered_last(study_id: int) -> str:
    """The hash of the plan that was registered last for a study; empty while none is."""
    query = "SELECT sha256 FROM concealed.registered_plan WHERE study_id = %s ORDER BY registered_at DESC LIMIT 1"
    rows = _rows(query, [study_id])
    return str(rows[0][0]) if rows else ""


def registered_plan(plan: Plan) -> dict[str, Any]:
    """The contents of a registered plan. Raises PlanNotRegistered."""
    if not is_registered(plan):
        raise PlanNotRegistered(f"Plan {plan.version} is not registered at the closed side: run register_plan.")
    contents: dict[str, Any] = orjson.loads(plan.source)
    return contents


def seal(look: Look, *, cut_manifest_sha256: str, report: Report) -> str:
    """Keep the closed report of a look for ever. Returns the result's SHA-256.

    Sealing the same result again changes nothing. Raises SealedDifferently for any other.
    """
    _execute(
        f"INSERT INTO concealed.look_result ({_COLUMNS})"  # noqa: S608 - fixed names
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp()) ON CONFLICT DO NOTHING",
        [
            look.pk,
            look.study_id,
            look.number,
            cut_manifest_sha256,
            _sha256_of(look.plan),
            report.result,
            report.sha256,
            report.html,
            report.pdf,
        ],
    )
    [(sealed,)] = _rows("SELECT sha256 FROM concealed.look_result WHERE look_id = %s", [look.pk])
    if sealed != report.sha256:
        raise SealedDifferently(f"Look {look.number} is sealed with {sealed}; this run gave {report.sha256}.")
    return str(sealed)


def sealed_result(look_id: int) -> SealedResult | None:
    found = _sealed("look_id = %s", [look_id])
    return found[0] if found else None


def sealed_results(study_id: int) -> list[SealedResult]:
    """All closed reports of a study, in the order in which the looks were ordered."""
    return _sealed("study_id = %s", [study_id])


def earlier_results(look: Look) -> list[dict[str, Any]]:
    """The results of all looks ordered before this one, oldest first: what a boundary builds on."""
    return [sealed.values for sealed in _sealed("study_id = %s AND look_id < %s", [look.study_id, look.pk])]


def sealed_looks(study_id: int) -> set[int]:
    return {key for (key,) in _rows("SELECT look_id FROM concealed.look_result WHERE study_id = %s", [study_id])}


def seal_masked(look: Look, *, report: Report) -> str:
    """Keep the masked report of a look for ever. Returns the result's SHA-256. Raises as `seal`."""
    _execute(
        "INSERT INTO concealed.masked_result (look_id, study_id, number, result, sha256, html, pdf)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [look.pk, look.study_id, look.number, report.result, report.sha256, report.html, report.pdf],
    )
    sealed = masked_report(look.pk)
    if sealed is None or sealed.sha256 != report.sha256:
        raise SealedDifferently(f"The masked report of look {look.number} is sealed with another result.")
    return report.sha256


def masked_report(look_id: int) -> Report | None:
    """The masked report of a look as it was sealed, or None while there is none."""
    rows = _rows("SELECT result, html, pdf FROM concealed.masked_result WHERE look_id = %s", [look_id])
    return Report(*(bytes(part) for part in rows[0])) if rows else None


def note_detail(job_id: int, detail: str) -> None:
    """Why a job failed, in full: for the closed side's people only."""
    _execute("INSERT INTO concealed.job_detail (job_id, detail) VALUES (%s, %s)", [job_id, detail])


def details(job_id: int) -> list[tuple[datetime, str]]:
    return [
        (at, detail)
        for at, detail in _rows("SELECT at, detail FROM concealed.job_detail WHERE job_id = %s ORDER BY id", [job_id])
    ]


def note_event(actor: Actor, *, what: str, study_id: int) -> None:
    """Add a line to the closed side's own diary."""
    _execute(
        "INSERT INTO concealed.event (actor, what, study_id) VALUES (%s, %s, %s)",
        [actor.get_username(), what, study_id],
    )


def _sealed(condition: str, values: list[Any]) -> list[SealedResult]:
    query = f"SELECT {_COLUMNS} FROM concealed.look_result WHERE {condition} ORDER BY look_id"  # noqa: S608
    found = []
    for row in _rows(query, values):
        plain: list[Any] = [bytes(value) if isinstance(value, memoryview) else value for value in row]
        found.append(SealedResult(*plain))
    return found


def _sha256_of(plan: Plan) -> str:
    return sha256_of(plan.source.encode())


def _execute(statement: str, values: list[Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def _rows(query: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
