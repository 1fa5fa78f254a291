"""Adverse events, laboratory values, suicidality, vital signs at visits."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from .appointments import Appointments
from .design import PlannedVisit
from .draws import FloatArray
from .infusion_day import Resting
from .parameters import Arm, EventRate, Parameters
from .records import AdverseEvent, LabResult, Vitals
from .streams import stream

_RELATED = ("possible", "probable", "probable", "possible", "unlikely")
_UPPER = {"alt": 40.0, "ast": 35.0, "alp": 120.0, "bilirubin": 21.0}


@dataclass(frozen=True, slots=True)
class Harms:
    """What went wrong: adverse events in order of onset, the visit with raised ALT, with suicidality."""

    events: tuple[AdverseEvent, ...]
    alt_visit: str
    suicidal_visit: str

    def severe_by(self, moment: datetime) -> bool:
        """Whether an event of grade 3 or more had started."""
        return any(event.grade >= 3 and event.started_at <= moment for event in self.events)


def harms(
    seed: int,
    index: int,
    arm: Arm,
    *,
    booked: Appointments,
    visits: tuple[PlannedVisit, ...],
    parameters: Parameters,
) -> Harms:
    """The harms of one participant in one arm. visits: those after the infusion, in order."""
    law = parameters.safety
    rng = stream(seed, "ae", index)
    u = rng.random((len(parameters.adverse_events), 6))
    v = rng.random(10)
    events = [
        _event(term, rate, arm, u=u[k], booked=booked, parameters=parameters)
        for k, (term, rate) in enumerate(parameters.adverse_events.items())
    ]
    if v[0] < law.serious[arm]:
        events.append(_serious(law.serious_terms[int(v[1] * len(law.serious_terms))], v[2:5], booked))
    tested = [visit.id for visit in visits if visit.labs][:2]
    asked = [visit.id for visit in visits if any(form.instrument.startswith("cssrs") for form in visit.forms)]
    alt = _one_of(tested, v[6]) if v[5] < law.alt_raised[arm] else ""
    suicidal = _one_of(asked, v[8]) if v[7] < law.suicidal_ideation[arm] else ""
    found = (event for event in events if event is not None)
    return Harms(tuple(sorted(found, key=lambda event: event.started_at)), alt, suicidal)


def _one_of(visits: list[str], uniform: float) -> str:
    return visits[int(uniform * len(visits))] if visits else ""


def _event(
    term: str, rate: EventRate, arm: Arm, *, u: FloatArray, booked: Appointments, parameters: Parameters
) -> AdverseEvent | None:
    if u[0] >= (rate.active if arm == "active" else rate.control):
        return None
    grade = 1 + int(np.searchsorted(np.cumsum(parameters.safety.grades)[:2], u[1], side="right"))
    at_infusion = rate.when == "infusion"
    wait, longest = (5 + 75 * u[2], 12.0) if at_infusion else (60 * (4 + 92 * u[2]), 72.0)
    started_at = booked.infusion_at + timedelta(minutes=round(wait))
    ended = started_at + timedelta(minutes=round(20 + u[3] ** 2 * longest * 60))
    # A fifth of the ends outside the unit is remembered as a day only.
    exact = at_infusion or u[4] >= 0.2
    return AdverseEvent(
        term=term,
        started_at=started_at,
        ended=ended.isoformat(timespec="minutes") if exact else ended.date().isoformat(),
        grade=grade,
        serious=False,
        seriousness="",
        related=_RELATED[int(u[5] * len(_RELATED))],  # type: ignore[arg-type]
        reported_at=started_at + timedelta(hours=1 if at_infusion else 30),
    )


def _serious(term: str, u: FloatArray, booked: Appointments) -> AdverseEvent:
    started_at = booked.local(2 + int(u[0] * 80), 6 + 16 * u[1])
    return AdverseEvent(
        term=term,
        started_at=started_at,
        ended=(started_at + timedelta(days=3 + int(u[2] * 12))).date().isoformat()[:7],
        grade=3,
        serious=True,
        seriousness="hospitalisation",
        related="unlikely",
        reported_at=started_at + timedelta(hours=20),
    )


def laboratory(visit: str, rng: np.random.Generator, *, raised: bool, excluded: bool) -> list[LabResult]:
    """Liver and kidney values. raised: ALT above 3 x its upper limit; excluded: above 2 x at screening."""
    noise = rng.standard_normal(5)
    factor = 3.2 + abs(noise[0]) if raised else 2.1 + abs(noise[0]) / 2
    alt = _UPPER["alt"] * factor if raised or excluded else min(22 * np.exp(0.35 * noise[0]), 76)
    ast = min(20 * np.exp(0.28 * noise[1]), 66) * (2.0 if raised else 1.0)
    values = {"alt": alt, "ast": ast, "alp": 70 * np.exp(0.22 * noise[2]), "bilirubin": 9 + 2.5 * noise[3]}
    units = {"alt": "U/L", "ast": "U/L", "alp": "U/L", "bilirubin": "umol/L"}
    liver = [
        LabResult(visit, test, round(float(max(values[test], 2.0)), 1), units[test], _UPPER[test])
        for test in ("alt", "ast", "alp", "bilirubin")
    ]
    egfr = float(np.clip(88 + 15 * noise[4], 38, 125))
    return [*liver, LabResult(visit, "egfr", round(egfr), "mL/min/1.73m2", None)]


def vital_signs(
    visit: str, at: datetime, rest: Resting, rng: np.random.Generator, *, readings: int, weight: float | None
) -> Vitals:
    """Vital signs at rest, the blood pressure read once or three times."""
    noise = rng.standard_normal((2, readings))
    sbp = np.rint(rest.sbp + 3 * noise[0]).astype(int)
    dbp = np.minimum(np.rint(rest.dbp + 2 * noise[1]).astype(int), sbp - 10)
    return Vitals(
        visit=visit,
        at=at,
        sbp=tuple(sbp.tolist()),
        dbp=tuple(dbp.tolist()),
        hr=round(rest.hr),
        spo2=round(rest.spo2),
        rr=round(min(max(rest.rr, 9), 22)),
        weight_kg=weight,
    )
