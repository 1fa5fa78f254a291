"""What the values of a session mean: abnormal findings and profile of each area, and where the sides differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outcomes.models import QSTSession
from outcomes.qst import (
    MODULATION,
    PARAMETERS,
    AbnormalFinding,
    NoReferenceRow,
    Profile,
    Reference,
    abnormal_findings,
    aggregate,
    profile,
    side_is_abnormal,
)
from outcomes.qst_values import SIDE, Trial, reference_of
from studies.models import Participant

SIGNS = ("PHS", "DMA")
AREAS = ("test", "control")


@dataclass(frozen=True, slots=True)
class SideFinding:
    """Test minus control of one parameter.

    difference: in the transformed scale; dz: of the z-scores, above 0 where the test area is more sensitive;
    abnormal: None where the reference does not tell how far the sides of healthy people differ.
    """

    parameter: str
    difference: float
    dz: float | None
    abnormal: bool | None


@dataclass(frozen=True, slots=True)
class AreaMeaning:
    """What was found at one area. profile: None where no z-score could be computed."""

    area: str
    findings: tuple[AbnormalFinding, ...]
    profile: Profile | None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a session says, area by area and side by side."""

    areas: tuple[AreaMeaning, ...]
    sides: tuple[SideFinding, ...]


def meaning_of_saved(session: QSTSession) -> Meaning:
    """The meaning of a saved session, from its stored values."""
    rows = list(session.values.values("area", "parameter", "value", "z"))
    place = (session.test_area, session.control_area)
    return meaning_of(session.participant, rows, list(session.trials.all()), place=place)


def meaning_of(
    participant: Participant, rows: Iterable[Mapping[str, Any]], trials: Sequence[Trial], *, place: tuple[str, str]
) -> Meaning:
    """The meaning of values as `values_of` gives them.

    trials: those the values come from; place: names of test and control area in the reference.
    """
    rows = list(rows)
    areas = [_area(area, rows, trials) for area in AREAS if any(row["area"] == area for row in rows)]
    reference = reference_of(participant) if place[0] == place[1] else None
    sides = [_side(participant, row, reference, place[0]) for row in rows if row["area"] == SIDE]
    return Meaning(tuple(areas), tuple(sides))


def _area(area: str, rows: Iterable[Mapping[str, Any]], trials: Sequence[Trial]) -> AreaMeaning:
    z = {row["parameter"]: row["z"] for row in rows if row["area"] == area and row["parameter"] in PARAMETERS}
    values = aggregate(t for t in trials if t.area == area and t.parameter not in MODULATION)
    present = {code: values[code].present for code in SIGNS}
    judged = any(value is not None for value in z.values())
    return AreaMeaning(
        area, tuple(abnormal_findings(z, present)), profile(z, allodynia=present["DMA"]) if judged else None
    )


def _side(participant: Participant, row: Mapping[str, Any], reference: Reference | None, area: str) -> SideFinding:
    return SideFinding(row["parameter"], row["value"], row["z"], _abnormal(participant, row, reference, area))


def _abnormal(participant: Participant, row: Mapping[str, Any], reference: Reference | None, area: str) -> bool | None:
    if reference is None or participant.age_years is None:
        return None
    try:
        norm = reference.row(row["parameter"], area=area, sex=participant.sex, age=participant.age_years)
    except NoReferenceRow:
        return None
    return side_is_abnormal(row["value"], norm.side_diff_sd)
