"""The values of a session: every parameter from its trials, with its z-score and the reference it was compared with.

Beside the 13 parameters: the composites of the test area, test minus control area, conditioned pain modulation and
temporal summation (docs/qst.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

from outcomes.qst import (
    COMPOSITE,
    COMPOSITE_SENSITIVITY,
    MODULATION,
    PARAMETERS,
    RULES_VERSION,
    SYNTHETIC_REFERENCE,
    CpmMethod,
    NoReferenceRow,
    NotComputable,
    ParameterValue,
    Reference,
    aggregate,
    composite,
    load_reference,
    modulation_values,
    z_score,
)
from outcomes.qst.readings import AnyReading
from studies.models import Participant

COMPOSITES = {"composite": COMPOSITE, "composite_sensitivity": COMPOSITE_SENSITIVITY}
SIDE = "side"


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
    @property
    def cpm_method(self) -> CpmMethod | None: ...


def values_of(session: Session) -> list[dict[str, Any]]:
    """A row per parameter and area, as they are stored; the composites; the difference of the sides; CPM and TS.

    A parameter that cannot be computed has its missing-reason; z is empty where no reference row matches the
    area, sex and age exactly: there is no nearest guess.
    """
    trials = list(session.trials)
    modulation = modulation_values([t for t in trials if t.parameter in MODULATION], session.cpm_method)
    rows = []
    for role, body_area in (("test", session.test_area), ("control", session.control_area)):
        of_area = [trial for trial in trials if trial.area == role and trial.parameter not in MODULATION]
        if of_area:
            rows += _area(session.participant, role, body_area, of_area)
    rows += _sides(rows)
    return rows + [
        _stored("test", value.parameter, value.value, None, value.missing_reason, None) for value in modulation.values()
    ]


def _sides(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Test minus control of each parameter with a z-score that both areas have: t(value), and z of the two tables."""
    known = {(row["area"], row["parameter"]): row for row in rows if row["value"] is not None}
    found = []
    for code, parameter in PARAMETERS.items():
        test, control = known.get(("test", code)), known.get(("control", code))
        if test is None or control is None or parameter.scale == "none":
            continue
        try:
            difference = parameter.transformed(test["value"]) - parameter.transformed(control["value"])
        except NotComputable:
            continue
        both = test["z"] is not None and control["z"] is not None
        row = _stored(SIDE, code, difference, test["z"] - control["z"] if both else None, None, None)
        found.append(row | {name: test[name] for name in ("reference", "reference_sha256") if both})
    return found


def _area(participant: Participant, role: str, body_area: str, trials: list[Trial]) -> list[dict[str, Any]]:
    reference = reference_of(participant)
    rows = [_row(participant, role, body_area, value, reference) for value in aggregate(trials).values()]
    if role == "test" and reference is not None:
        z = {row["parameter"]: row["z"] for row in rows}
        rows += [
            _stored(role, name, composite(z, parameters), None, "too_few_parameters", reference)
            for name, parameters in COMPOSITES.items()
        ]
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
        "rules_version": RULES_VERSION,
    }


def reference_of(participant: Participant) -> Reference | None:
    """The reference table of this installation; in a demonstration the synthetic one; else none, and no z-scores."""
    if settings.QST_REFERENCE:
        return _loaded(Path(settings.QST_REFERENCE))
    return _loaded(SYNTHETIC_REFERENCE) if participant.study.demonstration else None


@lru_cache(maxsize=4)
def _loaded(path: Path) -> Reference:
    return load_reference(path)
