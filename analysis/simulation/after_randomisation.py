"""From the infusion to the end of study, in one arm.

Everything that depends on the arm is drawn here, so this runs on the unblinded side only; the records
it gives, but for the PK samples, are what a blinded site would enter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from .answers import Moment
from .appointments import Appointments, follow_up, is_in_window
from .continuous import first_guess
from .design import PlannedVisit
from .diary import diary_days, rate_days, write_diary
from .draws import FloatArray, expit
from .infusion_day import InfusionDay, at_rest, infuse
from .latent import DAYS, FIRST_DAY, ArmFree, LatentCourse
from .missingness import Gaps, Leaving, RescueUse, drop_out, gaps, use_rescue
from .parameters import DIMENSIONS, Arm
from .people import Person
from .pharmacokinetics import sample_levels
from .records import (
    Course,
    DiaryRecord,
    FormRecord,
    Guess,
    GuesserRole,
    GuessReason,
    GuessValue,
    IntercurrentEvent,
    LabResult,
    PkSample,
    QstSession,
    VisitRecord,
    Vitals,
    Withdrawal,
)
from .safety import Harms, harms, laboratory, vital_signs
from .streams import stream
from .visit_forms import Clinic, Setting

_S = DIMENSIONS.index("S")
_GUESSERS: tuple[GuesserRole, ...] = ("participant", "nurse", "rater")
_NEVER = 10_000


@dataclass(frozen=True, slots=True)
class _Follow:
    """Everything the records of one course are written from. z (127, 4) includes relief by rescue."""

    setting: Setting
    person: Person
    arm: Arm
    booked: Appointments
    latent: LatentCourse
    z: FloatArray
    day0: InfusionDay
    rescue: RescueUse
    harms: Harms
    gaps: Gaps
    first_guess: GuessValue
    leaving: Leaving | None

    @property
    def last_day(self) -> int:
        """The first day on which nothing is recorded any more."""
        return self.leaving.day if self.leaving else _NEVER


@dataclass(slots=True)
class _Collected:
    """What the visits give, in the order of the schedule."""

    visits: list[VisitRecord]
    forms: list[FormRecord]
    qst: list[QstSession]
    vitals: list[Vitals]
    labs: list[LabResult]


def follow(setting: Setting, person: Person, arm_free: ArmFree, booked: Appointments, arm: Arm) -> Course:
    """The course of one randomised participant in one arm."""
    seed, index, parameters = setting.seed, person.index, setting.parameters
    day0 = infuse(seed, index, arm, person, started_at=booked.infusion_at, design=setting.design, parameters=parameters)
    beliefs = stream(seed, "guess", index)
    unsure, belief = beliefs.random(2)
    guess = first_guess(unsure, belief, day0.cadss_at_end, parameters)
    latent = LatentCourse(arm_free, arm, guess == "active", parameters.latent)
    rescue = use_rescue(seed, index, latent.daily(), parameters)
    z = latent.daily()
    z[:, _S] -= rescue.relief
    after = tuple(visit for visit in setting.design.visits if visit.nominal_day > 0)
    known = _Follow(
        setting=setting,
        person=person,
        arm=arm,
        booked=booked,
        latent=latent,
        z=z,
        day0=day0,
        rescue=rescue,
        harms=harms(seed, index, arm, booked=booked, visits=after, parameters=parameters),
        gaps=gaps(seed, index, parameters),
        first_guess=guess,
        leaving=None,
    )
    diary = _write_diary(known)
    return _course(replace(known, leaving=_leaving(known, diary)), diary, beliefs)


def _write_diary(known: _Follow) -> tuple[DiaryRecord, ...]:
    """The whole diary, as if nobody left."""
    seed, parameters = known.setting.seed, known.setting.parameters
    ratings = rate_days(seed, known.person.index, known.z, parameters)
    asked = diary_days(known.setting.design, parameters)
    days = [d for d in asked if d >= 0 and not known.gaps.diary[d - FIRST_DAY]]
    doses = known.rescue.doses
    return write_diary(ratings, days, booked=known.booked, rescue_doses=doses, parameters=parameters)


def _leaving(known: _Follow, diary: tuple[DiaryRecord, ...]) -> Leaving | None:
    nrs = known.setting.parameters.continuous["nrs"]
    observed = np.full(len(DAYS), np.nan)
    for entry in diary:
        observed[entry.day - FIRST_DAY] = (entry.average - nrs.mean) / nrs.slope
    severe = np.zeros(len(DAYS), dtype=np.bool_)
    for event in known.harms.events:
        if event.grade >= 3:
            severe[known.booked.day_of(event.started_at) - FIRST_DAY :] = True
    return drop_out(
        known.setting.seed,
        known.person.index,
        known.arm,
        z=known.z,
        observed=observed,
        severe_by_day=severe,
        parameters=known.setting.parameters,
    )


def _course(known: _Follow, diary: tuple[DiaryRecord, ...], beliefs: np.random.Generator) -> Course:
    last = known.last_day
    found = _visits(known)
    return Course(
        infusion=known.day0.record,
        visits=tuple(found.visits),
        forms=tuple(found.forms),
        diary=tuple(entry for entry in diary if entry.day < last),
        qst=tuple(found.qst),
        vitals=tuple(found.vitals),
        labs=tuple(found.labs),
        guesses=tuple(_guesses(known, found.visits, beliefs)),
        adverse_events=tuple(e for e in known.harms.events if known.booked.day_of(e.started_at) < last),
        intercurrent_events=tuple(_intercurrent(known)),
        withdrawal=_withdrawal(known),
        pk=_levels(known) if known.arm == "active" else (),
    )


def _levels(known: _Follow) -> tuple[PkSample, ...]:
    samples = sample_levels(
        known.setting.seed,
        known.person.index,
        weight_kg=known.day0.record.weight_kg,
        segments=known.day0.record.segments,
        parameters=known.setting.parameters,
    )
    return tuple(sample for sample in samples if sample.minute < 24 * 60 * known.last_day)


def _visits(known: _Follow) -> _Collected:
    """All visits from the infusion on.

    Every form is drawn, also one that is missed: what is missing in one arm must not shift the random
    numbers of what follows.
    """
    setting, index = known.setting, known.person.index
    clinic = Clinic(setting, known.person, items="items", qst="qst", entry="entry")
    # The first rows belong to the appointments that were made at consent.
    times = stream(setting.seed, "visits", index).random((4 + len(setting.design.visits), 2))[4:]
    labs = stream(setting.seed, "labs", index)
    found = _Collected([], [], [], [], [])
    for position, visit in enumerate(setting.design.visits):
        if visit.id == setting.design.infusion:
            _infusion_visit(known, visit, clinic, found)
        elif visit.nominal_day > 0:
            at = follow_up(times[position], visit, known.booked, setting.parameters.conduct)
            _later_visit(known, visit, at, clinic=clinic, labs=labs, found=found)
    return found


def _infusion_visit(known: _Follow, visit: PlannedVisit, clinic: Clinic, found: _Collected) -> None:
    start = known.booked.infusion_at
    arrival = start - timedelta(minutes=30)
    found.visits.append(VisitRecord(visit.id, 0, arrival, in_window=True, status="done", qst_done=False))
    for form in visit.forms:
        minute = form.minute or 0
        z = known.latent.at(max(minute, 0) / (24 * 60))
        moment = Moment(known.person, z, cadss=known.day0.cadss.get(minute, 0))
        found.forms.append(clinic.fill(visit, form, moment, start + timedelta(minutes=minute)))


def _later_visit(
    known: _Follow,
    visit: PlannedVisit,
    at: datetime,
    *,
    clinic: Clinic,
    labs: np.random.Generator,
    found: _Collected,
) -> None:
    """One visit after the infusion: drawn in full, then kept as far as it took place."""
    day = known.booked.day_of(at)
    z = known.z[day - FIRST_DAY]
    suicidal = visit.id == known.harms.suicidal_visit
    moment = Moment(known.person, z, improvement=_improvement(known, day), suicidal=suicidal)
    forms = clinic.fill_all(visit, moment, at)
    sessions = list(clinic.sense(visit, z, at))
    raised = visit.id == known.harms.alt_visit
    results = laboratory(visit.id, labs, raised=raised, excluded=False) if visit.labs else []
    rest = at_rest(known.setting.seed, known.person.index, known.setting.parameters)
    vitals = [vital_signs(visit.id, at, rest, labs, readings=1, weight=None)] if visit.vitals else []
    if day >= known.last_day:
        return
    record = _visit_record(known, visit, at)
    found.visits.append(record)
    found.forms += forms if record.forms_done else []
    found.qst += sessions if record.qst_done else []
    found.labs += results if record.status == "done" else []
    found.vitals += vitals if record.status == "done" else []


def _visit_record(known: _Follow, visit: PlannedVisit, at: datetime) -> VisitRecord:
    """Which parts of a visit took place; without any of them the visit was missed."""
    position = known.setting.design.visits.index(visit)
    forms_done = not bool(known.gaps.forms[position])
    qst_done = visit.qst and not bool(known.gaps.qst[position])
    return VisitRecord(
        id=visit.id,
        day=known.booked.day_of(at),
        at=at,
        in_window=_in_window(known, visit, at),
        status="done" if forms_done or qst_done else "missed",
        forms_done=forms_done,
        qst_done=qst_done,
    )


def _in_window(known: _Follow, visit: PlannedVisit, at: datetime) -> bool:
    if visit.id != known.setting.design.first_day:
        return is_in_window(visit, at, known.booked)
    low, high = known.setting.design.first_day_hours
    return low <= (at - known.day0.record.ended_at).total_seconds() / 3600 <= high


def _improvement(known: _Follow, day: int) -> float:
    """By how much Z_S has fallen since the infusion."""
    return float(known.z[-FIRST_DAY, _S] - known.z[day - FIRST_DAY, _S])


def _guesses(known: _Follow, visits: list[VisitRecord], beliefs: np.random.Generator) -> Iterator[Guess]:
    """Participant, nurse and rater on the infusion day and at week 4.

    The rater of efficacy does not see the infusion, so that guess follows no dissociation.
    """
    design = known.setting.design
    week4 = next((v for v in visits if v.id == design.guess_visit and v.status == "done"), None)
    for who in _GUESSERS:
        u = beliefs.random(7)
        seen = 0 if who == "rater" else known.day0.cadss_at_end
        guess = known.first_guess
        if who != "participant":
            guess = first_guess(u[0], u[1], seen, known.setting.parameters)
        why: GuessReason = "side_effects" if seen > 4 else "nothing"
        yield Guess(who, design.infusion, max(design.clock), guess, _confidence(u[2], guess), why)
        if week4:
            later = _later_guess(known, guess, u[3:6], week4.day)
            yield Guess(who, week4.id, None, later, _confidence(u[6], later), why if later == guess else "benefit")


def _later_guess(known: _Follow, guess: GuessValue, u: FloatArray, day: int) -> GuessValue:
    law = known.setting.parameters.guess
    if u[0] < law.keeps_until_week_4:
        return guess
    if u[1] < law.do_not_know:
        return "unknown"
    better = _improvement(known, day) - 0.6
    return "active" if u[2] < expit(law.improvement_slope * better) else "control"


def _confidence(u: float, guess: GuessValue) -> int:
    return int(u * 4) if guess == "unknown" else 3 + int(u * 8)


def _intercurrent(known: _Follow) -> Iterator[IntercurrentEvent]:
    """ICE-1, an infusion held or stopped; ICE-2, rescue above the allowance."""
    if any(event.action in ("HOLD", "STOP") for event in known.day0.record.rules):
        yield IntercurrentEvent("ICE-1", 0, 0)
    yield from (event for event in known.rescue.events if event.end_day < known.last_day)


def _withdrawal(known: _Follow) -> Withdrawal | None:
    if known.leaving is None:
        return None
    day, reason = known.leaving.day, known.leaving.reason
    at = known.booked.local(day, 12.0)
    withdrawn = reason == "withdrawal_of_consent"
    visit = VisitRecord("ET", day, at, in_window=True, status="done", forms_done=False, qst_done=False)
    came = known.leaving.last_visit and not withdrawn
    return Withdrawal(day, at, reason, withdrawn, visit if came else None)
