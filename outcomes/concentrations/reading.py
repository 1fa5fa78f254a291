"""What is stored of drug levels: samples, the files they came in. Reading a value is logged as reading an arm is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from studies import closed_door
from studies.acting import Actor, acting
from studies.models import ClosedAccount, Study
from studies.permissions import require


@dataclass(frozen=True, slots=True)
class StoredSample:
    """The newest value of one analyte of one sample, and where it came from. value: None below the limit."""

    participant_id: int
    analyte: str
    nominal_minute: int
    actual_minute: float
    value: float | None
    lloq: float
    unit: str
    repeat: int
    laboratory: str
    batch: str
    file_sha256: str
    file_row: int


@dataclass(frozen=True, slots=True)
class LaboratoryFile:
    """A file that was taken, and how much it brought. samples: results of an analyte; corrections: of those."""

    sha256: str
    name: str
    laboratory: str
    batch: str
    reason: str
    taken_at: datetime
    taken_by: str
    samples: int
    corrections: int


def read_samples(actor: Actor, *, study: Study, until: datetime, purpose: str) -> list[StoredSample]:
    """Every sample that had come by `until`, in its newest value then. Logged."""
    query = "SELECT * FROM concealed.read_concentrations(%s, %s, %s)"
    return [StoredSample(*row) for row in _rows(actor, purpose, query, [study.pk, until, purpose])]


def laboratory_files(account: ClosedAccount, *, study: Study) -> list[LaboratoryFile]:
    """The files that were taken, newest first. Raises NotAllowed."""
    require(closed_door.may_take_concentrations(account, study), f"see the laboratory files of {study}")
    rows = _rows(account, "laboratory files listed", "SELECT * FROM concealed.laboratory_files(%s)", [study.pk])
    return [LaboratoryFile(*row) for row in rows]


def read_file(account: ClosedAccount, *, study: Study, sha256: str) -> tuple[LaboratoryFile, bytes] | None:
    """A file as it came, or None. Logged. Raises NotAllowed."""
    found = next((each for each in laboratory_files(account, study=study) if each.sha256 == sha256), None)
    if found is None:
        return None
    query = "SELECT concealed.read_laboratory_file(%s, %s, %s)"
    [(content,)] = _rows(account, "laboratory file read", query, [study.pk, sha256, "laboratory file read"])
    closed_door.log(account, f"laboratory file {sha256} read")
    return found, bytes(content)


def _rows(actor: Actor, reason: str, query: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with acting(actor, reason), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
