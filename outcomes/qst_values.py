"""The values of a session: every parameter from its trials, with its z-score and the reference it was compared with."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

from outcomes.qst import (
    SYNTHETIC_REFERENCE,
    NoReferenceRow,
    NotComputable,
    ParameterValue,
    Reference,
    aggregate,
    composite,
    load_reference,
    z_score,
)
from outcomes.qst.readings import AnyReading
from studies.models import Participant

COMPOSITE_NAME = "composite"


class Trial(AnyReading, Protocol):
    @property
    def area(self) -> str: ...


class Session(Protocol):
    """What values are computed from: a session as it was entered."""

    @property
    def participant(self) -> Participant: ...
    @property
    def test_area(self) -> str: ...
    @property
    def control_area(self) -> str: ...
    @property
    def trials(self) -> Iterable[Trial]: ...


def values_of(session: Session) -> list[dict[str, Any]]:
    """A row per parameter and area, as they are stored, and the composite of the test area.

    A parameter that cannot be computed has its missing-reason; z is empty where no reference row matches the
    area, sex and age exactly: there is no nearest guess.
    """
    rows = []
    for role, body_area in (("test", session.test_area), ("control", session.control_area)):
        trials = [trial for trial in session.trials if trial.area == role]
        if trials:
            rows += _area(session.participant, role, body_area, trials)
    return rows


def _area(participant: Participant, role: str, body_area: str, trials: list[Trial]) -> list[dict[str, Any]]:
    reference = reference_of(participant)
    rows = [_row(participant, role, body_area, value, reference) for value in aggregate(trials).values()]
    if role == "test" and reference is not None:
        total = composite({row["parameter"]: row["z"] for row in rows})
        rows.append(_stored(role, COMPOSITE_NAME, total, None, "too_few_parameters", reference))
    return rows


def _row(
    participant: Participant, role: str, body_area: str, computed: ParameterValue, reference: Reference | None
) -> dict[str, Any]:
    z = None
    if computed.value is not None and reference is not None and participant.age_years is not None:
        z = _z(computed.parameter, computed.value, reference, body_area, participant.sex, participant.age_years)
    compared = reference if z is not None else None
    return _stored(role, computed.parameter, computed.value, z, computed.missing_reason, compared)


def _z(parameter: str, value: float, reference: Reference, area: str, sex: str, age: int) -> float | None:
    try:
        return z_score(parameter, value, reference=reference, area=area, sex=sex, age=age).z
    except (NoReferenceRow, NotComputable):
        return None


def _stored(
    role: str, name: str, value: float | None, z: float | None, missing: str | None, reference: Reference | None
) -> dict[str, Any]:
    return {
        "area": role,
        "parameter": name,
        "value": value,
        "z": z,
        "missing_reason": (missing or "not_computable")[:60] if value is None else None,
        "reference": reference.ref_id if reference else "",
        "reference_sha256": reference.checksum if reference else "",
    }


def reference_of(participant: Participant) -> Reference | None:
    """The reference table of this installation; in a demonstration the synthetic one; else none, and no z-scores."""
    if settings.QST_REFERENCE:
        return _loaded(Path(settings.QST_REFERENCE))
    return _loaded(SYNTHETIC_REFERENCE) if participant.study.demonstration else None


@lru_cache(maxsize=4)
def _loaded(path: Path) -> Reference:
    return load_reference(path)
